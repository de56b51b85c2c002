//! The engine: the rooms of one node.

pub(crate) mod builder;
mod cluster;
mod deletion;
mod moderation;
mod notice;
mod private;
mod pruner;
mod reactions;
mod settings;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chat_access::Action;
use chat_history::{Count, HistoryError, Retention};
use chat_presence::{PresenceStore, StoreError};
use chat_protocol::{
    Epoch, Identity, LeftReason, Member, MemberId, MemberList, NoticeLevel, RoomName, UserId, Username,
};
use tracing::Instrument;

use crate::engine::builder::EngineBuilder;
use crate::error::JoinError;
use crate::member::Membership;
use crate::member::admission::Admission;
use crate::member::options::Subscribe;
use crate::member::record;
use crate::member::reservation::ReservedName;
use crate::registry::Registry;
use crate::registry::usage::{RoomUsage, Usage};
use crate::room::state::Reserved;
use crate::sync::atomic::Ordering;

/// How long a client should wait before it retries a join that was refused because too many are
/// pending.
const BUSY_RETRY: Duration = Duration::from_secs(1);

/// All rooms of one node: their members, the order of their events, and the delivery of those
/// events.
///
/// The engine uses no sockets: the events of a member go to a [`Sink`](crate::Sink). A room exists
/// while it has members, and needs no setup.
///
/// Cloning is cheap: all clones are handles to the same engine.
#[derive(Clone)]
pub struct Engine {
    pub(crate) shared: Arc<Registry>,
}

impl Engine {
    /// Creates a builder for an engine that records its members in `store`.
    ///
    /// Messages are kept in memory unless the builder is given a
    /// [`history`](EngineBuilder::history).
    ///
    /// ```
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// use chat_history::Retention;
    /// use chat_presence::{MemoryPresence, NodeId};
    /// use chat_rooms::{Engine, EngineLimits};
    ///
    /// let engine = Engine::builder(MemoryPresence::new(NodeId::new("here")))
    ///     .limits(EngineLimits { members_per_room: 50, ..EngineLimits::default() })
    ///     .retention(Retention::default())
    ///     .start()
    ///     .await?;
    /// # drop(engine);
    /// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
    /// ```
    pub fn builder(store: impl PresenceStore) -> EngineBuilder {
        EngineBuilder::new(store)
    }

    /// Reserves the name of a user in a room and writes the presence record to the store, unless
    /// the user is in the room already. The other members do not notice until [`Admission::join`]
    /// is called.
    ///
    /// If several users ask for one name at the same time, exactly one of them gets it. The
    /// sessions of one user share the name.
    ///
    /// Cancel-safe: if the future is dropped before it resolves, the name is released and the
    /// record is removed.
    ///
    /// # Errors
    /// [`JoinError`] if the name cannot be reserved. The other members do not notice.
    ///
    /// ```
    /// # use chat_presence::{MemoryPresence, NodeId};
    /// # use chat_rooms::{Engine, Sink, Subscribe};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # let engine = Engine::builder(MemoryPresence::new(NodeId::new("here"))).start().await?;
    /// # let lobby = "lobby".parse()?;
    /// # let ana = chat_protocol::Identity::account("u_1".parse()?, "ana".parse()?)?;
    /// # let (sink, mut events) = Sink::channel(100);
    /// let admission = engine.admit(&ana, &lobby).await?;
    /// // nobody in the room knows yet; answer a handshake, then join
    /// let (member, _) = admission.join(Subscribe::new(sink)).await?;
    /// assert!(member.is_member());
    /// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
    /// ```
    pub async fn admit(&self, user: &Identity, room: &RoomName) -> Result<Admission, JoinError> {
        let span = tracing::trace_span!("admit", %room);
        self.admit_one(user, room).instrument(span).await
    }

