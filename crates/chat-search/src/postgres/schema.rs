//! The version of the index, the rooms, and how far it has followed them.

use std::collections::HashMap;

use chat_db::postgres::DbConnection;
use chat_protocol::{Epoch, RoomName};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;

use crate::key::unsigned;
use crate::{Position, analysis};

diesel::table! {
    search_meta (id) {
        id -> BigInt,
        version -> Text,
        documents -> BigInt,
    }
}

diesel::table! {
    search_rooms (id) {
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

/// Raised when the tokens of a message change.
const VERSION: u32 = 1;

/// The text that an index has if this version can use it.
fn version() -> String {
    format!("tokens {VERSION}, {}", analysis::version())
}

/// Whether the index is of this version.
pub(super) fn is_current(connection: &mut DbConnection) -> QueryResult<bool> {
    let written: String = search_meta::table.select(search_meta::version).first(connection)?;
    Ok(written == version())
}

/// Removes everything. The files are replaced, so nothing is left for vacuum, and damage is gone.
pub(super) fn clear(connection: &mut DbConnection) -> QueryResult<()> {
    connection.batch_execute("TRUNCATE search_documents, search_rooms")?;
    diesel::update(search_meta::table)
        .set((search_meta::version.eq(version()), search_meta::documents.eq(0)))
        .execute(connection)?;
    Ok(())
}

/// The number of messages in the index.
pub(super) fn documents(connection: &mut DbConnection) -> QueryResult<i64> {
    search_meta::table.select(search_meta::documents).first(connection)
}

/// The name, epoch and numbers of a room.
type PositionRow = (Option<String>, String, i64, i64, i64);

/// How far the index has followed these rooms.
pub(super) fn positions(
    connection: &mut DbConnection,
    names: &[RoomName],
) -> QueryResult<Vec<Option<Position>>> {
    let wanted: Vec<&str> = names.iter().map(RoomName::as_str).collect();
    let found: Vec<PositionRow> = search_rooms::table
        .filter(search_rooms::name.eq_any(wanted))
        .select((
            search_rooms::name,
            search_rooms::epoch,
            search_rooms::seq,
            search_rooms::changed_seq,
            search_rooms::oldest,
        ))
        .load(connection)?;
    let mut known = HashMap::new();
    for (name, epoch, seq, changed_seq, oldest) in found {
        let position =
            Position::new(Epoch::new(epoch), unsigned(seq), unsigned(changed_seq), unsigned(oldest));
        known.extend(name.map(|name| (name, position)));
    }
    Ok(names.iter().map(|name| known.get(name.as_str()).cloned()).collect())
}
