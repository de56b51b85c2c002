//! Control of a running server.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use chat_access::{ActError, Announcement, AuditRecord, NewAct, Person};
use chat_accounts::{Account, CreateError, NewAccount, StoreError};
use chat_history::{Cursor, UserMessages, UserQuery};
use chat_protocol::v2::NoticeLevel;
use chat_protocol::{CloseCode, DeletedBy, UserId};
use chat_rooms::Engine;

use crate::accounts::Accounts;
use crate::config::Config;
use crate::context::Context;
use crate::context::announcements::AnnounceError;
use crate::context::classic_clients::ClassicInfo;
use crate::context::deletion::DeleteError;
use crate::context::erasure::{EraseError, Erased, Erasure};
use crate::context::sessions::SessionInfo;
use crate::metrics;

/// How long a readiness check waits for the store.
const PROBE: Duration = Duration::from_secs(2);

/// Inspects and controls a running server. Clones refer to the same server. A server that has shut
/// down is not ready.
#[derive(Debug, Clone)]
pub struct Control {
    context: Arc<Context>,
}

/// Why the server would not admit a new client. The text is for the operator.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotReady {
    /// The server is about to shut down.
    #[error("the server is shutting down")]
    ShuttingDown,
    /// [`Config::max_connections`](crate::Config::max_connections) is reached.
    #[error("the maximum number of connections is reached")]
    Full,
    /// Memory is short: see [`Control::short_of_memory`].
    #[error("memory is nearly used up")]
    Memory,
    /// The engine is closing, or one of its stores reports an error.
    #[error("{0}")]
    Engine(#[from] chat_rooms::JoinError),
    /// The presence store does not answer.
    #[error("the presence store did not answer within {0:?}")]
    NoAnswer(Duration),
}

impl Control {
    pub(crate) fn new(context: Arc<Context>) -> Self {
        Self { context }
    }

    /// The engine that holds the rooms.
    pub fn engine(&self) -> &Engine {
        &self.context.engine
    }

    /// The `chat.v2` sessions, oldest first.
    pub fn sessions(&self) -> Vec<SessionInfo> {
        self.context.sessions.list()
    }

    /// The classic clients, oldest first.
    pub fn classic_clients(&self) -> Vec<ClassicInfo> {
        self.context.classics.list()
    }

    /// Ends the session with this id: its connection is closed with 4403, its members leave their
    /// rooms, and it cannot be replaced. Returns `false` if there is no such session.
    pub fn close_session(&self, id: &str) -> bool {
        self.context.sessions.close(id)
    }

    /// The accounts of users. `None` if there are only guests.
    pub fn accounts(&self) -> Option<&Accounts> {
        self.context.accounts.as_ref()
    }

    /// Creates an account. Guests who have its name, or one that looks like it, are disconnected.
    ///
    /// Not cancel-safe: if the future is dropped, guests may keep the name of the new account.
    ///
    /// # Errors
    /// [`CreateError`] if the name is taken, or the store fails; [`StoreError`] of it if the server
    /// has no accounts.
    pub async fn create_account(&self, new: NewAccount) -> Result<Account, CreateError> {
        let accounts = self.accounts().ok_or_else(|| StoreError::other("this server has no accounts"))?;
        let account = accounts.create(new).await?;
        self.context.end_guests(&account.username).await;
        Ok(account)
    }

    /// Erases the messages of a user in the name of the operator, from this cursor on and for about
    /// this time, and after the last one their copies in open reports. It is recorded in the audit
    /// log of each room before.
    ///
    /// Not cancel-safe: if the future is dropped, some of it may be done. It is safe to call it
    /// again.
    ///
    /// # Errors
    /// [`EraseError`] if a store fails.
    pub async fn erase_messages(
        &self,
        messages: &dyn UserMessages,
        query: UserQuery,
        after: Option<Cursor>,
        max_time: Duration,
    ) -> Result<Erased, EraseError> {
        self.context.erase_messages(messages, &Erasure::by_operator(query), after, max_time).await
    }

    /// Removes the reactions of a user. As for [`erase_messages`](Self::erase_messages).
    ///
    /// # Errors
    /// [`EraseError`] if a store fails.
    pub async fn erase_reactions(
        &self,
        messages: &dyn UserMessages,
        query: UserQuery,
        after: Option<Cursor>,
        max_time: Duration,
    ) -> Result<Erased, EraseError> {
        self.context.erase_reactions(messages, &Erasure::by_operator(query), after, max_time).await
    }

    /// Deletes an account. Its sessions end, and its name is kept for 90 days. With `erases`, what
    /// the user wrote is erased in the name of the operator, as
    /// [`erase_messages`](Self::erase_messages) and [`erase_reactions`](Self::erase_reactions) do.
    ///
    /// Not cancel-safe: if the future is dropped, some of it may be done. It is safe to call it
    /// again.
    ///
    /// # Errors
    /// [`DeleteError`] if a store fails.
    pub async fn delete_account(&self, account: &Account, erases: bool) -> Result<(), DeleteError> {
        let accounts = self.accounts().ok_or_else(|| StoreError::other("this server has no accounts"))?;
        let by = erases.then_some(DeletedBy::Operator);
        self.context.delete_account(accounts, account, by).await
    }

