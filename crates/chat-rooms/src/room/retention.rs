//! The retention rules. They apply to messages in memory and to reads as soon as they are set,
//! because the store removes its rows step by step.

use std::collections::{HashMap, HashSet};
use std::fmt;

use chat_history::Retention;
use chat_protocol::{Deletion, Message, RoomName, Timestamp};
use parking_lot::Mutex;

use crate::sync::Notify;

/// If more deleted messages than this are noted, everything that is cached counts as deleted.
const MAX_DELETED: usize = 100_000;

/// The retention of an engine, and the messages that were deleted and may still be cached.
#[derive(Default)]
pub(crate) struct RetentionRules {
    retention: Mutex<Retention>,
    deleted: Mutex<Deleted>,
    /// Notified when one of them has changed.
    pub(crate) changed: Notify,
}

impl fmt::Debug for RetentionRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RetentionRules").field(&*self.retention.lock()).finish()
    }
}

impl RetentionRules {
    pub(crate) fn new(retention: Retention) -> Self {
        Self { retention: Mutex::new(retention), ..Self::default() }
    }

    pub(crate) fn retention(&self) -> Retention {
        *self.retention.lock()
    }

    /// Sets how long messages are kept from now on.
    pub(crate) fn set(&self, retention: Retention) {
        *self.retention.lock() = retention;
        self.changed.notify_one();
    }

    /// Notes that messages were deleted.
    pub(crate) fn note_deleted(&self, deletion: &Deletion) {
        let mut deleted = self.deleted.lock();
        deletion.messages.iter().for_each(|message| deleted.add(&deletion.room, message.seq));
        drop(deleted);
        self.changed.notify_one();
    }

    /// Notes that the text of a message was replaced.
    pub(crate) fn note_changed(&self, message: &Message) {
        self.deleted.lock().add(&message.room, message.seq);
        self.changed.notify_one();
    }

    /// Returns the messages that were deleted or changed since the previous call.
    pub(crate) fn take_deleted(&self) -> Deleted {
        std::mem::take(&mut *self.deleted.lock())
    }

    /// What retention keeps now; `None` if it keeps everything.
    pub(crate) fn cutoff(&self) -> Option<RetentionCutoff> {
        let retention = self.retention();
        (!retention.is_unlimited()).then(|| RetentionCutoff::new(retention, Timestamp::now()))
    }
}

/// What retention keeps at one point in time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RetentionCutoff {
    max_count: Option<u64>,
    /// Messages from before this time are too old.
    earliest: Option<Timestamp>,
}

impl RetentionCutoff {
    pub(crate) fn new(retention: Retention, now: Timestamp) -> Self {
        Self { max_count: retention.max_count, earliest: retention.sent_after(now) }
    }

    /// Whether a message is kept if it is the oldest of the newest `count` messages of its room.
    pub(crate) fn keeps(self, message: &Message, count: usize) -> bool {
        self.max_count.is_none_or(|max| count as u64 <= max) && self.is_young(message.sent_at)
    }

    /// Returns `false` for each message that is not kept in a room whose newest event has the
    /// number `newest`, and for some that are: it counts events instead of messages. For caches.
    pub(crate) fn may_keep(self, seq: u64, sent_at: Timestamp, newest: u64) -> bool {
        self.max_count.is_none_or(|max| seq.saturating_add(max) > newest) && self.is_young(sent_at)
    }

    fn is_young(self, sent_at: Timestamp) -> bool {
        self.earliest.is_none_or(|earliest| sent_at >= earliest)
    }
}

/// Deleted messages.
#[derive(Debug, Default)]
pub(crate) struct Deleted {
    seqs: HashMap<RoomName, HashSet<u64>>,
    count: usize,
}

impl Deleted {
    fn add(&mut self, room: &RoomName, seq: u64) {
        self.count += 1;
        if self.count > MAX_DELETED {
            self.seqs.clear();
        } else {
            self.seqs.entry(room.clone()).or_default().insert(seq);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Whether a message may be deleted.
    pub(crate) fn contains(&self, room: &RoomName, seq: u64) -> bool {
        self.count > MAX_DELETED || self.seqs.get(room).is_some_and(|seqs| seqs.contains(&seq))
    }
}
