//! The stores of a server: in memory, or in a database file.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use chat_access::SqliteAccess;
use chat_accounts::{MemoryAccounts, SqliteAccounts};
use chat_history::{MemoryHistory, SqliteHistory, SqliteHistoryLog, SqliteUserMessages};
use chat_presence::{MemoryPresence, NodeId, SqlitePresence};
use chat_search::{MemoryIndex, SqliteIndex};
use chat_server::{Accounts, Config, Search, Server};
use tokio::net::TcpListener;

use super::StartError;

use crate::cli::{Database, Options, Switch};
use crate::commands::search::index_path;

/// The name of this node in the presence store. A database file has one server process only.
const NODE: &str = "local";

pub(super) struct Storage {
    /// The database file. `None` if everything is in memory.
    pub(super) database: Option<chat_db::sqlite::Database>,
    /// The index for searches, if it is in a file.
    pub(super) index: Option<SqliteIndex>,
    pub(super) server: Server,
}

/// Opens the stores that the options name, and starts a server on them.
pub(super) async fn start_server(
    options: &Options,
    listener: TcpListener,
    mut config: Config,
) -> Result<Storage, StartError> {
    let node = NodeId::new(NODE);
    let jwt = options.jwt()?;
    if let Some(jwt) = &jwt {
        jwt.load().await?;
    }
    let Database::File(path) = &options.database else {
        let presence = MemoryPresence::new(node);
        let history = MemoryHistory::new();
        let messages = Arc::new(history.user_messages());
        if options.search == Switch::On {
            config.search = Some(Search::new(MemoryIndex::new(), history.log()));
        }
        config.accounts = Some(Accounts::new(MemoryAccounts::new(), Some(messages), jwt));
        let server = Server::new(listener, presence, history, config).await?;
        return Ok(Storage { database: None, index: None, server });
    };
    let database = open(path.clone()).await?;
    let presence = SqlitePresence::new(database.clone(), node);
    let accounts = SqliteAccounts::open(database.clone()).await?;
    config.access = Some(Arc::new(SqliteAccess::new(database.clone())));
    let index = match (options.history, options.search) {
        (Switch::On, Switch::On) => Some(open_index(index_path(path)).await?),
        _ => None,
    };
    config.search = index.clone().map(|index| Search::new(index, SqliteHistoryLog::new(database.clone())));
    let server = match options.history {
        Switch::On => {
            let messages = Arc::new(SqliteUserMessages::new(database.clone()));
            config.accounts = Some(Accounts::new(accounts, Some(messages), jwt));
            let history = SqliteHistory::open(database.clone()).await?;
            Server::new(listener, presence, history, config).await?
        }
        Switch::Off => {
            config.accounts = Some(Accounts::new(accounts, None, jwt));
            Server::new(listener, presence, MemoryHistory::new(), config).await?
        }
    };
    Ok(Storage { database: Some(database), index, server })
}

async fn open_index(path: PathBuf) -> Result<SqliteIndex, StartError> {
    // as below
    Ok(tokio::task::spawn_blocking(move || SqliteIndex::open(&path)).await.map_err(io::Error::from)??)
}

async fn open(path: PathBuf) -> Result<chat_db::sqlite::Database, StartError> {
    // opening and migrating block; nothing else runs yet
    Ok(tokio::task::spawn_blocking(move || chat_db::sqlite::Database::open(&path))
        .await
        .map_err(io::Error::from)??)
}
