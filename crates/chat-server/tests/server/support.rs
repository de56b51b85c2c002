//! A running server and access to its database.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use chat_accounts::{JwtVerifier, SqliteAccounts};
use chat_db::sqlite::Database;
use chat_history::{MemoryHistory, SqliteHistory, SqliteHistoryLog, SqliteUserMessages};
use chat_presence::{NodeId, PresenceStore, SqlitePresence, StoreError};
use chat_protocol::{Member, Role, RoomName};
use chat_rooms::Engine;
use chat_search::SqliteIndex;
use chat_server::{Accounts, Config, Control, Search, Server, Timings};
use chat_testkit::v2::Session;
use chat_testkit::{soon, until};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::Duration;

/// A server in this process, with its own database file.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) engine: Engine,
    pub(crate) control: Control,
    pub(crate) database: PathBuf,
    /// Reads the server's database.
    store: SqlitePresence,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), StoreError>>,
    open: Database,
    _folder: TempDir,
}

pub(crate) async fn start() -> Running {
    start_with(config()).await
}

/// The default configuration, except that the server waits only briefly for clients to close their
/// side.
pub(crate) fn config() -> Config {
    Config { timings: timings(), ..Config::default() }
}

pub(crate) fn timings() -> Timings {
    Timings { close: Duration::from_millis(300), ..Timings::default() }
}

/// A server that stores no messages.
pub(crate) async fn start_without_history() -> Running {
    start_server(config(), false).await
}

pub(crate) async fn start_with(config: Config) -> Running {
    start_server(config, true).await
}

/// A server on which users can register.
pub(crate) async fn start_with_accounts(config: Config) -> Running {
    start_with_jwt(config, None).await
}

/// A server that searches, on which users can register.
pub(crate) async fn start_searching() -> Running {
    let folder = tempfile::tempdir().unwrap();
    let (database, open) = open_database(&folder);
    let index = SqliteIndex::open(&folder.path().join("chatd.sqlite3.search")).unwrap();
    let search = Some(Search::new(index, SqliteHistoryLog::new(open.clone())));
    let accounts = SqliteAccounts::open(open.clone()).await.unwrap();
    let accounts = Some(Accounts::new(accounts, None, None));
    start_on(folder, database, open, Config { search, accounts, ..config() }, true).await
}

/// A server that accepts tokens of an identity provider, too.
pub(crate) async fn start_with_jwt(config: Config, jwt: Option<JwtVerifier>) -> Running {
    let folder = tempfile::tempdir().unwrap();
    let (database, open) = open_database(&folder);
    let accounts = SqliteAccounts::open(open.clone()).await.unwrap();
    let messages = SqliteUserMessages::new(open.clone());
    let accounts = Accounts::new(accounts, Some(Arc::new(messages)), jwt);
    let config = Config { accounts: Some(accounts), ..config };
    start_on(folder, database, open, config, true).await
}

async fn start_server(config: Config, stores: bool) -> Running {
    let folder = tempfile::tempdir().unwrap();
    let (database, open) = open_database(&folder);
    start_on(folder, database, open, config, stores).await
}

fn open_database(folder: &TempDir) -> (PathBuf, Database) {
    let database = folder.path().join("chatd.sqlite3");
    let open = Database::open(&database).unwrap();
    (database, open)
}

async fn start_on(
    folder: TempDir,
    database: PathBuf,
    open: Database,
    config: Config,
    stores: bool,
) -> Running {
    let store = || SqlitePresence::new(open.clone(), NodeId::new("local"));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = if stores {
        let history = SqliteHistory::open(open.clone()).await.unwrap();
        Server::new(listener, store(), history, config).await.unwrap()
    } else {
        Server::new(listener, store(), MemoryHistory::new(), config).await.unwrap()
    };
    let (address, engine) = (server.local_addr().unwrap(), server.engine().clone());
    let control = server.control();
    let (stop, stopped) = oneshot::channel();
    let task = tokio::spawn(server.run(async { drop(stopped.await) }));
    Running { address, engine, control, database, store: store(), stop, task, open, _folder: folder }
}

/// Short timings for tests of idle connections.
pub(crate) fn impatient() -> Timings {
    Timings { head: Duration::from_millis(300), ping: Duration::from_millis(100), ..timings() }
}

/// Sends a command, whose answer is of this kind.
pub(crate) async fn answered(session: &mut Session, command: Value, kind: &str) -> Value {
    let answer = session.ask(command.clone()).await;
    assert_eq!(answer["type"], kind, "{command}: {answer}");
    answer
}

/// Sends a command, whose answer is an error with this code.
pub(crate) async fn refused(session: &mut Session, command: Value, code: &str) -> Value {
    let answer = session.ask(command.clone()).await;
    assert_eq!((&answer["type"], &answer["code"]), (&json!("error"), &json!(code)), "{command}: {answer}");
    answer
}

impl Running {
    /// Makes a user a moderator of the server.
    pub(crate) async fn make_moderator(&self, user: &str) {
        let accounts = self.control.accounts().unwrap().store();
        accounts.set_role(user.parse().unwrap(), Role::Moderator).await.unwrap();
    }

    /// The presence rows of a room.
    pub(crate) async fn rows(&self, room: &str) -> Vec<Member> {
        self.store.members(RoomName::parse(room).unwrap()).await.unwrap()
    }

    /// Waits until the presence rows of a room are those of these users, in this order.
    pub(crate) async fn until_rows(&self, room: &str, names: &[&str]) {
        let has_rows = async || {
            let rows = self.rows(room).await;
            rows.iter().map(|row| row.username.as_str()).eq(names.iter().copied())
        };
        until(&format!("the rows of {room} are {names:?}"), has_rows).await;
    }

    /// Shuts the server down, closes the database and returns the server's result.
    pub(crate) async fn stop(self) -> Result<(), StoreError> {
        self.stop.send(()).unwrap();
        let ended = soon("the server shuts down", self.task).await.unwrap();
        self.open.close().await;
        ended
    }

    /// Starts the shutdown; the caller waits for its end.
    pub(crate) fn begin_shutdown(self) -> (JoinHandle<Result<(), StoreError>>, SqlitePresence, TempDir) {
        self.stop.send(()).unwrap();
        (self.task, self.store, self._folder)
    }
}
