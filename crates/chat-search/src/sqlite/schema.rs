//! The tables.

use std::collections::HashMap;

use chat_protocol::{Epoch, RoomName};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

use super::Hours;
use crate::key::unsigned;
use crate::{Position, analysis};

diesel::table! {
    rooms (id) {
        id -> BigInt,
        name -> Nullable<Text>,
        epoch -> Text,
        seq -> BigInt,
        changed_seq -> BigInt,
        oldest -> BigInt,
        purged -> BigInt,
        documents -> BigInt,
    }
}

diesel::table! {
    documents (key) {
        key -> BigInt,
        room -> BigInt,
        seq -> BigInt,
    }
}

diesel::table! {
    texts (key) {
        key -> BigInt,
        author -> Text,
        terms -> Text,
    }
}

diesel::table! {
    hours (hour) {
        hour -> BigInt,
        documents -> BigInt,
    }
}

diesel::table! {
    fts (rowid) {
        rowid -> BigInt,
        tokens -> Text,
        #[sql_name = "fts"]
        command -> Text,
        rank -> BigInt,
    }
}

diesel::allow_tables_to_appear_in_same_query!(documents, texts, rooms);

/// Raised when the tables or the [tokens](crate::tokens) change.
const VERSION: u32 = 1;

/// Marks a file as an index of this crate, in the header of the database.
const APPLICATION_ID: i64 = 0x6368_5352;

/// The text that the file has if this version can use it.
fn version() -> String {
    format!("tables {VERSION}, {}", analysis::version())
}

/// Of which program and version a file is.
pub(super) enum Stamp {
    /// There are no tables.
    Empty,
    /// It is of another program.
    Foreign,
    /// It is an index, but not one that this version can use.
    Other,
    /// It is an index of this version.
    Current,
}

fn number(connection: &mut SqliteConnection, sql: &str) -> QueryResult<i64> {
    diesel::select(diesel::dsl::sql::<BigInt>(sql)).get_result(connection)
}

/// Reads of which program and version a file is.
pub(super) fn stamp(connection: &mut SqliteConnection) -> QueryResult<Stamp> {
    let id = number(connection, "(SELECT application_id FROM pragma_application_id)")?;
    if id != APPLICATION_ID {
        let tables = number(connection, "(SELECT count(*) FROM sqlite_schema)")?;
        return Ok(if tables == 0 { Stamp::Empty } else { Stamp::Foreign });
    }
    let written = diesel::dsl::sql::<Text>("(SELECT version FROM meta WHERE id = 1)");
    let written: QueryResult<String> = diesel::select(written).get_result(connection);
    match written {
        Ok(written) if written == version() => Ok(Stamp::Current),
        Err(diesel::result::Error::DatabaseError(_, info)) if info.message().contains("malformed") => {
            Err(diesel::result::Error::QueryBuilderError(info.message().to_owned().into()))
        }
        _ => Ok(Stamp::Other),
    }
}

/// Creates the tables.
///
/// - A room has a row for each of its lives: when it begins again, its row loses the name, and a
///   later step removes its messages.
/// - `documents` says which message a key stands for. It is small, so that it stays in memory.
/// - `texts` has what is needed to compare a message with a query, and to remove its tokens.
/// - `fts` is the index from [tokens](crate::tokens) to keys. It keeps no text and no positions of
///   words. With `secure-delete` the tokens of a removed message are taken out of its pages at
///   once; otherwise they would stay until the pages are merged.
/// - `hours` has the number of messages of each hour.
pub(super) fn create(connection: &mut SqliteConnection) -> QueryResult<()> {
    connection.batch_execute(&format!("PRAGMA application_id = {APPLICATION_ID}"))?;
    connection.batch_execute(
        "CREATE TABLE meta (id INTEGER PRIMARY KEY CHECK (id = 1), version TEXT NOT NULL);
         CREATE TABLE rooms (
             id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, epoch TEXT NOT NULL, seq INTEGER NOT NULL,
             changed_seq INTEGER NOT NULL, oldest INTEGER NOT NULL, purged INTEGER NOT NULL,
             documents INTEGER NOT NULL
         );
         CREATE INDEX rooms_to_purge ON rooms (id) WHERE name IS NULL OR purged < oldest;
         CREATE TABLE documents (key INTEGER PRIMARY KEY, room INTEGER NOT NULL, seq INTEGER NOT NULL);
         CREATE UNIQUE INDEX documents_by_number ON documents (room, seq);
         CREATE TABLE texts (key INTEGER PRIMARY KEY, author TEXT NOT NULL, terms TEXT NOT NULL);
         CREATE TABLE hours (hour INTEGER PRIMARY KEY, documents INTEGER NOT NULL);
         CREATE VIRTUAL TABLE fts USING fts5(tokens, content='', detail='none', columnsize=0, tokenize='ascii');
         INSERT INTO fts (fts, rank) VALUES ('secure-delete', 1);
         INSERT INTO fts (fts, rank) VALUES ('hashsize', 8388608);",
    )?;
    diesel::sql_query("INSERT INTO meta (id, version) VALUES (1, ?)")
        .bind::<Text, _>(version())
        .execute(connection)?;
    Ok(())
}

/// Fails if a table is missing, or the index of one can't be read.
pub(super) fn check(connection: &mut SqliteConnection) -> QueryResult<()> {
    rooms::table.select(rooms::all_columns).limit(1).execute(connection)?;
    documents::table
        .select(documents::all_columns)
        .order(documents::key.desc())
        .limit(1)
        .execute(connection)?;
    texts::table.select(texts::all_columns).order(texts::key.desc()).limit(1).execute(connection)?;
    diesel::sql_query("SELECT rowid FROM fts WHERE fts MATCH 'a' ORDER BY rowid DESC LIMIT 1")
        .execute(connection)?;
    Ok(())
}

/// The number of messages of each hour.
pub(super) fn hours(connection: &mut SqliteConnection) -> QueryResult<Hours> {
    let rows: Vec<(i64, i64)> = hours::table.load(connection)?;
    Ok(rows.into_iter().collect())
}

/// The name, epoch and numbers of a room.
type PositionRow = (Option<String>, String, i64, i64, i64);

/// How many values a statement has at most.
pub(super) const MAX_VALUES: usize = 500;

/// How far the index has followed these rooms.
pub(super) fn positions(
    connection: &mut SqliteConnection,
    names: &[RoomName],
) -> QueryResult<Vec<Option<Position>>> {
    let mut known = HashMap::new();
    for names in names.chunks(MAX_VALUES) {
        let found: Vec<PositionRow> = rooms::table
            .filter(rooms::name.eq_any(names.iter().map(RoomName::as_str)))
            .select((rooms::name, rooms::epoch, rooms::seq, rooms::changed_seq, rooms::oldest))
            .load(connection)?;
        for (name, epoch, seq, changed_seq, oldest) in found {
            let position =
                Position::new(Epoch::new(epoch), unsigned(seq), unsigned(changed_seq), unsigned(oldest));
            known.extend(name.map(|name| (name, position)));
        }
    }
    Ok(names.iter().map(|name| known.get(name.as_str()).cloned()).collect())
}
