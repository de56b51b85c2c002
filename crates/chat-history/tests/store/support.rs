//! The stores to be tested, and their database files.

use std::path::{Path, PathBuf};

use chat_db::sqlite::Database;
use chat_history::conformance::{History, Log, Users};
use chat_history::{MemoryHistory, SqliteHistory, SqliteHistoryLog, SqliteUserMessages};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use tempfile::TempDir;

pub(crate) async fn memory() -> History {
    History::new(MemoryHistory::new())
}

pub(crate) async fn memory_users() -> Users {
    let history = MemoryHistory::new();
    let users = history.user_messages();
    Users::new(history, users)
}

pub(crate) async fn sqlite() -> History {
    let file = File::new();
    let (_, store) = file.open().await;
    History::new(store).with_guard(file)
}

pub(crate) async fn sqlite_users() -> Users {
    let file = File::new();
    let (database, store) = file.open().await;
    Users::new(store, SqliteUserMessages::new(database)).with_guard(file)
}

pub(crate) async fn memory_log() -> Log {
    let history = MemoryHistory::new();
    let log = history.log();
    Log::new(history, log)
}

pub(crate) async fn sqlite_log() -> Log {
    let file = File::new();
    let (database, store) = file.open().await;
    Log::new(store, SqliteHistoryLog::new(database)).with_guard(file)
}

/// A database file in a temporary folder.
pub(crate) struct File {
    _folder: TempDir,
    path: PathBuf,
}

impl File {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("chat.sqlite3");
        Self { _folder: folder, path }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The path with an extension appended.
    pub(crate) fn sibling(&self, extension: &str) -> PathBuf {
        PathBuf::from(format!("{}.{extension}", self.path.display()))
    }

    pub(crate) async fn open(&self) -> (Database, SqliteHistory) {
        let database = Database::open(&self.path).unwrap();
        (database.clone(), SqliteHistory::open(database).await.unwrap())
    }

    /// A connection that the store does not know of.
    pub(crate) fn outside(&self) -> SqliteConnection {
        SqliteConnection::establish(self.path.to_str().unwrap()).unwrap()
    }

    /// Runs statements on a connection that the store does not know of.
    pub(crate) fn execute(&self, sql: &str) {
        let mut outside = self.outside();
        // the store may be writing at this moment
        outside.batch_execute("PRAGMA busy_timeout = 60000").unwrap();
        outside.batch_execute(sql).unwrap();
    }

    /// The text that a query selects.
    pub(crate) fn text(&self, sql: &str) -> String {
        let text = diesel::dsl::sql::<Text>(&format!("({sql})"));
        diesel::select(text).get_result(&mut self.outside()).unwrap()
    }

    pub(crate) fn number(&self, sql: &str) -> i64 {
        diesel::select(diesel::dsl::sql::<BigInt>(sql)).get_result(&mut self.outside()).unwrap()
    }
}
