//! The contract of a history store.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chat_protocol::{Epoch, Message, OwnReactions, RoomName, RoomSettings, Timestamp, UserId};
use futures::future::{BoxFuture, FutureExt};

use crate::{AppendError, HistoryError, NewEvent, StoredEvent};

/// The result of an append.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Appended {
    /// The event was stored now.
    Stored(StoredEvent),
    /// The message had been stored before: this is the first message with the id, as it is now.
    Duplicate(Arc<Message>),
    /// The event with this number has carried out the same edit before.
    Repeated(u64),
    /// The event would change nothing. It was not stored, and has no number.
    Unchanged,
    /// The policy of the room has this version now. The event has no number.
    NewRules(u64),
}

impl Appended {
    /// The message that was stored, now or before; `None` for any other event.
    pub fn message(&self) -> Option<&Arc<Message>> {
        match self {
            Self::Stored(StoredEvent::Message(message)) | Self::Duplicate(message) => Some(message),
            _ => None,
        }
    }

    /// The number of the event, or of the first message for a duplicate; `None` if nothing changed.
    pub fn seq(&self) -> Option<u64> {
        match self {
            Self::Stored(event) => Some(event.seq()),
            Self::Duplicate(message) => Some(message.seq),
            Self::Repeated(seq) => Some(*seq),
            Self::Unchanged | Self::NewRules(_) => None,
        }
    }

    /// Whether the message had been stored before.
    pub fn is_duplicate(&self) -> bool {
        matches!(self, Self::Duplicate(_))
    }
}

/// Receives the result of an append.
///
/// It is called exactly once, on any thread, in the order of the room's numbers, and before any
/// later append to that room completes. It must not block and must not call the store.
///
/// There may be numbers that no result has: an append whose result was an error may have been
/// stored all the same. The caller finds such events with [`HistoryStore::page`] and
/// [`HistoryStore::changed`].
pub type OnAppended = Box<dyn FnOnce(Result<Appended, AppendError>) + Send>;

/// The maximum size of a page of messages, counted by
/// [`Message::encoded_size`](chat_protocol::Message::encoded_size). One message always fits.
pub const MAX_PAGE_BYTES: usize = (1 << 20) - (64 << 10);

/// How many messages the default implementation of [`HistoryStore::count_after`] reads at once.
const COUNTED_AT_ONCE: usize = 200;

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

/// The numbers of a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Extent {
    /// The number of the oldest message that is kept, or a smaller number if there is none between
    /// them. Messages with a smaller number were removed. At most `newest + 1` if none is kept.
    pub oldest: u64,
    /// The number of the newest event that was stored; 0 if there never was one.
    pub newest: u64,
}

impl Extent {
    /// The numbers of a room.
    pub fn new(oldest: u64, newest: u64) -> Self {
        Self { oldest, newest }
    }
}

/// How far the events of a room have come, and the version of its policy.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RoomVersion {
    /// The room.
    pub room: RoomName,
    /// The number of the newest event; 0 if there never was one.
    pub newest: u64,
    /// The version of the policy; 0 if it was never changed.
    pub policy: u64,
}

impl RoomVersion {
    /// The state of a room after the event `newest`, with this version of the policy.
    pub fn new(room: RoomName, newest: u64, policy: u64) -> Self {
        Self { room, newest, policy }
    }

    /// Whether this state has what another one of the room does not have.
    pub fn is_newer_than(&self, other: &Self) -> bool {
        self.newest > other.newest || self.policy > other.policy
    }
}

/// A room that is public.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PublicRoom {
    /// The room.
    pub room: RoomName,
    /// Its settings.
    pub settings: Arc<RoomSettings>,
    /// When the newest message was stored, whether or not it was deleted; `None` if there is none.
    pub last_message_at: Option<Timestamp>,
}

impl PublicRoom {
    /// A room that is public.
    pub fn new(
        room: RoomName,
        settings: impl Into<Arc<RoomSettings>>,
        last_message_at: Option<Timestamp>,
    ) -> Self {
        Self { room, settings: settings.into(), last_message_at }
    }
}

