//! The stores of a server: in memory, in a database file, or on a PostgreSQL server.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chat_access::{AccessStore, PostgresAccess, SqliteAccess};
use chat_accounts::{AccountStore, JwtVerifier, MemoryAccounts, PostgresAccounts, SqliteAccounts};
use chat_db::{postgres, sqlite};
use chat_history::{
    HistoryStore, MemoryHistory, PostgresHistory, PostgresHistoryLog, PostgresUserMessages, SqliteHistory,
    SqliteHistoryLog, SqliteUserMessages, UserMessages,
};
use chat_presence::{MemoryPresence, NodeId, PostgresPresence, PresenceStore, SqlitePresence};
use chat_rooms::Engine;
use chat_search::{MemoryIndex, PostgresIndex, SqliteIndex};
use chat_server::{Accounts, Config, Search, Server};
use chat_usage::{PostgresUsage, SqliteUsage, Usage};
use tokio::net::TcpListener;
use tokio::sync::Notify;

use super::StartError;

use crate::cli::{Database, Options, Switch};
use crate::commands::search::index_path;

/// The name of this node in the presence store. A database has one server process only.
const NODE: &str = "local";

/// How long the database may take to close. If it takes longer, it never closes.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

pub(super) struct Storage {
    pub(super) server: Server,
    /// `None` if everything is in memory.
    pub(super) opened: Option<Opened>,
}

/// An open database, and the index for searches.
#[derive(Clone)]
pub(super) enum Opened {
    Sqlite { database: sqlite::Database, index: Option<SqliteIndex> },
    Postgres { database: postgres::Database, replaced: Arc<Notify> },
}

/// Opens the stores that the options name, and starts a server on them.
pub(super) async fn start_server(
    options: &Options,
    listener: TcpListener,
    config: Config,
) -> Result<Storage, StartError> {
    let jwt = options.jwt()?;
    if let Some(jwt) = &jwt {
        jwt.load().await?;
    }
    match &options.database {
        Database::Memory => in_memory(options, listener, config, jwt).await,
        Database::File(path) => in_file(options, path.clone(), listener, config, jwt).await,
        Database::Postgres(url) => {
            let url = url.resolve(options.database_password_file.0.as_deref())?;
            on_postgres(options, url, listener, config, jwt).await
        }
    }
}

async fn in_memory(
    options: &Options,
    listener: TcpListener,
    mut config: Config,
    jwt: Option<JwtVerifier>,
) -> Result<Storage, StartError> {
    let presence = MemoryPresence::new(NodeId::new(NODE));
    let history = MemoryHistory::new();
    let messages = Arc::new(history.user_messages());
    if options.search == Switch::On {
        config.search = Some(Search::new(MemoryIndex::new(), history.log()));
    }
    config.accounts = Some(Accounts::new(MemoryAccounts::new(), Some(messages), jwt));
    let server = Server::new(listener, presence, history, config).await?;
    Ok(Storage { server, opened: None })
}

async fn in_file(
    options: &Options,
    path: PathBuf,
    listener: TcpListener,
    mut config: Config,
    jwt: Option<JwtVerifier>,
) -> Result<Storage, StartError> {
    let database = blocking({
        let path = path.clone();
        move || sqlite::Database::open(&path)
    })
    .await?;
    let index = match (options.history, options.search) {
        (Switch::On, Switch::On) => Some(blocking(move || SqliteIndex::open(&index_path(&path))).await?),
        _ => None,
    };
    config.search = index.clone().map(|index| Search::new(index, SqliteHistoryLog::new(database.clone())));
    let stores = Stores {
        presence: SqlitePresence::new(database.clone(), NodeId::new(NODE)),
        accounts: SqliteAccounts::open(database.clone()).await?,
        access: SqliteAccess::new(database.clone()),
    };
    let opened = Opened::Sqlite { database: database.clone(), index };
    let history = async || Ok(SqliteHistory::open(database).await?);
    let server = stores.start(options, &opened, history, listener, config, jwt).await?;
    Ok(Storage { server, opened: Some(opened) })
}

