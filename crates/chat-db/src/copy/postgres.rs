//! The side on a PostgreSQL server.

use std::borrow::Cow;

use diesel::connection::SimpleConnection;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{BoxedSqlQuery, SqlQuery};
use diesel::sql_types::{Array, BigInt, Binary, Bool, Nullable, Text};

use super::CopyError;
use super::side::{Side, Source, Target, describe, last_key_query, names, page_query};
use super::tables::{COPIED_IDS, Column, Kind, Table};
use super::value::{Row, Value};
use crate::postgres::connection::{DbConnection, Link};
use crate::postgres::text::{from_stored, to_stored};
use crate::postgres::{OpenError, Url, identity, migrate};
use crate::unfinished::{self, Unfinished};

/// What a copy writes for the incarnation of a process, before the last one: no server has it, so
/// one that has lost the lock without knowing can't write any more.
const INCARNATION: &str = "copy-";

/// How many ids SQLite keeps.
const MAX_IDS: u32 = 1_000_000;

/// A database on a server. All statements run on one connection, which holds the lock: a copy that
/// has lost it can't go on.
pub(super) struct Server {
    url: Url,
    link: Link,
    incarnation: String,
    mark: Unfinished,
}

impl Server {
    /// Opens a source.
    pub(super) fn source(url: &Url) -> Result<Self, CopyError> {
        let mut server = Self::open(url, false)?;
        if let Some(Unfinished { source: source_name, .. }) = server.unfinished()? {
            return Err(OpenError::Unfinished { url: url.to_string(), source_name }.into());
        }
        server.fence_off()?;
        Ok(server)
    }

    /// Opens a target.
    pub(super) fn target(url: &Url) -> Result<Self, CopyError> {
        Self::open(url, true)
    }

    fn open(url: &Url, may_be_empty: bool) -> Result<Self, CopyError> {
        let failed = failure(url);
        let mut link = migrate::connect(url)?;
        let connection = &mut link.connection;
        if !identity::lock(connection).map_err(&failed)? {
            return Err(OpenError::InUse { url: url.to_string() }.into());
        }
        let is_ours = diesel::dsl::sql::<Bool>("to_regclass('__diesel_schema_migrations') IS NOT NULL");
        if !may_be_empty && !diesel::select(is_ours).get_result::<bool>(connection).map_err(&failed)? {
            return Err(CopyError::NotOurs { place: url.to_string() });
        }
        migrate::pending(connection, url)?;
        // a commit that is lost in a crash is copied again; the last one waits for the disk
        connection.batch_execute("SET synchronous_commit = off").map_err(&failed)?;
        let state = identity::read(connection).map_err(&failed)?;
        let is_unchanged = state.known_identity == Some(state.identity);
        let incarnation = state.incarnation.unwrap_or_default();
        let last = incarnation.strip_prefix(INCARNATION).unwrap_or(&incarnation);
        let mark = Unfinished { source: url.to_string(), state: format!("postgres {last}"), is_unchanged };
        Ok(Self { url: url.clone(), incarnation: format!("{INCARNATION}{last}"), link, mark })
    }

    /// Waits for the transactions of the last process, and excludes further ones.
    fn fence_off(&mut self) -> Result<(), CopyError> {
        let incarnation = self.incarnation.clone();
        self.run(|connection| {
            connection.transaction(|connection| identity::set_incarnation(connection, &incarnation))
        })
    }

    fn run<T>(&mut self, work: impl FnOnce(&mut DbConnection) -> QueryResult<T>) -> Result<T, CopyError> {
        work(&mut self.link.connection).map_err(failure(&self.url))
    }
}

/// What makes an error of an error of the server.
fn failure<E: std::fmt::Display>(url: &Url) -> impl Fn(E) -> CopyError + use<'_, E> {
    |error| CopyError::Database { place: url.to_string(), reason: error.to_string() }
}

impl Side for Server {
    fn name(&self) -> String {
        self.url.to_string()
    }

