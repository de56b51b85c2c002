//! What the parts of a running server share.

pub(crate) mod classic_clients;
pub(crate) mod drain;
pub(crate) mod memberships;
pub(crate) mod sessions;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use chat_page::Pages;
use chat_rooms::{BacklogBudget, Engine};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::admission::addresses::Addresses;
use crate::admission::client_log::ClientLog;
use crate::config::Config;
use crate::context::classic_clients::ClassicClients;
use crate::context::drain::Drain;
use crate::context::sessions::Sessions;
use crate::encoding::Encodings;

/// How long a client of a server that ends has to answer the close frame.
const ANSWER: Duration = Duration::from_secs(1);

/// What every connection needs.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) engine: Engine,
    pub(crate) encodings: Encodings,
    /// The sessions of `chat.v2`, by their secrets.
    pub(crate) sessions: Sessions,
    /// The classic clients.
    pub(crate) classics: ClassicClients,
    /// The web page, if it is served.
    pub(crate) pages: Option<Pages>,
    /// As it is now: what changes while the server runs is told by `Control::reconfigure`.
    pub(crate) config: ArcSwap<Config>,
    /// Cancelled when the server is to end, for all but chat connections.
    pub(crate) stopping: CancellationToken,
    /// Who is told by this that it is to end.
    pub(crate) drain: Drain,
    /// Set when the server is about to end.
    pub(crate) is_ending: AtomicBool,
    /// Every task that holds a connection.
    pub(crate) tasks: TaskTracker,
    /// A permit for each chat connection there may be.
    pub(crate) members: Arc<Semaphore>,
    /// Whether memory is nearly used up.
    pub(crate) is_short_of_memory: AtomicBool,
    /// What may wait for all connections together.
    pub(crate) backlogs: Arc<BacklogBudget>,
    /// What comes from which address.
    pub(crate) addresses: Addresses,
    /// Limits the log lines that clients can cause.
    pub(crate) log: Arc<ClientLog>,
}

impl Context {
    /// Resolves once the server ends and a client had the time to answer a close frame, if it answers at all. Connections to which nothing is owed
    /// wait no longer for their clients.
    pub(crate) async fn has_waited_for_answers(&self) {
        self.stopping.cancelled().await;
        tokio::time::sleep(ANSWER).await;
    }

    /// What is set now. Not to be held for long: a connection asks anew.
    pub(crate) fn config(&self) -> Guard<Arc<Config>> {
        self.config.load()
    }
}
