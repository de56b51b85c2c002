//! State shared by the parts of a running server.

mod acts;
pub(crate) mod announcements;
pub(crate) mod classic_clients;
pub(crate) mod deletion;
pub(crate) mod directory;
pub(crate) mod drain;
pub(crate) mod erasure;
pub(crate) mod expiry;
pub(crate) mod inbox;
pub(crate) mod memberships;
pub(crate) mod names;
pub(crate) mod observer;
mod people;
pub(crate) mod sessions;
pub(crate) mod site;
pub(crate) mod warnings;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use chat_log::Passed;
use chat_page::Pages;
use chat_rooms::{BacklogBudget, Engine};
use tokio::sync::{RwLock, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::abuse::Abuse;
use crate::accounts::Accounts;
use crate::admission::addresses::Addresses;
use crate::admission::client_log::{ClientLog, LogKind};
use crate::config::Config;
use crate::context::announcements::Announcements;
use crate::context::classic_clients::ClassicClients;
use crate::context::directory::Directory;
use crate::context::drain::Drain;
use crate::context::inbox::Inbox;
use crate::context::sessions::Sessions;
use crate::context::site::RenderedSite;
use crate::context::warnings::Warnings;
use crate::encoding::Encodings;
use crate::encoding::rendered::Rendered;
use crate::search::Searches;

/// Time for a client to answer the close frame of a server that shuts down.
const CLOSE_ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

/// State that every connection uses.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) engine: Engine,
    pub(crate) encodings: Encodings,
    /// The `chat.v2` sessions, by secret.
    pub(crate) sessions: Sessions,
    /// The classic clients.
    pub(crate) classics: ClassicClients,
    /// The accounts. `None` if there are only guests.
    pub(crate) accounts: Option<Accounts>,
    /// The lists of rooms of connected users.
    pub(crate) inbox: Inbox,
    /// What users have written lately.
    pub(crate) abuse: Abuse,
    /// The public rooms.
    pub(crate) directory: Directory,
    /// The warnings that their users have not received.
    pub(crate) warnings: Warnings,
    /// Held for reading while a message is copied into a report, and taken for writing before the
    /// copies of erased messages are removed: none of them is stored after that.
    pub(crate) reporting: RwLock<()>,
    /// The announcement of the operator.
    pub(crate) announcements: Announcements,
    /// The search for messages. `None` if nothing is indexed.
    pub(crate) search: Option<Searches>,
    /// Renders messages that are not sent as events of a room.
    pub(crate) rendered: Arc<Rendered>,
    /// What a page shows before its user is known.
    pub(crate) site: ArcSwap<RenderedSite>,
    /// The web page, if it is served.
    pub(crate) pages: Option<Pages>,
    /// The current configuration; `Control::reconfigure` replaces it.
    pub(crate) config: ArcSwap<Config>,
    /// Cancelled at shutdown, for everything but chat connections.
    pub(crate) stopping: CancellationToken,
    /// Tells chat connections to close at shutdown.
    pub(crate) drain: Drain,
    /// Set when the server is about to shut down.
    pub(crate) is_ending: AtomicBool,
    /// The tasks of all connections.
    pub(crate) tasks: TaskTracker,
    /// One permit per chat connection.
    pub(crate) chat_permits: Arc<Semaphore>,
    /// Whether memory is nearly used up.
    pub(crate) is_short_of_memory: AtomicBool,
    /// Bounds the backlogs of all connections together.
    pub(crate) backlog_budget: Arc<BacklogBudget>,
    /// Usage per client address.
    pub(crate) addresses: Addresses,
    /// Limits the log lines that clients can cause.
    pub(crate) log: Arc<ClientLog>,
}

impl Context {
    /// Resolves once the server is shutting down and clients have had time to answer a close frame.
    /// Connections with nothing left to write do not wait longer for their clients.
    pub(crate) async fn shutdown_grace_elapsed(&self) {
        self.stopping.cancelled().await;
        tokio::time::sleep(CLOSE_ANSWER_TIMEOUT).await;
    }

    /// Logs that accounts cannot be read or changed.
    pub(crate) fn log_accounts_failure(&self, error: &dyn fmt::Display) {
        if let Some(Passed { suppressed }) = self.log.pass(LogKind::Accounts) {
            tracing::warn!(%error, suppressed, "accounts can't be read or changed");
        }
    }

    /// The current configuration. Do not hold the guard for long: load it again instead.
    pub(crate) fn config(&self) -> Guard<Arc<Config>> {
        self.config.load()
    }
}