    fn page(
        &mut self,
        relation: &str,
        table: &Table,
        after: Option<&[Value]>,
    ) -> Result<Vec<Row>, CopyError> {
        let query = diesel::sql_query(page_query(relation, table, after.is_some())).into_boxed();
        let query = after.unwrap_or_default().iter().zip(table.columns).fold(query, bound);
        let mut rows: Vec<Row> = self.run(|connection| query.load(connection))?;
        for (n, _) in table.columns.iter().enumerate().filter(|(_, column)| column.kind == Kind::FreeText) {
            for row in &mut rows {
                if let Value::Text(text) = &mut row.0[n] {
                    *text = from_stored(std::mem::take(text));
                }
            }
        }
        Ok(rows)
    }

    fn last_key(&mut self, table: &Table) -> Result<Option<Vec<Value>>, CopyError> {
        let query = diesel::sql_query(last_key_query(table));
        let row: Option<Row> = self.run(|connection| query.get_result(connection).optional())?;
        Ok(row.map(|row| row.0))
    }

    fn count(&mut self, relation: &str) -> Result<u64, CopyError> {
        let count = diesel::dsl::sql::<BigInt>(&format!("(SELECT count(*) FROM {relation})"));
        let count: i64 = self.run(|connection| diesel::select(count).get_result(connection))?;
        Ok(count.unsigned_abs())
    }

    fn sequence(&mut self, table: &str, column: &str) -> Result<i64, CopyError> {
        let last = diesel::dsl::sql::<BigInt>(&format!(
            "greatest((SELECT max({column}) FROM {table}), \
                      pg_sequence_last_value(pg_get_serial_sequence('{table}', '{column}')::regclass), 0)"
        ));
        self.run(|connection| diesel::select(last).get_result(connection))
    }
}

/// Binds a value of a key.
fn bound<'a>(
    query: BoxedSqlQuery<'a, Pg, SqlQuery>,
    (value, column): (&'a Value, &'static Column),
) -> BoxedSqlQuery<'a, Pg, SqlQuery> {
    match value {
        Value::Null => query.bind::<Nullable<BigInt>, _>(None::<i64>),
        Value::Integer(number) => query.bind::<BigInt, _>(*number),
        Value::Text(text) if column.kind == Kind::FreeText => query.bind::<Text, _>(to_stored(text)),
        Value::Text(text) => query.bind::<Text, _>(text.as_str()),
        Value::Bytes(bytes) => query.bind::<Binary, _>(bytes.as_slice()),
    }
}

impl Source for Server {
    /// On SQLite the rows are in the order of their time, and the oldest ones go first.
    fn collect_ids(&mut self) -> Result<(), CopyError> {
        let columns = "room_id, \"user\", message_id, username, digest, seq, sent_at";
        self.run(|connection| {
            connection.batch_execute(&format!(
                "CREATE TEMP TABLE {COPIED_IDS} AS
                 SELECT row_number() OVER (ORDER BY sent_at, room_id, \"user\", message_id) AS n, {columns}
                 FROM (
                     SELECT * FROM message_ids
                     ORDER BY sent_at DESC, room_id DESC, \"user\" DESC, message_id DESC LIMIT {MAX_IDS}
                 ) newest;
                 ALTER TABLE {COPIED_IDS} ADD PRIMARY KEY (n);
                 ANALYZE {COPIED_IDS}"
            ))
        })
    }

    fn mark(&self) -> Unfinished {
        self.mark.clone()
    }

    fn retire(&mut self) -> Result<(), CopyError> {
        self.run(|connection| {
            connection.batch_execute("SET synchronous_commit = on")?;
            identity::forget(connection).map(drop)
        })
    }
}

impl Target for Server {
    fn unfinished(&mut self) -> Result<Option<Unfinished>, CopyError> {
        self.run(unfinished::on_postgres)
    }

    /// An index for searches that is left from other messages is built again.
    fn begin(&mut self, mark: &Unfinished) -> Result<(), CopyError> {
        self.fence_off()?;
        self.run(|connection| {
            connection.transaction(|connection| {
                connection.batch_execute(
                    "TRUNCATE search_documents, search_rooms; \
                     UPDATE search_meta SET version = '', documents = 0",
                )?;
                connection.batch_execute(unfinished::CREATE)?;
                diesel::sql_query(unfinished::WRITE)
                    .bind::<Text, _>(&mark.source)
                    .bind::<Text, _>(&mark.state)
                    .bind::<Bool, _>(mark.is_unchanged)
                    .execute(connection)
            })
        })?;
        Ok(())
    }