    async fn admit_one(&self, user: &Identity, room: &RoomName) -> Result<Admission, JoinError> {
        if self.shared.is_closing() {
            return Err(JoinError::Closing);
        }
        if room.is_address() {
            // before anything else: how full the room is says that it exists
            self.may(&user.into(), Action::Join, room).await??;
        }
        let busy = |_| JoinError::Busy { retry_after: BUSY_RETRY };
        let permit = Arc::clone(&self.shared.admissions).try_acquire_owned().map_err(busy)?;
        let (name, reserved) = ReservedName::take(&self.shared, room, user)?;
        let row = match reserved {
            Reserved::Present => None,
            Reserved::Absent => Some(record::write(&self.shared, name.room(), user, Some(permit)).await?),
        };
        name.room().check(&user.into(), Action::Join)?;
        Ok(Admission::new(name, row))
    }

    /// Joins a room with a session of a user. The other members see the user join with its first
    /// session and leave with its last one.
    ///
    /// This is [`admit`](Self::admit) followed by [`Admission::join`].
    ///
    /// Cancel-safe: if the future is dropped before it resolves, the name is free again.
    ///
    /// # Errors
    /// [`JoinError`] if the name cannot be reserved, or missed messages cannot be read. The other
    /// members do not notice.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # use chat_presence::{MemoryPresence, NodeId};
    /// # use chat_protocol::{Event, Identity, RoomName};
    /// # use chat_rooms::{Engine, Sink, Subscribe};
    /// let engine = Engine::builder(MemoryPresence::new(NodeId::new("here"))).start().await?;
    /// let (sink, mut events) = Sink::channel(100);
    /// let subscribe = Subscribe::new(sink).history(20);
    /// let lobby = RoomName::parse("lobby")?;
    /// let ana = Identity::account("u_17".parse()?, "ana".parse()?)?;
    /// let ana = engine.join(&ana, &lobby, subscribe).await?;
    ///
    /// let first = events.next().await.unwrap();
    /// assert!(matches!(&*first, Event::Joined(room) if room.member_count == 1));
    /// # drop(ana);
    /// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
    /// ```
    pub async fn join(
        &self,
        user: &Identity,
        room: &RoomName,
        subscribe: Subscribe,
    ) -> Result<Membership, JoinError> {
        let (member, _) = self.admit(user, room).await?.join(subscribe).await?;
        Ok(member)
    }

    /// Returns whether a name is taken in a room, on this node or on another one.
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    /// [`StoreError`] if the name is not taken on this node and the store fails.
    ///
    /// ```
    /// # use chat_presence::{MemoryPresence, NodeId};
    /// # use chat_rooms::{Engine, Sink, Subscribe};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # let engine = Engine::builder(MemoryPresence::new(NodeId::new("here"))).start().await?;
    /// # let lobby = "lobby".parse()?;
    /// # let ana = chat_protocol::Identity::account("u_1".parse()?, "ana".parse()?)?;
    /// # let (sink, mut events) = Sink::channel(100);
    /// # let member = engine.join(&ana, &lobby, Subscribe::new(sink)).await?;
    /// assert!(engine.is_present(&lobby, ana.username()).await?);
    /// # drop(member);
    /// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
    /// ```
    pub async fn is_present(&self, room: &RoomName, username: &Username) -> Result<bool, StoreError> {
        if self.shared.room(room).is_some_and(|room| room.is_name_taken(username)) {
            return Ok(true);
        }
        // this node's own members are known in memory; a record of this node that is still in the
        // store is about to be removed
        let holder = self.shared.context.presence.holder(room.clone(), username.clone()).await?;
        Ok(holder.is_some_and(|holder| holder.node != *self.shared.context.presence.node()))
    }

    /// Returns the current members of a room, or `None` if it has none.
    ///
    /// ```
    /// # use chat_presence::{MemoryPresence, NodeId};
    /// # use chat_rooms::{Engine, Sink, Subscribe};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # let engine = Engine::builder(MemoryPresence::new(NodeId::new("here"))).start().await?;
    /// # let lobby = "lobby".parse()?;
    /// # let ana = chat_protocol::Identity::account("u_1".parse()?, "ana".parse()?)?;
    /// # let (sink, mut events) = Sink::channel(100);
    /// # let member = engine.join(&ana, &lobby, Subscribe::new(sink)).await?;
    /// let members = engine.members(&lobby).expect("a member is present");
    /// assert_eq!((members.total(), &members.first()[0].username), (1, ana.username()));
    /// # drop(member);
    /// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
    /// ```
    pub fn members(&self, room: &RoomName) -> Option<Arc<MemberList>> {
        self.shared.room(room).map(|room| room.list()).filter(|list| list.total() > 0)
    }