/// The settings of a room as they are stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredSettings {
    /// The settings. A room that nobody has configured has the default ones.
    pub settings: Arc<RoomSettings>,
    /// The version of the room's policy: 0 in a new room, and larger after each change.
    pub version: u64,
}

impl StoredSettings {
    /// These settings, of this version of the policy.
    pub fn new(settings: impl Into<Arc<RoomSettings>>, version: u64) -> Self {
        Self { settings: settings.into(), version }
    }
}

/// A page of a room's messages: all those of a range.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Messages {
    /// The messages, oldest first.
    pub messages: Vec<Arc<Message>>,
    /// The number with which the range begins. In a page [`After`](Page::After) a number it is
    /// larger than the next number if messages after that number were removed.
    pub first: u64,
    /// The number with which the range ends, inclusive. An empty range ends with `first - 1`.
    pub last: u64,
    /// Whether there are more messages in the requested direction.
    pub more: bool,
    /// The number of the newest event that the states of the messages include.
    pub newest: u64,
}

impl Messages {
    /// The page of a room with these numbers, from the messages that were found, and whether there
    /// are more in the direction of the page.
    pub fn new(page: Page, extent: Extent, messages: Vec<Arc<Message>>, more: bool) -> Self {
        let Extent { oldest, newest } = extent;
        let (first, last) = match page {
            Page::After { seq, .. } => {
                let first = seq.min(newest).saturating_add(1).max(oldest);
                let last = if more { messages.last().map_or(first - 1, |last| last.seq) } else { newest };
                (first, last)
            }
            Page::Before { seq, .. } => {
                let last = seq.saturating_sub(1).min(newest);
                let first = if more { messages.first().map(|first| first.seq) } else { Some(oldest) };
                (first.unwrap_or(last + 1).min(last + 1), last)
            }
        };
        Self { messages, first, last, more, newest }
    }
}

/// The messages of a room that were changed after a point in its log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Changed {
    /// The messages as they are now, oldest first; `None` if there are too many.
    pub messages: Option<Vec<Arc<Message>>>,
    /// The number of the newest event that the states of the messages include.
    pub newest: u64,
}

impl Changed {
    /// The changed messages, oldest first, as of the event `newest`; `None` if there are too many.
    pub fn new(messages: Option<Vec<Arc<Message>>>, newest: u64) -> Self {
        Self { messages, newest }
    }
}

/// How many messages were found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Count {
    /// The number of messages, up to the maximum that was asked for.
    pub messages: usize,
    /// The number of the newest event that was considered.
    pub newest: u64,
}

impl Count {
    /// This many messages, as of the event `newest`.
    pub fn new(messages: usize, newest: u64) -> Self {
        Self { messages, newest }
    }
}

/// The reactions of one user.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Own {
    /// For each message that has any, by number, the emoji.
    pub reactions: OwnReactions,
    /// The number of the newest event that they include.
    pub newest: u64,
}

impl Own {
    /// These reactions, as of the event `newest`.
    pub fn new(reactions: OwnReactions, newest: u64) -> Self {
        Self { reactions, newest }
    }
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
    /// Only this number of the newest messages of each room is kept, deleted ones included. `None`:
    /// no limit.
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

    /// The earliest time of a message that is not too old at the time `now`; `None` if no message
    /// is too old.
    pub fn sent_after(&self, now: Timestamp) -> Option<Timestamp> {
        self.max_age.map(|age| now.saturating_sub(age))
    }
}

