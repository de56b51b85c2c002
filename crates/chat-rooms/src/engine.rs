//! The rooms of one node.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use chat_history::{HistoryError, HistoryStore, MemoryHistory, Retention};
use chat_log::Occasional;
use chat_presence::{NewPresence, PresenceStore, StoreError, StoreErrorKind};
use chat_protocol::v2::{LeftReason, NoticeLevel};
use chat_protocol::{ChannelName, Epoch, Member, MemberId, MemberList, RoomName, Timestamp, Username};
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tracing::Instrument;

use crate::departures::Departures;
use crate::encoding::{Encoding, EncodingId, Encodings};
use crate::membership::{Membership, Seat};
use crate::meters::Meters;
use crate::outlet::Outlet;
use crate::pruner::Pruner;
use crate::reservation::{ReservedName, Row};
use crate::retained::Retained;
use crate::room::{Room, RoomContext};
use crate::runtime::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::runtime::{self, Handle};
use crate::shared::{BUDGET, Shared};
use crate::usage::{RoomUsage, Usage};

/// How long somebody who comes waits for the store at most.
const STORE_DEADLINE: Duration = Duration::from_secs(5);

/// How many may wait for the store at once to be let in.
const MOST_ADMISSIONS: usize = 4_096;

/// Why somebody was not let into a room.
#[derive(Debug, Clone, thiserror::Error)]
pub enum JoinError {
    /// The name is taken in that room. Its holder has been asked for a sign of life.
    #[error("the name is already in use")]
    NameTaken,
    /// There are as many members in the room as there may be.
    #[error("the room is full")]
    RoomFull,
    /// The engine is shutting down.
    #[error("the engine is shutting down")]
    Closing,
    /// The presence store did not answer in time. The name is free again.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The history store did not answer. The name is free again.
    #[error(transparent)]
    History(#[from] HistoryError),
}

/// All rooms of one node: who is in them, in which order things happen, and who is told. Clones are the same engine.
///
/// It knows no socket: a member's events go to an [`Outlet`]. A room exists while somebody is in it.
#[derive(Clone)]
pub struct Engine {
    pub(crate) shared: Arc<Shared>,
}

/// What an engine is made of, before it runs.
pub struct EngineBuilder {
    store: Arc<dyn PresenceStore>,
    history: Arc<dyn HistoryStore>,
    retention: Retention,
    encodings: Vec<Box<dyn Encoding>>,
    most_members: usize,
    counts_usage: bool,
}

impl EngineBuilder {
    /// Adds a way of writing events. The id is for [`Outlet::Frames`] of the engine that is built.
    pub fn add_encoding(&mut self, encoding: impl Encoding) -> EncodingId {
        self.encodings.push(Box::new(encoding));
        EncodingId(self.encodings.len() - 1)
    }

    /// Where messages are kept. Without this it is the memory of the process.
    pub fn history(&mut self, history: impl HistoryStore) -> &mut Self {
        self.history = Arc::new(history);
        self
    }

    /// How long messages are kept. Without this everything is.
    pub fn retention(&mut self, retention: Retention) -> &mut Self {
        self.retention = retention;
        self
    }

    /// How many members a room may have on this node. Without this any number.
    pub fn members_per_room(&mut self, most: usize) -> &mut Self {
        self.most_members = most;
        self
    }

    /// Counts how much rooms are used, for [`Engine::take_usage`], which has to be called now and then: what it has not taken piles up, an
    /// entry for each room.
    pub fn count_usage(&mut self) -> &mut Self {
        self.counts_usage = true;
        self
    }

    /// Removes what the node's last run left in the store, and starts. Has to be called in a tokio runtime with time; the
    /// engine's tasks run there.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn start(self) -> Result<Engine, StoreError> {
        let left_behind = self.store.clear().await?;
        if left_behind > 0 {
            tracing::info!(rows = left_behind, "removed the presence rows that the last run left behind");
        }
        let runtime = Handle::current();
        let departures = Arc::new(Departures::default());
        let remover = runtime.spawn(Arc::clone(&departures).run(Arc::clone(&self.store))).abort_handle();
        let retained = Arc::new(Retained::new(self.retention));
        let context = RoomContext {
            runtime: runtime.clone(),
            tails: Arc::default(),
            retained: Arc::clone(&retained),
            encodings: Encodings::new(self.encodings),
            most_pumps: runtime::parallelism(),
            most_members: AtomicUsize::new(self.most_members),
            meters: Meters::new(),
        };
        let shared = |this: &Weak<Shared>| {
            let pruner = Pruner::start(&runtime, Arc::clone(&self.history), retained, this.clone());
            Shared {
                store: self.store,
                history: self.history,
                context: Arc::new(context),
                rooms: Mutex::default(),
                departures,
                remover,
                _pruner: pruner,
                unstored: Occasional::new(),
                usage: self.counts_usage.then(Usage::default),
                closing: AtomicBool::new(false),
                quiet: AtomicBool::new(false),
                admissions: Arc::new(Semaphore::new(MOST_ADMISSIONS)),
                budget: Arc::new(Semaphore::new(BUDGET as usize)),
            }
        };
        Ok(Engine { shared: Arc::new_cyclic(shared) })
    }
}

