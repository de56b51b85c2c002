//! The stores to be tested, and their database files.

use std::path::{Path, PathBuf};

use chat_db::postgres;
use chat_db::sqlite::Database;
use chat_history::conformance::{History, Log, Users};
use chat_history::{
    MemoryHistory, PostgresHistory, PostgresHistoryLog, PostgresUserMessages, SqliteHistory,
    SqliteHistoryLog, SqliteUserMessages,
};
use chat_testkit::needs::{self, Need};
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

pub(crate) async fn postgres() -> Option<History> {
    let database = Postgres::new()?;
    let (_, store) = database.open().await;
    Some(History::new(store).with_guard(database))
}

pub(crate) async fn postgres_users() -> Option<Users> {
    let database = Postgres::new()?;
    let (opened, store) = database.open().await;
    Some(Users::new(store, PostgresUserMessages::new(opened)).with_guard(database))
}

pub(crate) async fn postgres_log() -> Option<Log> {
    let database = Postgres::new()?;
    let (opened, store) = database.open().await;
    Some(Log::new(store, PostgresHistoryLog::new(opened)).with_guard(database))
}

/// A database on a PostgreSQL server.
pub(crate) struct Postgres(chat_testkit::postgres::Database);

impl Postgres {
    /// `None` if this machine does not have PostgreSQL.
    pub(crate) fn new() -> Option<Self> {
        needs::are_met(&[Need::Postgres]).then(|| Self(chat_testkit::postgres::shared()))
    }

    pub(crate) fn server(&self) -> &chat_testkit::postgres::Database {
        &self.0
    }

    pub(crate) async fn open(&self) -> (postgres::Database, PostgresHistory) {
        let url: postgres::Url = self.0.url().parse().unwrap();
        let open = move || postgres::Database::open(&url, &postgres::Options::default()).unwrap();
        let database = tokio::task::spawn_blocking(open).await.unwrap();
        (database.clone(), PostgresHistory::open(database).await.unwrap())
    }
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
