//! The rooms of one node.

pub(crate) mod builder;
mod notice;
mod pruner;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chat_history::Retention;
use chat_presence::{NewStay, PresenceStore, StoreError};
use chat_protocol::{
    ChannelName, Epoch, LeftReason, Member, MemberId, MemberList, NoticeLevel, RoomName, Timestamp, Username,
};
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tracing::Instrument;

use crate::engine::builder::EngineBuilder;
use crate::error::JoinError;
use crate::member::options::Subscribe;
use crate::member::reservation::{PresenceRow, ReservedName};
use crate::member::{Admission, Membership};
use crate::registry::Registry;
use crate::registry::usage::{RoomUsage, Usage};
use crate::room::Room;
use crate::sync;
use crate::sync::atomic::Ordering;

/// When a join is worth trying again that found too many waiting.
const BUSY_RETRY: Duration = Duration::from_secs(1);

/// All rooms of one node: who is in them, in which order things happen, and who is told. Clones are the same engine.
///
/// It knows no socket: a member's events go to an [`Sink`]. A room exists while somebody is in it.
#[derive(Clone)]
pub struct Engine {
    pub(crate) shared: Arc<Registry>,
}

impl Engine {
    /// Begins to build an engine over a presence store. Messages are kept in memory unless the builder gets a
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

    /// Keeps a name in a room and writes the stay to the store; the room learns of it when the seat is taken. Of many who
    /// ask for one name at once exactly one gets it.
    ///
    /// Cancel-safe: dropped before it resolves, the name is given back, and the row with it.
    ///
    /// # Errors
    /// [`JoinError`]; nobody in the room notices.
    pub async fn admit(&self, room: &RoomName, username: &Username) -> Result<Admission, JoinError> {
        let span = tracing::trace_span!("admit", %room);
        self.admit_one(room, username).instrument(span).await
    }

    async fn admit_one(&self, room: &RoomName, username: &Username) -> Result<Admission, JoinError> {
        if self.shared.is_closing() {
            return Err(JoinError::Closing);
        }
        let too_many = |_| JoinError::Busy { retry_after: BUSY_RETRY };
        let place = Arc::clone(&self.shared.admissions).try_acquire_owned().map_err(too_many)?;
        let name = ReservedName::take(&self.shared, room, username)?;
        let (answer, written) = oneshot::channel();
        // a task of its own: whether or not the caller is_active, what is written is known, and goes where nobody wants it
        let writing = write_presence(
            Arc::clone(&self.shared),
            Arc::clone(name.room()),
            username.clone(),
            place,
            answer,
        );
        self.shared.context.runtime.spawn(writing);
        let deadline = self.shared.context.limits.store_timeout;
        let late = || JoinError::Store(StoreError(format!("no answer within {deadline:?}")));
        match sync::timeout(deadline, written).await {
            Ok(Ok(row)) => Ok(Admission::new(name, row?)),
            Ok(Err(_)) => Err(JoinError::Closing),
            Err(_) => Err(late()),
        }
    }

    /// Joins a room under a name that nobody else in it has.
    ///
    /// Cancel-safe: dropped before it resolves, the name is free again.
    ///
    /// # Errors
    /// [`JoinError`]; nobody in the room notices.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # use chat_presence::{MemoryPresence, NodeId};
    /// # use chat_protocol::{Event, RoomName, Username};
    /// # use chat_rooms::{Engine, Sink, Subscribe};
    /// let engine = Engine::builder(MemoryPresence::new(NodeId::new("here"))).start().await?;
    /// let (outlet, mut events) = Sink::channel(100);
    /// let subscribe = Subscribe::new(outlet).history(20);
    /// let ana = engine.join(&RoomName::parse("lobby")?, &Username::parse("ana")?, subscribe).await?;
    /// assert!(matches!(&*events.next().await.unwrap(), Event::Joined(room) if room.member_count == 1));
    /// # drop(ana);
    /// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
    /// ```
    pub async fn join(
        &self,
        room: &RoomName,
        username: &Username,
        subscribe: Subscribe,
    ) -> Result<Membership, JoinError> {
        let (member, _) = self.admit(room, username).await?.join(subscribe).await?;
        Ok(member)
    }

    /// Whether a name is taken in a room, here or on another node.
    ///
    /// # Errors
    /// [`StoreError`] when nobody has it here and the store does not answer. Cancel-safe.
    pub async fn is_present(&self, room: &RoomName, username: &Username) -> Result<bool, StoreError> {
        if self.shared.room(room).is_some_and(|room| room.holds(username)) {
            return Ok(true);
        }
        // what this node knows of its own members is in memory; a row of its own is on its way out
        let holder = self.shared.store.holder(room.clone(), username.clone()).await?;
        Ok(holder.is_some_and(|node| node != *self.shared.store.node()))
    }

    /// The members of a room as they stand; none where nobody is.
    pub fn members(&self, room: &RoomName) -> Option<Arc<MemberList>> {
        self.shared.room(room).map(|room| room.list()).filter(|list| list.total() > 0)
    }

    /// Some of the members of a room, in the order of their coming: so many at most, of those behind one; and how many there are. None where
    /// nobody is.
    pub fn members_after(
        &self,
        room: &RoomName,
        after: Option<MemberId>,
        limit: usize,
    ) -> Option<(Vec<Arc<Member>>, usize)> {
        self.shared.room(room).map(|room| room.members_after(after, limit)).filter(|(_, total)| *total > 0)
    }

