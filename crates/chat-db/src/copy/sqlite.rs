//! The side in a file.

use std::path::{Path, PathBuf};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, BoxedSqlQuery, QueryFragment, QueryId, SqlQuery};
use diesel::sql_types::{BigInt, Binary, Bool, Nullable, Text};
use diesel::sqlite::Sqlite;

use super::CopyError;
use super::side::{Side, Source, Target, last_key_query, names, page_query};
use super::tables::{COPIED_IDS, Table};
use super::value::{Row, Value};
use crate::sqlite::generation::{self, GenerationError};
use crate::sqlite::lock::ProcessLock;
use crate::sqlite::migrate;
use crate::sqlite::{OpenError, backup};
use crate::unfinished::{self, Unfinished};

/// A database in a file.
pub(super) struct File {
    path: PathBuf,
    /// Declared before the lock, which has to outlive it.
    connection: SqliteConnection,
    lock: ProcessLock,
    mark: Unfinished,
}

impl File {
    /// Opens a source.
    pub(super) fn source(path: &Path) -> Result<Self, CopyError> {
        if !path.exists() {
            return Err(CopyError::Missing(path.to_owned()));
        }
        let mut file = Self::open(path, false)?;
        if let Some(Unfinished { source: source_name, .. }) = file.unfinished()? {
            return Err(OpenError::Unfinished { path: path.to_owned(), source_name }.into());
        }
        Ok(file)
    }

    /// Opens a target. Creates the file if there is none.
    pub(super) fn target(path: &Path) -> Result<Self, CopyError> {
        if !path.exists() {
            let lock = ProcessLock::take_to_open(path)?;
            for new in [path, lock.path()] {
                // root runs the copy, but another user runs the server; other users can't give
                // files away
                let _ = backup::give_to_owner_of(new, backup::folder(path));
            }
        }
        Self::open(path, true)
    }

    fn open(path: &Path, may_be_empty: bool) -> Result<Self, CopyError> {
        let failed = failure(path);
        let lock = ProcessLock::take_to_open(path)?;
        let mut connection = migrate::open(path)?;
        let tables = diesel::dsl::sql::<BigInt>("(SELECT count(*) FROM sqlite_master)");
        let count: i64 = diesel::select(tables).get_result(&mut connection).map_err(&failed)?;
        let is_ours = migrate::is_ours(&mut connection).map_err(&failed)?;
        let is_new = may_be_empty && count == 0;
        if !is_ours && !is_new {
            return Err(CopyError::NotOurs { place: path.display().to_string() });
        }
        migrate::pending(&mut connection, path)?;
        let read = |connection: &mut SqliteConnection| {
            let seal = generation::read(connection)?.unwrap_or_default();
            Ok::<_, GenerationError>((seal, generation::is_current(connection, &lock)?))
        };
        let (seal, is_unchanged) = read(&mut connection).map_err(failure(path))?;
        let source = path.canonicalize().unwrap_or_else(|_| path.to_owned()).display().to_string();
        let mark = Unfinished { source, state: format!("sqlite {seal}"), is_unchanged };
        Ok(Self { path: path.to_owned(), connection, lock, mark })
    }

    fn run<T, E: std::fmt::Display>(
        &mut self,
        work: impl FnOnce(&mut SqliteConnection) -> Result<T, E>,
    ) -> Result<T, CopyError> {
        work(&mut self.connection).map_err(failure(&self.path))
    }
}

/// What makes an error of an error of the file.
fn failure<E: std::fmt::Display>(path: &Path) -> impl Fn(E) -> CopyError + use<'_, E> {
    |error| CopyError::Database { place: path.display().to_string(), reason: error.to_string() }
}

impl Side for File {
    fn name(&self) -> String {
        self.path.display().to_string()
    }

    fn page(
        &mut self,
        relation: &str,
        table: &Table,
        after: Option<&[Value]>,
    ) -> Result<Vec<Row>, CopyError> {
        let query = diesel::sql_query(page_query(relation, table, after.is_some())).into_boxed();
        let query = after.unwrap_or_default().iter().fold(query, bound);
        self.run(|connection| query.load(connection))
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
            "max(coalesce((SELECT max({column}) FROM {table}), 0), \
                 coalesce((SELECT max(seq) FROM sqlite_sequence WHERE name = '{table}'), 0))"
        ));
        self.run(|connection| diesel::select(last).get_result(connection))
    }
}

