//! The contract of a history store.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chat_protocol::{Content, Epoch, Message, MessageId, RoomName, Text, Timestamp, UserId, Username};
use futures::future::BoxFuture;
use sha2::{Digest, Sha256};

use crate::{AppendError, HistoryError};

/// A message that is not stored yet and has no number.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewMessage {
    /// The room.
    pub room: RoomName,
    /// The author.
    pub user: UserId,
    /// The author's name at this time.
    pub from: Username,
    /// The text, as it was sent.
    pub body: Arc<str>,
    /// The id of the message.
    pub id: MessageId,
    /// Whether the author chose the id, so that a message with the same id is a duplicate. An id
    /// that the server has generated is unique anyway.
    pub idempotent: bool,
}

/// What the hash of a command begins with, so that no other kind of command has the same digest.
const DIGEST_DOMAIN: &[u8] = b"chatd message\0";

impl NewMessage {
    /// A message with an id that the server has generated, of the user `user`, whose name is
    /// `from`.
    pub fn new(
        room: RoomName,
        user: UserId,
        from: Username,
        body: impl Into<Arc<str>>,
        id: MessageId,
    ) -> Self {
        Self { room, user, from, body: body.into(), id, idempotent: false }
    }

    /// A digest of what the author has sent: the first 64 bits of a SHA-256 hash. A store keeps it
    /// with an id to recognise a duplicate although the message was erased, pruned or changed.
    /// Each version and each process computes the same digest. Two messages of different texts have
    /// different digests, except with a probability of 2^-64.
    pub fn digest(&self) -> u64 {
        let hash = Sha256::new().chain_update(DIGEST_DOMAIN).chain_update(&*self.body).finalize();
        hash.iter().take(8).fold(0, |digest, byte| digest << 8 | u64::from(*byte))
    }

    /// The message with its number, as stored at this time.
    pub fn numbered(self, seq: u64, sent_at: Timestamp) -> Message {
        let Self { room, user, from, body, id, .. } = self;
        Message::new(room, seq, sent_at, Content::Text(Text::new(id, user, from, body)))
    }

    /// Sets whether the author chose the id, so that a message with the same id is a duplicate.
    #[must_use]
    pub fn idempotent(self, idempotent: bool) -> Self {
        Self { idempotent, ..self }
    }
}

/// The result of an append.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Appended {
    /// The stored message. For a duplicate this is the first message with the id.
    pub message: Arc<Message>,
    /// Whether the message had been stored before, and therefore had been announced before.
    pub duplicate: bool,
    /// Messages of the same room right before this one that no result has announced: a commit that
    /// seemed to fail had reached the disk. Oldest first; otherwise empty.
    pub recovered: Vec<Arc<Message>>,
}

impl Appended {
    /// The result for a message that was stored now.
    pub fn new(message: Arc<Message>) -> Self {
        Self { message, duplicate: false, recovered: Vec::new() }
    }

    /// The result for a message that had been stored before.
    pub fn duplicate(first: Arc<Message>) -> Self {
        Self { message: first, duplicate: true, recovered: Vec::new() }
    }

    /// Adds messages that no result has announced, oldest first.
    #[must_use]
    pub fn with_recovered(self, recovered: Vec<Arc<Message>>) -> Self {
        Self { recovered, ..self }
    }
}

/// Receives the result of an append.
///
/// It is called exactly once, on any thread, in the order of the room's numbers, and before any
/// later append to that room completes. It must not block and must not call the store.
pub type OnAppended = Box<dyn FnOnce(Result<Appended, AppendError>) + Send>;

/// The maximum size of a page of messages, counted by
/// [`Message::encoded_size`](chat_protocol::Message::encoded_size). One message always fits.
pub const MAX_PAGE_BYTES: usize = (1 << 20) - (64 << 10);

/// A range of a room's messages, by number. Numbers begin at 1.
///
/// The enum is exhaustive: a store has to support each kind of page, so a new kind is meant to
/// break its build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// The newest messages before a number.
    Before {
        /// The number, exclusive; `u64::MAX` for the newest messages of the room.
        seq: u64,
        /// The maximum number of messages.
        limit: usize,
    },
    /// The oldest messages after a number.
    After {
        /// The number, exclusive; 0 for the oldest messages of the room.
        seq: u64,
        /// The maximum number of messages.
        limit: usize,
    },
}