    /// The rooms that somebody is in, by name, with how many.
    pub fn rooms(&self) -> Vec<(RoomName, usize)> {
        let rooms = self.shared.all_rooms().into_iter();
        let mut rooms: Vec<_> = rooms.map(|room| (room.name.clone(), room.count())).collect();
        rooms.retain(|(_, members)| *members > 0);
        rooms.sort_unstable();
        rooms
    }

    /// Puts somebody out of a room, behind what it has said: everybody sees it leave. Who joined by [`Admission::join`] is told
    /// `left` with the reason `kicked`. It may come again. False where nobody has that name there.
    pub fn kick(&self, room: &RoomName, username: &Username) -> bool {
        self.shared.room(room).is_some_and(|room| room.remove_member(username, LeftReason::Kicked))
    }

    /// Puts everybody out of a room, as [`kick`](Self::kick) does, with the reason `room_closed`; how many. What was said there stays
    /// stored, and who comes next opens it again.
    pub fn close_room(&self, room: &RoomName) -> usize {
        self.shared.room(room).map_or(0, |room| room.remove_everyone(LeftReason::RoomClosed))
    }

    /// Forgets what a message said that was erased in the store: whoever comes back is given an erased one. Those who have heard it have
    /// heard it.
    pub fn redact(&self, room: &RoomName, seq: u64) {
        if let Some(room) = self.shared.room(room) {
            room.redact(seq);
        }
        self.shared.context.retained.erase(room, seq);
    }

    /// How many rooms there are.
    pub fn room_count(&self) -> usize {
        self.shared.rooms.lock().len()
    }

    /// How much rooms were used since this was called last: those in which somebody came in or something was said. Empty without
    /// [`EngineBuilder::count_usage`].
    pub fn take_usage(&self) -> HashMap<RoomName, RoomUsage> {
        self.shared.usage.as_ref().map(Usage::take).unwrap_or_default()
    }

    /// The life of the history store.
    pub fn epoch(&self) -> Epoch {
        self.shared.history.epoch()
    }

    /// Tells everybody in a room something from the operator. False where nobody is.
    pub fn notice(&self, room: &RoomName, level: NoticeLevel, body: impl Into<Arc<str>>) -> bool {
        let room = self.shared.room(room);
        if let Some(room) = &room {
            room.notice(level, body.into());
        }
        room.is_some()
    }

    /// Whether the engine can take somebody in now.
    ///
    /// # Errors
    /// [`JoinError::Closing`], [`JoinError::Store`] or [`JoinError::History`] says why not.
    pub async fn check(&self) -> Result<(), JoinError> {
        if self.shared.is_closing() {
            return Err(JoinError::Closing);
        }
        self.shared.store.check().await?;
        Ok(self.shared.history.check().await?)
    }

    /// How many members a room may have on this node from now on. Nobody who is in is put out.
    pub fn set_members_per_room(&self, most: usize) {
        self.shared.context.max_members.store(most, Ordering::Relaxed);
    }

    /// How long messages are kept from now on. Those that have been kept too long then are not shown any more, and are removed soon.
    pub fn set_retention(&self, retention: Retention) {
        self.shared.context.retained.set(retention);
    }

    /// Whether nobody is let in any more.
    pub fn is_closing(&self) -> bool {
        self.shared.is_closing()
    }

    /// Tells nobody any more who leaves: soon everybody does. People are let in as before.
    pub fn suppress_leave_events(&self) {
        self.shared.quiet.store(true, Ordering::Release);
    }

    /// Lets nobody in any more, and [tells nobody who leaves](Self::suppress_leave_events).
    pub fn close(&self) {
        self.suppress_leave_events();
        self.shared.closing.store(true, Ordering::Release);
    }

    /// [Closes](Self::close), and removes every row of this node. Whoever is still in stays until dropped, and is not in the
    /// store any more.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer; the next start removes the rows then.
    pub async fn shutdown(&self) -> Result<(), StoreError> {
        self.close();
        // it would remove one by one what is now removed at once
        self.shared.cleanup_task.abort();
        self.shared.store.clear().await.map(drop)
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("rooms", &self.room_count())
            .field("store", &self.shared.store)
            .finish()
    }
}

/// Writes the stay of somebody whose name is kept, and makes sure that the room knows where its messages go on. A row that nobody waits
/// for any more is dropped, and goes.
async fn write_presence(
    shared: Arc<Registry>,
    room: Arc<Room>,
    username: Username,
    _place: OwnedSemaphorePermit,
    answer: oneshot::Sender<Result<PresenceRow, JoinError>>,
) {
    let (channel, joined_at) = (ChannelName(rand::random()), Timestamp::now());
    let stay = NewStay { room: room.name.clone(), username, channel, joined_at };
    let written = async {
        let id = shared.store.join(stay.clone()).await.map_err(|error| match error {
            chat_presence::JoinError::Taken(_) => JoinError::NameTaken,
            chat_presence::JoinError::Store(error) => error.into(),
        })?;
        let row = PresenceRow::new(Arc::clone(&shared.presence_cleanup), stay.with_id(id));
        room.know(&*shared.history).await?;
        Ok(row)
    };
    let _ = answer.send(written.await);
}