    fn insert(&mut self, table: &'static Table, rows: Vec<Row>) -> Result<(), CopyError> {
        refuse_nul(table, &rows)?;
        let arrays = table.columns.iter().zip(1..).map(|(column, n)| format!("${n}::{}[]", type_of(column)));
        let sql = format!(
            "INSERT INTO {} ({}) SELECT * FROM unnest({})",
            table.name,
            names(table.columns),
            arrays.collect::<Vec<_>>().join(", ")
        );
        let query = diesel::sql_query(sql).into_boxed();
        let query = table
            .columns
            .iter()
            .enumerate()
            .fold(query, |query, (n, column)| filled(query, column, n, &rows));
        // one statement is one transaction
        self.run(|connection| query.execute(connection))?;
        Ok(())
    }

    fn set_sequence(&mut self, table: &str, column: &str, last: i64) -> Result<(), CopyError> {
        let last = last.max(self.sequence(table, column)?);
        if last == 0 {
            return Ok(());
        }
        let set = format!("SELECT setval(pg_get_serial_sequence('{table}', '{column}'), {last})");
        self.run(|connection| diesel::sql_query(set).execute(connection))?;
        Ok(())
    }

    fn finish(&mut self, is_unchanged: bool) -> Result<(), CopyError> {
        let incarnation = self.incarnation.clone();
        self.run(|connection| {
            // without statistics the first queries would read whole tables
            connection.batch_execute("ANALYZE")?;
            connection.transaction(|connection| {
                connection.batch_execute("SET LOCAL synchronous_commit = on")?;
                let identity = identity::read(connection)?.identity;
                let identity = if is_unchanged { identity.as_str() } else { "" };
                identity::write(connection, identity, &incarnation)?;
                connection.batch_execute(unfinished::REMOVE)
            })
        })
    }
}

/// The type of a column.
fn type_of(column: &Column) -> &'static str {
    match column.kind {
        Kind::Integer => "BIGINT",
        Kind::Boolean => "BOOLEAN",
        Kind::Bytes => "BYTEA",
        Kind::Text | Kind::FreeText => "TEXT",
    }
}

/// Binds the values of a column.
fn filled<'a>(
    query: BoxedSqlQuery<'a, Pg, SqlQuery>,
    column: &Column,
    n: usize,
    rows: &'a [Row],
) -> BoxedSqlQuery<'a, Pg, SqlQuery> {
    fn values<'a, T>(n: usize, rows: &'a [Row], value: impl Fn(&'a Value) -> Option<T>) -> Vec<Option<T>> {
        rows.iter().map(|row| value(&row.0[n])).collect()
    }
    let integer = |value: &Value| if let Value::Integer(number) = value { Some(*number) } else { None };
    match column.kind {
        Kind::Integer => query.bind::<Array<Nullable<BigInt>>, _>(values(n, rows, integer)),
        Kind::Boolean => query.bind::<Array<Nullable<Bool>>, _>(values(n, rows, |value| {
            integer(value).map(|number| number != 0)
        })),
        Kind::Bytes => query.bind::<Array<Nullable<Binary>>, _>(values(n, rows, |value| match value {
            Value::Bytes(bytes) => Some(bytes.as_slice()),
            _ => None,
        })),
        Kind::Text | Kind::FreeText => {
            let is_free = column.kind == Kind::FreeText;
            query.bind::<Array<Nullable<Text>>, _>(values(n, rows, move |value| match value {
                Value::Text(text) if is_free => Some(to_stored(text)),
                Value::Text(text) => Some(Cow::Borrowed(text.as_str())),
                _ => None,
            }))
        }
    }
}

/// Refuses a text that the server can't store, with its place.
fn refuse_nul(table: &'static Table, rows: &[Row]) -> Result<(), CopyError> {
    for (n, column) in table.columns.iter().enumerate().filter(|(_, column)| column.kind == Kind::Text) {
        let has_nul = |row: &&Row| matches!(&row.0[n], Value::Text(text) if text.contains('\0'));
        if let Some(row) = rows.iter().find(has_nul) {
            let row = describe(&row.0[..table.key]);
            return Err(CopyError::Nul { table: table.name, column: column.name, row });
        }
    }
    Ok(())
}