/// A page of a room's messages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Messages {
    /// The messages, oldest first, with consecutive numbers.
    pub messages: Vec<Arc<Message>>,
    /// Whether there are more messages in the requested direction.
    pub more: bool,
}

/// What a message survives once its append has completed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Durability {
    /// It survives the end of the process and a power cut.
    Disk,
    /// It is lost when the process ends.
    Memory,
}

/// How long messages are kept. The numbers of a room are never reused, even if all its messages are
/// removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Retention {
    /// Messages older than this are removed. `None`: no limit.
    pub max_age: Option<Duration>,
    /// Only this number of the newest messages of each room is kept. `None`: no limit.
    pub max_count: Option<u64>,
}

impl Retention {
    /// Limits the age of messages and their number per room; `None` means no limit.
    pub fn new(max_age: Option<Duration>, max_count: Option<u64>) -> Self {
        Self { max_age, max_count }
    }

    /// Whether all messages are kept.
    pub fn is_unlimited(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a message is kept at the time `now` in a room whose newest message has the number
    /// `newest`.
    pub fn keeps(&self, seq: u64, sent_at: Timestamp, newest: u64, now: Timestamp) -> bool {
        let millis = |age: Duration| i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
        let is_young = |age| sent_at.as_millis() >= now.as_millis().saturating_sub(millis(age));
        self.max_count.is_none_or(|count| seq.saturating_add(count) > newest)
            && self.max_age.is_none_or(is_young)
    }
}

/// The messages of all rooms.
///
/// The messages of a room are numbered 1, 2, 3 and so on without gaps, whatever fails and whenever
/// the process ends. Within an epoch no number is used twice.
///
/// # Implementing a store
/// The suite `conformance` (feature `conformance`) tests all of this. The methods return boxed
/// futures so that the trait can be used as `dyn HistoryStore`.
pub trait HistoryStore: fmt::Debug + Send + Sync + 'static {
    /// The epoch of this store. A store that may have lost messages begins a new epoch.
    fn epoch(&self) -> Epoch;

    /// What a message survives once its append has completed.
    fn durability(&self) -> Durability;

    /// Queues a message to be stored after all messages that were queued before, and returns at
    /// once. The queue is not bounded: the caller has to limit how much it appends. `on_appended`
    /// receives the result.
    ///
    /// A message that is [idempotent](NewMessage::idempotent), and whose id the same user has used
    /// in the same room for an idempotent message within the last 24 hours, is not stored again:
    /// the result is the first message as it is now, or [`AppendError::IdReused`] if the
    /// [digests](NewMessage::digest) differ. The user's name does not matter, and neither does
    /// what became of the first message: if it was erased, another text is still
    /// [`IdReused`](AppendError::IdReused). A store may forget the id of a message that was pruned;
    /// if it does not, the same is true for it.
    fn append(&self, message: NewMessage, on_appended: OnAppended);

    /// The number of the newest message that was stored in a room; 0 if there never was one.
    ///
    /// # Errors
    /// [`HistoryError`] if the store fails.
    fn newest(&self, room: RoomName) -> BoxFuture<'_, Result<u64, HistoryError>>;

    /// A page of the stored messages of a room. It ends at its limit, and where the encoded sizes
    /// of its messages add up to [`MAX_PAGE_BYTES`]; one message always fits. Pruned messages are
    /// not included.
    ///
    /// # Errors
    /// [`HistoryError`] if the store fails.
    fn page(&self, room: RoomName, page: Page) -> BoxFuture<'_, Result<Messages, HistoryError>>;

    /// Performs one small step of pruning, and returns whether there is more to do. A step delays
    /// other calls by a few milliseconds at most.
    ///
    /// # Errors
    /// [`HistoryError`] if the store fails; it is safe to retry.
    fn prune(&self, retention: Retention) -> BoxFuture<'_, Result<bool, HistoryError>>;

    /// Checks whether the store could store a message now.
    ///
    /// # Errors
    /// [`HistoryError`] if it could not.
    fn check(&self) -> BoxFuture<'_, Result<(), HistoryError>>;
}