/// Binds a value.
fn bound<'a>(
    query: BoxedSqlQuery<'a, Sqlite, SqlQuery>,
    value: &'a Value,
) -> BoxedSqlQuery<'a, Sqlite, SqlQuery> {
    match value {
        Value::Null => query.bind::<Nullable<BigInt>, _>(None::<i64>),
        Value::Integer(number) => query.bind::<BigInt, _>(*number),
        Value::Text(text) => query.bind::<Text, _>(text.as_str()),
        Value::Bytes(bytes) => query.bind::<Binary, _>(bytes.as_slice()),
    }
}

impl Source for File {
    /// An id that has expired, and was used again, has two rows. The newer one counts.
    fn collect_ids(&mut self) -> Result<(), CopyError> {
        self.run(|connection| {
            connection.batch_execute(&format!(
                // a million rows are more than should be in memory
                "PRAGMA temp_store = FILE;
                 CREATE TEMP TABLE {COPIED_IDS} (
                     room_id BIGINT NOT NULL, user TEXT NOT NULL, message_id TEXT NOT NULL,
                     username TEXT NOT NULL, digest BIGINT NOT NULL, seq BIGINT NOT NULL,
                     sent_at BIGINT NOT NULL, PRIMARY KEY (room_id, user, message_id)
                 ) WITHOUT ROWID;
                 INSERT OR REPLACE INTO {COPIED_IDS}
                 SELECT room_id, user, message_id, username, digest, seq, sent_at FROM message_ids
                 WHERE user IS NOT NULL AND digest IS NOT NULL ORDER BY n;"
            ))
        })
    }

    fn mark(&self) -> Unfinished {
        self.mark.clone()
    }

    fn retire(&mut self) -> Result<(), CopyError> {
        self.lock.set_note("").map_err(failure(&self.path))
    }
}

impl Target for File {
    fn unfinished(&mut self) -> Result<Option<Unfinished>, CopyError> {
        self.run(unfinished::on_sqlite)
    }

    fn begin(&mut self, mark: &Unfinished) -> Result<(), CopyError> {
        self.run(|connection| {
            connection.immediate_transaction(|connection| {
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
        let values = vec!["?"; table.columns.len()].join(", ");
        let sql = format!("INSERT INTO {} ({}) VALUES ({values})", table.name, names(table.columns));
        self.run(|connection| {
            connection.immediate_transaction(|connection| {
                rows.iter().try_for_each(|row| Insert { sql: &sql, row }.execute(connection).map(drop))
            })
        })
    }

    fn set_sequence(&mut self, table: &str, column: &str, last: i64) -> Result<(), CopyError> {
        // the ids of other tables are the greatest one plus 1, and their rows are never removed
        let has_sequence = ["presence", "reports"].contains(&table);
        let last = last.max(self.sequence(table, column)?);
        if !has_sequence || last == 0 {
            return Ok(());
        }
        self.run(|connection| {
            connection.immediate_transaction(|connection| {
                connection.batch_execute(&format!(
                    "DELETE FROM sqlite_sequence WHERE name = '{table}';
                     INSERT INTO sqlite_sequence (name, seq) VALUES ('{table}', {last});"
                ))
            })
        })
    }

    fn finish(&mut self, is_unchanged: bool) -> Result<(), CopyError> {
        let Self { connection, lock, path, .. } = self;
        if is_unchanged {
            generation::renew(connection, lock).map_err(failure(path))?;
        } else {
            generation::remove(connection).map_err(failure(path))?;
        }
        // waits for the disk, with all commits before it
        self.run(|connection| {
            connection.batch_execute("PRAGMA synchronous = FULL")?;
            connection.batch_execute(unfinished::REMOVE)
        })
    }
}

/// The statement that inserts a row. Unlike a query from a text, it is prepared once.
struct Insert<'a> {
    sql: &'a str,
    row: &'a Row,
}

impl QueryId for Insert<'_> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl QueryFragment<Sqlite> for Insert<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        const NULL: &Option<i64> = &None;
        out.push_sql(self.sql);
        for value in &self.row.0 {
            match value {
                Value::Null => out.push_bind_param_value_only::<Nullable<BigInt>, _>(NULL)?,
                Value::Integer(number) => out.push_bind_param_value_only::<BigInt, _>(number)?,
                Value::Text(text) => out.push_bind_param_value_only::<Text, _>(text)?,
                Value::Bytes(bytes) => out.push_bind_param_value_only::<Binary, _>(bytes)?,
            }
        }
        Ok(())
    }
}

impl RunQueryDsl<SqliteConnection> for Insert<'_> {}
