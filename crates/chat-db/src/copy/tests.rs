//! Whether the list of tables is complete.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};

use chat_testkit::needs::{self, Need};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

use super::tables::{Kind, LEFTOVERS};
use super::{Direction, tables};
use crate::{postgres, sqlite};

/// A column, as a database describes it.
#[derive(QueryableByName)]
struct Found {
    #[diesel(sql_type = Text)]
    in_table: String,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    kind: String,
    /// The position in the key; 0: not in the key.
    #[diesel(sql_type = BigInt)]
    key: i64,
}

type Schema = BTreeMap<String, (BTreeSet<(String, String)>, Vec<String>)>;

fn schema(mut found: Vec<Found>) -> Schema {
    let mut schema = Schema::new();
    found.sort_by_key(|column| column.key);
    for Found { in_table, name, kind, key } in found {
        let (columns, keys) = schema.entry(in_table).or_default();
        columns.insert((name.clone(), kind));
        if key > 0 {
            keys.push(name);
        }
    }
    schema
}

/// What the copy expects of a database.
fn expected(direction: Direction, kind: fn(Kind) -> &'static str) -> Schema {
    let table = |table: &super::Table| {
        let columns = table.columns.iter();
        let columns = columns.map(|column| (column.name.to_owned(), kind(column.kind).to_owned()));
        let keys = table.keys().iter().map(|column| column.name.to_owned());
        (table.name.to_owned(), (columns.collect(), keys.collect()))
    };
    tables(direction).map(table).collect()
}

/// Tables that are not copied, on purpose.
fn remove_others(schema: &mut Schema, others: &[&str]) {
    for name in LEFTOVERS.iter().chain(others).chain(&["__diesel_schema_migrations"]) {
        assert!(schema.remove(*name).is_some(), "{name}");
    }
}

#[test]
fn the_tables_are_those_of_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chat.sqlite3");
    sqlite::migrate::up(&path).unwrap();
    let mut connection = sqlite::migrate::open(&path).unwrap();
    let found = diesel::sql_query(
        "SELECT m.name AS in_table, c.name AS name, c.type AS kind, c.pk AS key \
         FROM sqlite_master m JOIN pragma_table_info(m.name) c \
         WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'",
    );
    let mut found = schema(found.load(&mut connection).unwrap());
    remove_others(&mut found, &["database_seal"]);
    for (columns, _) in found.values_mut() {
        // two names of one type
        *columns = std::mem::take(columns)
            .into_iter()
            .map(|(name, kind)| (name, kind.replace("BIGINT", "INTEGER")))
            .collect();
    }
    let expected = expected(Direction::ToSqlite, |kind| match kind {
        Kind::Integer => "INTEGER",
        Kind::Boolean => "BOOLEAN",
        Kind::Bytes => "BLOB",
        Kind::Text | Kind::FreeText => "TEXT",
    });
    assert_eq!(found, expected);
}

#[test]
fn the_tables_are_those_of_postgres() {
    if !needs::are_met(&[Need::Postgres]) {
        return;
    }
    let database = chat_testkit::postgres::shared();
    let url = database.url().parse().unwrap();
    postgres::migrate::up(&url).unwrap();
    let mut link = postgres::migrate::connect(&url).unwrap();
    let found = diesel::sql_query(
        "SELECT c.relname::TEXT AS in_table, a.attname::TEXT AS name, format_type(a.atttypid, NULL) AS kind, \
                coalesce(array_position(i.indkey::SMALLINT[], a.attnum) + 1, 0)::BIGINT AS key \
         FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
         LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary \
         WHERE c.relkind = 'r' AND c.relnamespace = 'public'::REGNAMESPACE",
    );
    let mut found = schema(found.load(&mut link.connection).unwrap());
    remove_others(&mut found, &["database_state", "search_documents", "search_meta", "search_rooms"]);
    let expected = expected(Direction::ToPostgres, |kind| match kind {
        Kind::Integer => "bigint",
        Kind::Boolean => "boolean",
        Kind::Bytes => "bytea",
        Kind::Text | Kind::FreeText => "text",
    });
    assert_eq!(found, expected);
}
