//! The server in this process, with its own database file.

use std::net::SocketAddr;
use std::sync::Arc;

use chat_access::SqliteAccess;
use chat_accounts::SqliteAccounts;
use chat_db::sqlite::Database;
use chat_history::{HistoryStore, Retention, SqliteHistory, SqliteHistoryLog, SqliteUserMessages};
use chat_presence::{NodeId, SqlitePresence, StoreError};
use chat_protocol::RoomName;
use chat_rooms::Engine;
use chat_search::SqliteIndex;
use chat_server::{Accounts, Config, Rate, Search, Server, Timings};
use chat_testkit::soon;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::Duration;

pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) engine: Engine,
    /// Reads the server's database.
    pub(crate) history: Arc<SqliteHistory>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), StoreError>>,
    open: Database,
    folder: TempDir,
}

impl Running {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let open = Database::open(&folder.path().join("chatd.sqlite3")).unwrap();
        let accounts = SqliteAccounts::open(open.clone()).await.unwrap();
        let messages = Arc::new(SqliteUserMessages::new(open.clone()));
        let index = SqliteIndex::open(&folder.path().join("chatd.sqlite3.search")).unwrap();
        // whoever is removed comes again at once, which nothing here should delay
        let joins = Rate { per_second: 10_000, burst: 10_000 };
        let config = Config {
            accounts: Some(Accounts::new(accounts, Some(messages), None)),
            search: Some(Search::new(index, SqliteHistoryLog::new(open.clone()))),
            timings: Timings { close: Duration::from_millis(300), ..Timings::default() },
            access: Some(Arc::new(SqliteAccess::new(open.clone()))),
            joins,
            ..Config::default()
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let presence = SqlitePresence::new(open.clone(), NodeId::new("local"));
        let messages = SqliteHistory::open(open.clone()).await.unwrap();
        let history = Arc::new(SqliteHistory::open(open.clone()).await.unwrap());
        let server = Server::new(listener, presence, messages, config).await.unwrap();
        let (address, engine) = (server.local_addr().unwrap(), server.engine().clone());
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(server.run(async { drop(stopped.await) }));
        Self { address, engine, history, stop, task, open, folder }
    }

    /// Shuts the server down, and opens what it leaves behind.
    pub(crate) async fn stop(self) -> Stored {
        self.stop.send(()).unwrap();
        soon("the server shuts down", self.task).await.unwrap().unwrap();
        drop(self.history);
        self.open.close().await;
        let database = Database::open(&self.folder.path().join("chatd.sqlite3")).unwrap();
        let history = SqliteHistory::open(database.clone()).await.unwrap();
        Stored { access: SqliteAccess::new(database), history, _folder: self.folder }
    }
}

/// What is in the database after the server has ended.
pub(crate) struct Stored {
    pub(crate) access: SqliteAccess,
    pub(crate) history: SqliteHistory,
    _folder: TempDir,
}

/// The number of the newest stored event of a room.
pub(crate) async fn newest(history: &SqliteHistory, room: &str) -> u64 {
    let room = RoomName::parse(room).unwrap();
    history.extent(room, Retention::default()).await.unwrap().newest
}