/// The messages of all rooms, and the order of what happens to them.
///
/// The events of a room are numbered 1, 2, 3 and so on without gaps, whatever fails and whenever
/// the process ends. Within an epoch no number is used twice. A message has the number of the event
/// that has posted it. What the other events did is kept as the state of the messages.
///
/// # Implementing a store
/// The suite `conformance` (feature `conformance`) tests all of this. The methods return boxed
/// futures so that the trait can be used as `dyn HistoryStore`.
pub trait HistoryStore: fmt::Debug + Send + Sync + 'static {
    /// The epoch of this store. A store that may have lost events begins a new epoch; it may do so
    /// while it is in use.
    fn epoch(&self) -> Epoch;

    /// What a message survives once its append has completed.
    fn durability(&self) -> Durability;

    /// Queues an event to be stored after all events that were queued before, and returns at once.
    /// The queue is not bounded: the caller has to limit how much it appends. `on_appended`
    /// receives the result.
    ///
    /// A message that a check does not [permit](crate::NewMessage::permission) is not stored,
    /// unless it repeats one that is: the result is [`AppendError::PolicyChanged`] if the policy of
    /// the room has another version than the one that was checked, or else
    /// [`AppendError::NotAllowed`].
    ///
    /// A change of the settings raises the version of the room's policy by one. If the settings are
    /// as they were, the result is [`Appended::Unchanged`]. If the
    /// [permission](crate::NewRoomChange::permission) does not allow it, the result is the same as
    /// for a message.
    ///
    /// [`NewRules`](crate::NewEvent::NewRules) raises the version by one and stores nothing else:
    /// the result is [`Appended::NewRules`].
    ///
    /// A deletion removes the text, the author and the author's id from those of its targets that
    /// exist and are not deleted yet. If there are none, the result is [`Appended::Unchanged`], or
    /// [`AppendError::NotFound`] if none of the targets exists. If one of them is not of the
    /// [author](crate::NewDeletion::authors) who deletes them, the
    /// [permission](crate::NewDeletion::permission) decides: the result is
    /// [`AppendError::NotAuthor`] if it does not allow it, and [`AppendError::PolicyChanged`].
    ///
    /// An edit replaces the text of its target; the old one is not kept. An edit whose
    /// [id](crate::NewEdit::id) the same user has used in the same room within the last 24 hours is
    /// not carried out again: the result is [`Appended::Repeated`], or [`AppendError::IdReused`] if
    /// that was another edit, or a message. Otherwise the result is an error:
    /// [`AppendError::NotFound`] if there is no such message, or it was deleted;
    /// [`AppendError::NotAuthor`] if it is of another user; [`AppendError::TooLate`]; then what the
    /// [permission](crate::NewEdit::permission) says. With the text that the message has already,
    /// the result is [`Appended::Unchanged`].
    ///
    /// A message that replies to another one is stored with the name and the id of that one's
    /// author. If that one does not exist, or was deleted, the result is [`AppendError::NotFound`].
    ///
    /// A reaction changes the state of its target. The result is an error in this order:
    /// [`AppendError::NotFound`] if there is no such message, or it was deleted; what the
    /// [permission](crate::NewReaction::permission) says; [`AppendError::LimitReached`] for one
    /// emoji too many. If the emoji is, or is not, on the message already, the result is
    /// [`Appended::Unchanged`]. All ids of a user are one user: the emoji is there once, and
    /// removed whichever of the ids has put it there.
    ///
    /// A message that is [idempotent](crate::NewMessage::idempotent), and whose id the same user
    /// has used in the same room for an idempotent message within the last 24 hours, is not stored
    /// again: the result is the first message as it is now, or [`AppendError::IdReused`] if the
    /// [digests](crate::NewMessage::digest) differ. The user's name does not matter, and neither
    /// does what became of the first message: if it was deleted, another text is still
    /// [`IdReused`](AppendError::IdReused). A store may forget the id of a message that was pruned;
    /// if it does not, the same is true for it.
    fn append(&self, event: NewEvent, on_appended: OnAppended);

    /// The numbers of a room, of which `retention` is kept.
    ///
    /// # Errors
    /// [`HistoryError`] if the store fails.
    fn extent(&self, room: RoomName, retention: Retention) -> BoxFuture<'_, Result<Extent, HistoryError>>;

    /// The rooms whose settings say that they are public, in no order; at most `limit`.
    ///
    /// # Errors
    /// [`HistoryError`] if the store fails.
    fn public_rooms(&self, limit: usize) -> BoxFuture<'_, Result<Vec<PublicRoom>, HistoryError>>;

    /// The settings of a room, and the version of its policy.
    ///
    /// # Errors
    /// [`HistoryError`] if the store fails.
    fn settings(&self, room: RoomName) -> BoxFuture<'_, Result<StoredSettings, HistoryError>>;

    /// A page of the stored messages of a room, as they are now. It ends at its limit, and where
    /// the encoded sizes of its messages add up to [`MAX_PAGE_BYTES`]; one message always fits.
    /// Messages that were pruned, or that `retention` does not keep, are not included.
    ///
    /// # Errors
    /// [`HistoryError`] if the store fails.
    fn page(
        &self,
        room: RoomName,
        page: Page,
        retention: Retention,
    ) -> BoxFuture<'_, Result<Messages, HistoryError>>;

    /// The messages of a room that an event with a number larger than `after` has changed, whatever
    /// their own numbers. Posting a message does not change it. There are too many if they are more
    /// than `limit`, or their encoded sizes add up to more than [`MAX_PAGE_BYTES`]. Pruned messages
    /// may be missing.
    ///
    /// # Errors
    /// [`HistoryError`] if the store fails.
    fn changed(
        &self,
        room: RoomName,
        after: u64,
        limit: usize,
    ) -> BoxFuture<'_, Result<Changed, HistoryError>>;

    /// How many messages of a room have a number larger than `after`, are not deleted, and are not
    /// from one of the users in `except`; at most `max`. Messages that were pruned, or that
    /// `retention` does not keep, do not count.
    ///
    /// The default implementation reads pages.
    ///
    /// # Errors
    /// [`HistoryError`] if the store fails.
    fn count_after(
        &self,
        room: RoomName,
        after: u64,
        except: Vec<UserId>,
        max: usize,
        retention: Retention,
    ) -> BoxFuture<'_, Result<Count, HistoryError>> {
        async move {
            let counts =
                |message: &&Arc<Message>| message.text().is_some_and(|text| !except.contains(&text.user));
            let (mut messages, mut after) = (0, after);
            loop {
                let page = Page::After { seq: after, limit: COUNTED_AT_ONCE };
                let page = self.page(room.clone(), page, retention).await?;
                messages += page.messages.iter().filter(counts).count();
                if messages >= max || !page.more {
                    return Ok(Count::new(messages.min(max), page.newest));
                }
                after = page.last;
            }
        }
        .boxed()
    }

    /// Which of these rooms have newer events, or a newer policy, than the caller knows. Returns
    /// their states.
    ///
    /// A node of a cluster asks for all of its rooms at once, every few seconds. The default
    /// implementation reads each room.
    ///
    /// # Errors
    /// [`HistoryError`] if the store fails.
    fn newer(&self, known: Vec<RoomVersion>) -> BoxFuture<'_, Result<Vec<RoomVersion>, HistoryError>> {
        async move {
            let mut newer = Vec::new();
            for known in known {
                let extent = self.extent(known.room.clone(), Retention::default()).await?;
                let policy = self.settings(known.room.clone()).await?.version;
                let now = RoomVersion::new(known.room.clone(), extent.newest, policy);
                if now.is_newer_than(&known) {
                    newer.push(now);
                }
            }
            Ok(newer)
        }
        .boxed()
    }

    /// Which reactions on these messages are of one of these users, as one user.
    ///
    /// # Errors
    /// [`HistoryError`] if the store fails.
    fn own_reactions(
        &self,
        room: RoomName,
        targets: Vec<u64>,
        users: Vec<UserId>,
    ) -> BoxFuture<'_, Result<Own, HistoryError>>;

    /// How many messages of a room have a number larger than `after` and address one of the users,
    /// or everyone, and are not from one of them or of those in `except`; at most `max`. Deleted
    /// messages do not count, nor those that were pruned, or that `retention` does not keep.
    ///
    /// # Errors
    /// [`HistoryError`] if the store fails.
    fn mentions_after(
        &self,
        room: RoomName,
        after: u64,
        users: Vec<UserId>,
        except: Vec<UserId>,
        max: usize,
        retention: Retention,
    ) -> BoxFuture<'_, Result<Count, HistoryError>>;

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
