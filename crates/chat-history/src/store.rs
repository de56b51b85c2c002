//! What a history store promises.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chat_protocol::{Epoch, Message, MessageId, RoomName, Timestamp, Username};
use futures::future::BoxFuture;

/// A message that has no place in its room yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMessage {
    /// Where.
    pub room: RoomName,
    /// Who.
    pub from: Username,
    /// What, untouched.
    pub body: Arc<str>,
    /// What its sender calls it.
    pub id: MessageId,
    /// Whether the id is the sender's own, so that the message has to be recognised when it comes again. An id that the server
    /// made comes once anyway.
    pub once: bool,
}

/// What became of an appended message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appended {
    /// The message in its place; the first one where it was sent again.
    pub message: Arc<Message>,
    /// Whether it was stored before, and this was sending it again: then it was told before, too.
    pub again: bool,
    /// Messages of the same room that come right before it and of which no answer ever told: a commit that had seemed to fail
    /// had reached the disk. Oldest first; empty but for such a case.
    pub missed: Vec<Arc<Message>>,
}

/// Why a message was not appended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// The same id of the same user in the same room was given to a message with another body. Nothing was stored.
    #[error("the id was already used for another message")]
    IdReused,
    /// The store does not answer. Whether the message was stored is not known; it is safe to append it again with the same id.
    #[error(transparent)]
    Unavailable(#[from] HistoryError),
}

/// The store does not answer: it is full, locked, damaged or closed. It may work again later.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the history store is unavailable: {0}")]
pub struct HistoryError(pub String);

/// Takes the answer to an append. Called exactly once, on any thread, in the order of the room's numbers, and before any later
/// append of that room is answered. It must not wait, and must not call into the store.
pub type Told = Box<dyn FnOnce(Result<Appended, AppendError>) + Send>;

/// Which part of a room's messages. Places are `seq`s; 0 lies before the first message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// The newest of those before a place.
    Before {
        /// The place; itself not included. `u64::MAX` for the newest of all.
        seq: u64,
        /// How many at most.
        limit: usize,
    },
    /// The oldest of those after a place.
    After {
        /// The place; itself not included.
        seq: u64,
        /// How many at most.
        limit: usize,
    },
}

/// A part of a room's messages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Messages {
    /// Oldest first, one behind the other without a hole.
    pub messages: Vec<Arc<Message>>,
    /// Whether there are more in the direction that was asked for.
    pub more: bool,
}

/// How safe a message is once its append is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// It survives the process and a power cut.
    Disk,
    /// It is gone with the process.
    Memory,
}

/// How long messages are kept. What goes is never what comes first in a page of the newest: a room's places stay counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retention {
    /// Messages older than this go. None: they stay.
    pub max_age: Option<Duration>,
    /// All but so many of the newest of each room go. None: all stay.
    pub max_count: Option<u64>,
}

impl Retention {
    /// Whether everything is kept.
    pub fn keeps_all(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a message is kept at a moment, in a room whose newest message has the number `newest`.
    pub fn keeps(&self, seq: u64, sent_at: Timestamp, newest: u64, now: Timestamp) -> bool {
        let millis = |age: Duration| i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
        let is_young = |age| sent_at.0 >= now.0.saturating_sub(millis(age));
        self.max_count.is_none_or(|count| seq.saturating_add(count) > newest)
            && self.max_age.is_none_or(is_young)
    }
}

/// What was said, room by room.
///
/// The numbers of a room are 1, 2, 3 and so on, without a hole, whatever fails and whenever the process ends; within one epoch a
/// number is never given twice.
pub trait HistoryStore: fmt::Debug + Send + Sync + 'static {
    /// The life of this store.
    fn epoch(&self) -> Epoch;

    /// How safe a message is once its append is answered.
    fn durability(&self) -> Durability;

    /// Takes a message in, to be stored behind all that was taken in before. Never waits; how much is on its way at once is bounded
    /// by the caller. `told` hears what became of it.
    ///
    /// A message whose `once` is set and whose id the same user gave to a message in the same room within the last 24 hours is not
    /// stored again: the answer is the first one's, or [`AppendError::IdReused`] when the bodies differ.
    fn append(&self, message: NewMessage, told: Told);

    /// The number of a room's newest message, as stored; 0 where there never was one.
    ///
    /// # Errors
    /// [`HistoryError`] when the store does not answer.
    fn newest(&self, room: RoomName) -> BoxFuture<'_, Result<u64, HistoryError>>;

    /// A part of a room's messages, as stored. It ends at its limit, and where the messages' encoded sizes reach
    /// [`PAGE_BYTES`](chat_protocol::v2::PAGE_BYTES); one message always fits. What was pruned is not there.
    ///
    /// # Errors
    /// [`HistoryError`] when the store does not answer.
    fn page(&self, room: RoomName, page: Page) -> BoxFuture<'_, Result<Messages, HistoryError>>;

    /// Does one small step of what `retention` asks for, and says whether there is more to do. A step delays nobody by more than a
    /// few milliseconds.
    ///
    /// # Errors
    /// [`HistoryError`] when the store does not answer; it is safe to ask again.
    fn prune(&self, retention: Retention) -> BoxFuture<'_, Result<bool, HistoryError>>;

    /// Whether the store would take a message now.
    ///
    /// # Errors
    /// [`HistoryError`] says why not.
    fn check(&self) -> BoxFuture<'_, Result<(), HistoryError>>;
}