async fn on_postgres(
    options: &Options,
    url: postgres::Url,
    listener: TcpListener,
    mut config: Config,
    jwt: Option<JwtVerifier>,
) -> Result<Storage, StartError> {
    let connections = options.database_connections.options();
    let database = blocking(move || postgres::Database::open(&url, &connections)).await?;
    let replaced = Arc::new(Notify::new());
    let notified = Arc::clone(&replaced);
    database.on_replaced(move |_| {
        notified.notify_one();
        Ok(())
    });
    if (options.history, options.search) == (Switch::On, Switch::On) {
        let index = PostgresIndex::open(database.clone()).await?;
        config.search = Some(Search::new(index, PostgresHistoryLog::new(database.clone())));
    }
    let stores = Stores {
        presence: PostgresPresence::new(database.clone(), NodeId::new(NODE)),
        accounts: PostgresAccounts::open(database.clone()).await?,
        access: PostgresAccess::new(database.clone()),
    };
    let opened = Opened::Postgres { database: database.clone(), replaced };
    let history = async || Ok(PostgresHistory::open(database).await?);
    let server = stores.start(options, &opened, history, listener, config, jwt).await?;
    Ok(Storage { server, opened: Some(opened) })
}

/// Runs what blocks while nothing else runs yet.
async fn blocking<T: Send + 'static, E: Send + 'static>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, StartError>
where
    StartError: From<E>,
{
    Ok(tokio::task::spawn_blocking(work).await.map_err(io::Error::from)??)
}

/// The stores that a server always has.
struct Stores<P, A, C> {
    presence: P,
    accounts: A,
    access: C,
}

impl<P: PresenceStore, A: AccountStore, C: AccessStore> Stores<P, A, C> {
    /// Starts a server. `history` opens the history, unless it is off.
    async fn start<H: HistoryStore>(
        self,
        options: &Options,
        opened: &Opened,
        history: impl AsyncFnOnce() -> Result<H, StartError>,
        listener: TcpListener,
        mut config: Config,
        jwt: Option<JwtVerifier>,
    ) -> Result<Server, StartError> {
        let Self { presence, accounts, access } = self;
        config.access = Some(Arc::new(access));
        let is_stored = options.history == Switch::On;
        config.accounts = Some(Accounts::new(accounts, is_stored.then(|| opened.user_messages()), jwt));
        Ok(if is_stored {
            Server::new(listener, presence, history().await?, config).await?
        } else {
            Server::new(listener, presence, MemoryHistory::new(), config).await?
        })
    }
}

impl Opened {
    /// The usage of the rooms of an engine.
    pub(super) fn usage(&self, engine: Engine) -> Usage {
        match self.clone() {
            Self::Sqlite { database, .. } => Usage::new(SqliteUsage::new(database), engine),
            Self::Postgres { database, .. } => Usage::new(PostgresUsage::new(database), engine),
        }
    }

    /// The messages of users.
    pub(super) fn user_messages(&self) -> Arc<dyn UserMessages> {
        match self.clone() {
            Self::Sqlite { database, .. } => Arc::new(SqliteUserMessages::new(database)),
            Self::Postgres { database, .. } => Arc::new(PostgresUserMessages::new(database)),
        }
    }

    /// Resolves when the database is another one than before.
    pub(super) async fn replaced(&self) {
        match self {
            Self::Sqlite { .. } => std::future::pending().await,
            Self::Postgres { replaced, .. } => replaced.notified().await,
        }
    }

    /// Closes the index and the database, each within [`CLOSE_TIMEOUT`].
    pub(super) async fn close(self) {
        let (index, database) = match self {
            Self::Sqlite { database, index } => {
                let index = match index {
                    Some(index) => in_time(index.close()).await,
                    None => true,
                };
                (index, in_time(database.close()).await)
            }
            Self::Postgres { database, .. } => (true, in_time(database.close()).await),
        };
        if !index {
            tracing::warn!("the index for searches did not close in time; it is checked at the next start");
        }
        if !database {
            tracing::warn!("the database did not close in time");
        }
    }
}

/// Whether the future ends within [`CLOSE_TIMEOUT`].
async fn in_time(closing: impl Future<Output = ()>) -> bool {
    tokio::time::timeout(CLOSE_TIMEOUT, closing).await.is_ok()
}