    /// The user with this id, if it is connected or has an account.
    ///
    /// # Errors
    /// [`StoreError`] if the accounts cannot be read.
    pub async fn person(&self, id: &UserId) -> Result<Option<Person>, StoreError> {
        self.context.person(id).await
    }

    /// Carries out an act in a room, as [`Engine::act`] does. A user who is warned is told so in
    /// all of its sessions, or when it comes.
    ///
    /// # Errors
    /// [`ActError`] from the engine.
    pub async fn act(&self, act: NewAct) -> Result<Option<AuditRecord>, ActError> {
        self.context.act(act).await
    }

    /// Ends all `chat.v2` sessions of a user: their connections are closed with 4401, and they
    /// cannot be replaced. Returns their number.
    pub fn disconnect_user(&self, user: &UserId) -> usize {
        self.context.sessions.end_user(user, None, CloseCode::NotAccepted)
    }

    /// Sends a notice to every connection once, including sessions that are in no room. Returns the
    /// number of rooms.
    pub fn notice_all(&self, level: NoticeLevel, body: impl Into<Arc<str>>) -> usize {
        self.context.engine.notice_all_with(level, body, self.context.sessions.sinks())
    }

    /// The announcement of the operator, if there is one.
    pub fn announcement(&self) -> Option<Announcement> {
        self.context.announcements.stored()
    }

    /// Makes an announcement in Markdown, in place of the one before. It stays until it is
    /// withdrawn: it is stored, all `chat.v2` sessions receive it, and so does each new session
    /// with its `welcome`. If the current announcement has this level and this text, nothing
    /// changes. Returns the announcement.
    ///
    /// The server has to [run](crate::Server::run). If the future is dropped, the announcement may
    /// be made all the same.
    ///
    /// # Errors
    /// [`AnnounceError`] if the store fails, or the server shuts down.
    pub async fn announce(
        &self,
        level: NoticeLevel,
        body: impl Into<Arc<str>>,
    ) -> Result<Announcement, AnnounceError> {
        self.context.announcements.make(level, body.into()).await
    }

    /// Withdraws the announcement. Returns it, or `None` if there is none. As for
    /// [`announce`](Self::announce).
    ///
    /// # Errors
    /// [`AnnounceError`] if the store fails, or the server shuts down.
    pub async fn withdraw_announcement(&self) -> Result<Option<Announcement>, AnnounceError> {
        self.context.announcements.withdraw().await
    }

    /// Applies the settings that can change while the server runs: `limits`, `backlog`,
    /// `members_per_room`, `connections_per_address`, `joins`, `proxies`, `deflate`, `retention`,
    /// `origins`, `site`, `registration` and `guests`. All others keep the values the server was
    /// built with.
    ///
    /// Existing connections stay open. Their frames are checked against the new limits from the
    /// next one on, but an open connection keeps its maximum message size, its backlog limits and
    /// its compression.
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
            site: config.site,
            registration: config.registration,
            guests: config.guests,
            abuse: config.abuse,
            room_creation: config.room_creation,
            ..Config::clone(&current)
        };
        self.context.addresses.set_limits(changed.address_limits());
        self.context.engine.set_members_per_room(changed.members_per_room);
        self.context.engine.set_retention(changed.retention);
        if let Some(search) = &self.context.search {
            search.set_retention(changed.retention);
        }
        self.context.set_site(changed.site.clone());
        self.context.config.store(Arc::new(changed));
    }

    /// While memory is short, the server admits no new chat connection and answers handshakes with
    /// 503.
    pub fn short_of_memory(&self, is_short: bool) {
        self.context.is_short_of_memory.store(is_short, Ordering::Relaxed);
    }

    /// Updates the gauges. Call it before a recorder of the `metrics` facade is read. Takes as
    /// long as [`ready`](Self::ready). Cancel-safe.
    pub async fn record_gauges(&self) {
        let context = &self.context;
        let is_ready = context.ready().await.is_ok();
        metrics::Gauges {
            rooms: context.engine.room_count(),
            sessions: context.sessions.count(),
            backlog_bytes: context.backlog_budget.held(),
            hashes_waiting: context.accounts.as_ref().map_or(0, |accounts| accounts.hasher().waiting()),
            max_connections: context.config().max_connections,
            is_ready,
        }
        .record();
    }

    /// Checks whether the server would admit a new client now. Takes at most 2 s. Cancel-safe.
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
            return Err(NotReady::ShuttingDown);
        }
        if self.chat_permits.available_permits() == 0 {
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