impl fmt::Debug for EngineBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EngineBuilder").field("store", &self.store).finish_non_exhaustive()
    }
}

impl Engine {
    /// Begins to build an engine over a presence store.
    pub fn builder(store: impl PresenceStore) -> EngineBuilder {
        EngineBuilder {
            store: Arc::new(store),
            history: Arc::new(MemoryHistory::new()),
            retention: Retention::default(),
            encodings: Vec::new(),
            most_members: usize::MAX,
            counts_usage: false,
        }
    }

    /// Keeps a name in a room and writes the stay to the store; the room learns of it when the seat is taken. Of many who
    /// ask for one name at once exactly one gets it.
    ///
    /// Cancel-safe: dropped before it resolves, the name is given back, and the row with it.
    ///
    /// # Errors
    /// [`JoinError`]; nobody in the room notices.
    pub async fn admit(&self, room: &RoomName, username: &Username) -> Result<Seat, JoinError> {
        let span = tracing::trace_span!("admit", %room);
        self.admit_one(room, username).instrument(span).await
    }

    async fn admit_one(&self, room: &RoomName, username: &Username) -> Result<Seat, JoinError> {
        if self.shared.is_closing() {
            return Err(JoinError::Closing);
        }
        let too_many = |_| {
            StoreError::new(
                StoreErrorKind::Busy,
                format!("{MOST_ADMISSIONS} joins are waiting for it already"),
            )
        };
        let place = Arc::clone(&self.shared.admissions).try_acquire_owned().map_err(too_many)?;
        let name = ReservedName::take(&self.shared, room, username)?;
        let (answer, written) = oneshot::channel();
        // a task of its own: whether or not the caller stays, what is written is known, and goes where nobody wants it
        let writing =
            write_stay(Arc::clone(&self.shared), Arc::clone(name.room()), username.clone(), place, answer);
        self.shared.context.runtime.spawn(writing);
        let late =
            || StoreError::new(StoreErrorKind::TimedOut, format!("no answer within {STORE_DEADLINE:?}"));
        match runtime::timeout(STORE_DEADLINE, written).await {
            Ok(Ok(row)) => Ok(Seat::new(name, row?)),
            Ok(Err(_)) => Err(JoinError::Closing),
            Err(_) => Err(late().into()),
        }
    }

    /// [`admit`](Self::admit) and [`Seat::enter`] in one.
    ///
    /// # Errors
    /// Those of [`admit`](Self::admit).
    pub async fn join(
        &self,
        room: &RoomName,
        username: &Username,
        outlet: Outlet,
    ) -> Result<Membership, JoinError> {
        Ok(self.admit(room, username).await?.enter(outlet))
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

    /// Puts somebody out of a room, behind what it has said: everybody sees it leave. Who joined by [`Seat::join`] is told
    /// `left` with the reason `kicked`. It may come again. False where nobody has that name there.
    pub fn kick(&self, room: &RoomName, username: &Username) -> bool {
        self.shared.room(room).is_some_and(|room| room.oust(username, LeftReason::Kicked))
    }

    /// Puts everybody out of a room, as [`kick`](Self::kick) does, with the reason `room_closed`; how many. What was said there stays
    /// stored, and who comes next opens it again.
    pub fn close_room(&self, room: &RoomName) -> usize {
        self.shared.room(room).map_or(0, |room| room.oust_all(LeftReason::RoomClosed))
    }

    /// Forgets what a message said that was erased in the store: whoever comes back is given an erased one. Those who have heard it have
    /// heard it.
    pub fn forget(&self, room: &RoomName, seq: u64) {
        if let Some(room) = self.shared.room(room) {
            room.forget(seq);
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
        self.shared.context.most_members.store(most, Ordering::Relaxed);
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
    pub fn be_quiet(&self) {
        self.shared.quiet.store(true, Ordering::Release);
    }

    /// Lets nobody in any more, and [tells nobody who leaves](Self::be_quiet).
    pub fn close(&self) {
        self.be_quiet();
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
        self.shared.remover.abort();
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
async fn write_stay(
    shared: Arc<Shared>,
    room: Arc<Room>,
    username: Username,
    _place: OwnedSemaphorePermit,
    answer: oneshot::Sender<Result<Row, JoinError>>,
) {
    let (channel, joined_at) = (ChannelName(rand::random()), Timestamp::now());
    let stay = NewPresence::new(room.name.clone(), username, channel, joined_at);
    let written = async {
        let id = shared.store.join(stay.clone()).await.map_err(|error| match error {
            chat_presence::JoinError::Taken(_) => JoinError::NameTaken,
            chat_presence::JoinError::Store(error) => error.into(),
            other => StoreError::other(other).into(),
        })?;
        let row = Row::new(Arc::clone(&shared.departures), stay.with_id(id));
        room.know(&*shared.history).await?;
        Ok(row)
    };
    let _ = answer.send(written.await);
}