    /// Returns up to `limit` members of a room in the order in which they joined, and the number of
    /// all its members. The members follow the one with the id `after`, or begin with the first if
    /// that is `None`.
    ///
    /// Returns `None` if the room has no members.
    pub fn members_after(
        &self,
        room: &RoomName,
        after: Option<MemberId>,
        limit: usize,
    ) -> Option<(Vec<Arc<Member>>, usize)> {
        self.shared.room(room).map(|room| room.members_after(after, limit)).filter(|(_, total)| *total > 0)
    }

    /// Returns the rooms that have members, ordered by name, each with the number of its members.
    ///
    /// ```
    /// # use chat_presence::{MemoryPresence, NodeId};
    /// # use chat_rooms::{Engine, Sink, Subscribe};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # let engine = Engine::builder(MemoryPresence::new(NodeId::new("here"))).start().await?;
    /// # let lobby = "lobby".parse()?;
    /// # let ana = chat_protocol::Identity::account("u_1".parse()?, "ana".parse()?)?;
    /// # let (sink, mut events) = Sink::channel(100);
    /// # let member = engine.join(&ana, &lobby, Subscribe::new(sink)).await?;
    /// assert_eq!(engine.rooms(), [(lobby, 1)]);
    /// # drop(member);
    /// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
    /// ```
    pub fn rooms(&self) -> Vec<(RoomName, usize)> {
        let rooms = self.shared.all_rooms().into_iter();
        let mut rooms: Vec<_> = rooms.map(|room| (room.name.clone(), room.count())).collect();
        rooms.retain(|(_, members)| *members > 0);
        rooms.sort_unstable();
        rooms
    }

    /// Removes a member from a room, after the messages that it has sent. The other members see it
    /// leave.
    ///
    /// Unless the member joined [with lists](Subscribe::with_lists), its last event is
    /// [`LeaveNotice`](chat_protocol::Event::LeaveNotice) with the reason `kicked`. It may join
    /// again.
    ///
    /// Returns `false` if no member of the room has that name.
    ///
    /// ```
    /// # use chat_presence::{MemoryPresence, NodeId};
    /// # use chat_rooms::{Engine, Sink, Subscribe};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # let engine = Engine::builder(MemoryPresence::new(NodeId::new("here"))).start().await?;
    /// # let lobby = "lobby".parse()?;
    /// # let ana = chat_protocol::Identity::account("u_1".parse()?, "ana".parse()?)?;
    /// # let (sink, mut events) = Sink::channel(100);
    /// # let member = engine.join(&ana, &lobby, Subscribe::new(sink)).await?;
    /// assert!(engine.kick(&lobby, ana.username()));
    /// assert!(member.was_removed());
    /// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
    /// ```
    pub fn kick(&self, room: &RoomName, username: &Username) -> bool {
        self.shared.room(room).is_some_and(|room| room.remove_member(username, LeftReason::Kicked))
    }

    /// Removes all members from a room, as [`kick`](Self::kick) does, with the reason
    /// `room_closed`. Returns how many they were.
    ///
    /// The messages of the room stay in the store, and the next client that joins opens the room
    /// again. That may be a client that joins while the members are being removed: this concerns
    /// the sessions that are in the room when it is called. A user who opens another session
    /// meanwhile may stay in the room with that one.
    ///
    /// Takes some microseconds for each member, and keeps neither the members nor other rooms
    /// waiting for all of that time.
    ///
    /// ```
    /// # use chat_presence::{MemoryPresence, NodeId};
    /// # use chat_rooms::{Engine, Sink, Subscribe};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # let engine = Engine::builder(MemoryPresence::new(NodeId::new("here"))).start().await?;
    /// # let lobby = "lobby".parse()?;
    /// # let ana = chat_protocol::Identity::account("u_1".parse()?, "ana".parse()?)?;
    /// # let (sink, mut events) = Sink::channel(100);
    /// # let member = engine.join(&ana, &lobby, Subscribe::new(sink)).await?;
    /// assert_eq!(engine.close_room(&lobby), 1);
    /// assert!(member.was_removed());
    /// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
    /// ```
    pub fn close_room(&self, room: &RoomName) -> usize {
        self.shared.room(room).map_or(0, |room| room.remove_everyone(LeftReason::RoomClosed))
    }

