//! A running server in the hand of its operator.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use chat_protocol::v2::NoticeLevel;
use chat_rooms::Engine;

use crate::admission::addresses::AddressLimits;
use crate::config::Config;
use crate::context::Context;
use crate::context::classic_clients::ClassicInfo;
use crate::context::sessions::SessionInfo;
use crate::metrics;

/// How long a probe waits for the store.
const PROBE: Duration = Duration::from_secs(2);

/// A running server in the hand of its operator: asked how it is, and told what to do. Clones are the same server; a server that
/// has ended is not ready.
#[derive(Debug, Clone)]
pub struct Control {
    context: Arc<Context>,
}

/// Why somebody who comes now would not be let in. The text is for the operator.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotReady {
    /// The server is about to end.
    #[error("the server is shutting down")]
    CloseReason,
    /// [`Config::max_connections`](crate::Config::max_connections) is reached.
    #[error("the maximum number of connections is reached")]
    Full,
    /// [`Control::short_of_memory`] holds.
    #[error("memory is nearly used up")]
    Memory,
    /// The server is ending, or its stores do not answer as they should.
    #[error("{0}")]
    Engine(#[from] chat_rooms::JoinError),
    /// Its stores do not answer at all.
    #[error("the presence store did not answer within {0:?}")]
    NoAnswer(Duration),
}

impl Control {
    pub(crate) fn new(context: Arc<Context>) -> Self {
        Self { context }
    }

    /// The rooms.
    pub fn engine(&self) -> &Engine {
        &self.context.engine
    }

    /// The sessions of `chat.v2`, the oldest first.
    pub fn sessions(&self) -> Vec<SessionInfo> {
        self.context.sessions.list()
    }

    /// The classic clients, the oldest first.
    pub fn classic_clients(&self) -> Vec<ClassicInfo> {
        self.context.classics.list()
    }

    /// Ends a session, by its id: its connection is closed with 4403, its members leave their rooms, and it can't be resumed. False where
    /// there is none.
    pub fn close_session(&self, id: &str) -> bool {
        self.context.sessions.close(id)
    }

    /// Sends a notice to everyone, once to each connection, also to sessions that are in no room; gives how many rooms there are.
    pub fn notice_all(&self, level: NoticeLevel, body: impl Into<Arc<str>>) -> usize {
        self.context.engine.notice_all_and(level, body, self.context.sessions.outlets())
    }

    /// Takes over from a configuration what can change while the server runs: `limits`, `backlog`, `members_per_room`,
    /// `connections_per_address`, `joins`, `proxies`, `deflate`, `retention` and `origins`. The rest stays as it was when the server was made. Who
    /// is connected is_active, and what it may send changes with its next frame; but the size of a message and of its backlog, and whether messages
    /// are compressed, are its connection's.
    pub fn reconfigure(&self, config: Config) {
        let current = self.context.config();
        let changed = Config {
            limits: config.limits,
            backlog: config.backlog,
            members_per_room: config.members_per_room,
            connections_per_address: config.connections_per_address,
            joins: config.joins,
            proxies: config.proxies,
            deflate: config.deflate,
            retention: config.retention,
            origins: config.origins,
            ..Config::clone(&current)
        };
        self.context.addresses.limit(AddressLimits::of(&changed));
        self.context.engine.set_members_per_room(changed.members_per_room);
        self.context.engine.set_retention(changed.retention);
        self.context.config.store(Arc::new(changed));
    }

    /// While memory is short nobody new is let in: connections are answered by 503.
    pub fn short_of_memory(&self, is_short: bool) {
        self.context.is_short_of_memory.store(is_short, Ordering::Relaxed);
    }

    /// Brings what is told of the state of things up to date, for a recorder of the [`metrics`] facade that is about to be read. Takes as long
    /// as [`ready`](Self::ready). Cancel-safe.
    pub async fn record_gauges(&self) {
        let context = &self.context;
        let is_ready = context.ready().await.is_ok();
        metrics::Gauges {
            rooms: context.engine.room_count(),
            sessions: context.sessions.count(),
            backlog_bytes: context.backlogs.held(),
            max_connections: context.config().max_connections,
            is_ready,
        }
        .note();
    }

    /// Whether somebody who comes now would be let in. Takes 2 s at most. Cancel-safe.
    ///
    /// # Errors
    /// [`NotReady`] says why not.
    pub async fn ready(&self) -> Result<(), NotReady> {
        self.context.ready().await
    }
}

impl Context {
    pub(crate) async fn ready(&self) -> Result<(), NotReady> {
        if self.is_ending.load(Ordering::Relaxed) {
            return Err(NotReady::CloseReason);
        }
        if self.members.available_permits() == 0 {
            return Err(NotReady::Full);
        }
        if self.is_short_of_memory.load(Ordering::Relaxed) {
            return Err(NotReady::Memory);
        }
        match tokio::time::timeout(PROBE, self.engine.check()).await {
            Ok(outcome) => Ok(outcome?),
            Err(_) => Err(NotReady::NoAnswer(PROBE)),
        }
    }
}
