//! The contract of an index.

use std::fmt;
use std::sync::Arc;

use chat_protocol::{Epoch, RoomName, Timestamp, Username};
use futures::future::BoxFuture;

use crate::{Found, Query, SearchError};

/// How far the index has followed a room.
///
/// Its messages up to `seq` are in the index, in a state that includes every event up to
/// `changed_seq`. While a room is indexed from the start, `changed_seq` is ahead of `seq`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Position {
    /// The epoch of the history to which the numbers belong.
    pub epoch: Epoch,
    /// The number up to which messages were indexed.
    pub seq: u64,
    /// The number of the last event whose changes of these messages were indexed.
    pub changed_seq: u64,
    /// Messages with a smaller number are not found.
    pub oldest: u64,
}

impl Position {
    /// A position in the epoch `epoch`: see the fields.
    pub fn new(epoch: Epoch, seq: u64, changed_seq: u64, oldest: u64) -> Self {
        Self { epoch, seq, changed_seq, oldest }
    }
}

/// A message to be indexed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Document {
    /// The number of the message in its room.
    pub seq: u64,
    /// The name under which it was sent.
    pub from: Username,
    /// The text as it is now.
    pub body: Arc<str>,
    /// The time at which it was sent. It does not change.
    pub sent_at: Timestamp,
}

impl Document {
    /// A message with this number, author, text and time.
    pub fn new(seq: u64, from: Username, body: impl Into<Arc<str>>, sent_at: Timestamp) -> Self {
        Self { seq, from, body: body.into(), sent_at }
    }
}

/// What has changed in a room.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Update {
    /// The room.
    pub room: RoomName,
    /// How far the index has followed the room after the update. If the epoch is another one than
    /// before, everything that was indexed of the room is removed first.
    pub position: Position,
    /// Whether everything that was indexed of the room is removed first.
    pub restart: bool,
    /// The numbers of messages that are not found any longer.
    pub removed: Vec<u64>,
    /// New and changed messages. A changed one replaces what was indexed of it.
    pub documents: Vec<Document>,
}

impl Update {
    /// An update to this position, without messages.
    pub fn new(room: RoomName, position: Position) -> Self {
        Self { room, position, restart: false, removed: Vec::new(), documents: Vec::new() }
    }
}

/// An index of the messages of all rooms.
///
/// It says where the messages are that a query finds, and never returns text: the caller loads the
/// messages from the history, in their current state.
///
/// # Implementing an index
/// The suite `conformance` (feature `conformance`) tests all of this. The methods return boxed
/// futures so that the trait can be used as `dyn SearchIndex`. All methods are cancel-safe: an
/// update whose future is dropped is applied whole or not at all.
pub trait SearchIndex: fmt::Debug + Send + Sync + 'static {
    /// The newest messages that the query finds. A search does a bounded amount of work: one that
    /// would take longer ends early, with what was found so far and the position to continue from.
    ///
    /// # Errors
    /// [`SearchError`] if the index fails.
    fn search(&self, query: Query) -> BoxFuture<'_, Result<Found, SearchError>>;

    /// How far the index has followed each of these rooms, in their order; `None` for a room of
    /// which nothing is known.
    ///
    /// # Errors
    /// [`SearchError`] if the index fails.
    fn positions(&self, rooms: Vec<RoomName>) -> BoxFuture<'_, Result<Vec<Option<Position>>, SearchError>>;

    /// Applies updates in their order, all of them or none. Of each one, first what is removed
    /// goes, then documents replace older versions of themselves. Documents below
    /// [`oldest`](Position::oldest) are not found any longer.
    ///
    /// # Errors
    /// [`SearchError`] if the index fails; it is safe to apply the updates again.
    fn apply(&self, updates: Vec<Update>) -> BoxFuture<'_, Result<(), SearchError>>;

    /// Removes all rooms of other epochs.
    ///
    /// # Errors
    /// [`SearchError`] if the index fails.
    fn keep_epoch(&self, epoch: Epoch) -> BoxFuture<'_, Result<(), SearchError>>;

    /// Performs one small step of removing what is not found any longer, and returns whether there
    /// is more to do. The text of a message that was removed or replaced by an update has left
    /// already; what is left over are whole rooms, and messages below
    /// [`oldest`](Position::oldest). After the last step none of their text is left.
    ///
    /// # Errors
    /// [`SearchError`] if the index fails.
    fn purge(&self) -> BoxFuture<'_, Result<bool, SearchError>>;

    /// Brings the index into its fastest form after many updates. It may take many seconds, in
    /// which the index can be searched.
    ///
    /// # Errors
    /// [`SearchError`] if the index fails.
    fn optimize(&self) -> BoxFuture<'_, Result<(), SearchError>>;

    /// Removes everything, also if the index is damaged.
    ///
    /// # Errors
    /// [`SearchError`] if the index can't be created again.
    fn clear(&self) -> BoxFuture<'_, Result<(), SearchError>>;
}