    /// Returns the number of rooms, including those that only a pending join or a message in flight
    /// keeps open.
    pub fn room_count(&self) -> usize {
        self.shared.rooms.lock().len()
    }

    /// Returns the usage of each room since the previous call. It contains the rooms in which a
    /// member joined or a message was stored.
    ///
    /// Always empty without [`EngineBuilder::count_usage`].
    ///
    /// ```
    /// # use chat_presence::{MemoryPresence, NodeId};
    /// # use chat_rooms::{Engine, Sink, Subscribe};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let presence = MemoryPresence::new(NodeId::new("here"));
    /// let engine = Engine::builder(presence).count_usage(true).start().await?;
    /// # let ana = chat_protocol::Identity::account("u_1".parse()?, "ana".parse()?)?;
    /// let lobby = "lobby".parse()?;
    /// let ana = engine.join(&ana, &lobby, Subscribe::new(Sink::channel(10).0)).await?;
    /// ana.send("hello").await?;
    /// assert_eq!(engine.take_usage()[&lobby].messages, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
    /// ```
    pub fn take_usage(&self) -> HashMap<RoomName, RoomUsage> {
        self.shared.usage.as_ref().map(Usage::take).unwrap_or_default()
    }

    /// Returns the epoch of the history store. Message numbers are comparable only within one
    /// epoch.
    pub fn epoch(&self) -> Epoch {
        self.shared.context.history.epoch()
    }

    /// How many messages of a room came after the number `after`, without deleted ones and those of
    /// the users in `except`; at most `max`. Also returns the number of the room's newest event.
    ///
    /// # Errors
    /// [`HistoryError`] if the history store fails.
    ///
    /// ```
    /// # use chat_presence::{MemoryPresence, NodeId};
    /// # use chat_rooms::{Engine, Sink, Subscribe};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # let engine = Engine::builder(MemoryPresence::new(NodeId::new("here"))).start().await?;
    /// # let lobby = "lobby".parse()?;
    /// # let ana = chat_protocol::Identity::account("u_1".parse()?, "ana".parse()?)?;
    /// # let (sink, mut events) = Sink::channel(100);
    /// # let member = engine.join(&ana, &lobby, Subscribe::new(sink)).await?;
    /// member.send("hello").await?;
    /// let unread = engine.count_after(&lobby, 0, Vec::new(), 100).await?;
    /// assert_eq!((unread.messages, unread.newest), (1, 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
    /// ```
    pub async fn count_after(
        &self,
        room: &RoomName,
        after: u64,
        except: Vec<UserId>,
        max: usize,
    ) -> Result<Count, HistoryError> {
        let context = &self.shared.context;
        let retention = context.retention.retention();
        context.history.count_after(room.clone(), after, except, max, retention).await
    }

    /// Counts the messages of a room after the number `after` that address one of the users in
    /// `users`, or everyone, and are not from one of them or of those in `except`, up to `max`. The
    /// room need not have members. Cancel-safe.
    ///
    /// # Errors
    /// [`HistoryError`] if the history store fails.
    pub async fn mentions_after(
        &self,
        room: &RoomName,
        after: u64,
        users: Vec<UserId>,
        except: Vec<UserId>,
        max: usize,
    ) -> Result<Count, HistoryError> {
        let context = &self.shared.context;
        let retention = context.retention.retention();
        context.history.mentions_after(room.clone(), after, users, except, max, retention).await
    }

    /// Sends a notice from the operator to all members of a room.
    ///
    /// Returns `false` if there is no such room.
    ///
    /// ```
    /// # use chat_presence::{MemoryPresence, NodeId};
    /// # use chat_rooms::{Engine, Sink, Subscribe};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # let engine = Engine::builder(MemoryPresence::new(NodeId::new("here"))).start().await?;
    /// # let lobby = "lobby".parse()?;
    /// # let ana = chat_protocol::Identity::account("u_1".parse()?, "ana".parse()?)?;
    /// # let (sink, mut events) = Sink::channel(100);
    /// # let member = engine.join(&ana, &lobby, Subscribe::new(sink)).await?;
    /// assert!(engine.notice(&lobby, chat_protocol::NoticeLevel::Info, "tea is ready"));
    /// # drop(member);
    /// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
    /// ```
    pub fn notice(&self, room: &RoomName, level: NoticeLevel, body: impl Into<Arc<str>>) -> bool {
        let room = self.shared.room(room);
        if let Some(room) = &room {
            room.notice(level, body.into());
        }
        room.is_some()
    }

    /// Checks whether the engine can admit a member now.
    ///
    /// # Errors
    /// [`JoinError::Closing`], [`JoinError::Store`] or [`JoinError::History`] if it cannot.
    ///
    /// ```
    /// # use chat_presence::{MemoryPresence, NodeId};
    /// # use chat_rooms::Engine;
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # let engine = Engine::builder(MemoryPresence::new(NodeId::new("here"))).start().await?;
    /// engine.check().await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
    /// ```
    pub async fn check(&self) -> Result<(), JoinError> {
        if self.shared.is_closing() {
            return Err(JoinError::Closing);
        }
        self.shared.context.presence.check().await?;
        Ok(self.shared.context.history.check().await?)
    }

    /// Sets the maximum number of members of a room on this node. Members that are already in a
    /// room stay, even if there are more.
    pub fn set_members_per_room(&self, max: usize) {
        self.shared.context.max_members.store(max, Ordering::Relaxed);
    }

    /// Sets how long messages are kept. Messages that have expired under the new setting are not
    /// returned any more, and are removed soon.
    pub fn set_retention(&self, retention: Retention) {
        self.shared.context.retention.set(retention);
    }

    /// Returns whether the engine refuses new members because it is closing.
    pub fn is_closing(&self) -> bool {
        self.shared.is_closing()
    }

    /// Stops sending leave events, because all members are about to leave. New members are admitted
    /// as before.
    pub fn suppress_leave_events(&self) {
        self.shared.leave_events_suppressed.store(true, Ordering::Release);
    }

    /// Refuses new members from now on, and [stops sending leave
    /// events](Self::suppress_leave_events).
    pub fn close(&self) {
        self.suppress_leave_events();
        self.shared.closing.store(true, Ordering::Release);
    }

    /// [Closes](Self::close) the engine, and removes every row of this node from the presence
    /// store. A node of a cluster also closes its [backplane](chat_backplane::Backplane::close).
    ///
    /// Remaining members stay connected until their memberships are dropped, but have no presence
    /// rows any more.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails. The rows are then removed at the next start.
    ///
    /// ```
    /// # use chat_presence::{MemoryPresence, NodeId};
    /// # use chat_rooms::{Engine, Sink, Subscribe};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # let engine = Engine::builder(MemoryPresence::new(NodeId::new("here"))).start().await?;
    /// # let lobby = "lobby".parse()?;
    /// # let ana = chat_protocol::Identity::account("u_1".parse()?, "ana".parse()?)?;
    /// # let (sink, mut events) = Sink::channel(100);
    /// # drop(sink);
    /// engine.shutdown().await?;
    /// assert!(engine.admit(&ana, &lobby).await.is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
    /// ```
    pub async fn shutdown(&self) -> Result<(), StoreError> {
        self.close();
        // the task would remove one by one the rows that are removed all at once here
        self.shared.cleanup_task.abort();
        let cleared = self.shared.context.presence.clear().await.map(drop);
        if let Some(publisher) = &self.shared.context.publisher {
            publisher.close().await;
        }
        cleared
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("rooms", &self.room_count())
            .field("store", &self.shared.context.presence)
            .finish()
    }
}

#[cfg(test)]
mod tests;
