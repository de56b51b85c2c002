//! The retention rules. They apply to messages in memory and to reads as soon as they are set,
//! because the store removes its rows step by step.

use std::collections::{HashMap, HashSet};
use std::fmt;

use chat_history::{Messages, Page, Retention};
use chat_protocol::{Message, RoomName, Timestamp};
use parking_lot::Mutex;

use crate::sync::Notify;

/// If more erased messages than this are noted, everything that is cached counts as erased.
const MAX_ERASED: usize = 100_000;

/// The retention of an engine, and the messages that were erased and may still be in memory.
#[derive(Default)]
pub(crate) struct RetentionRules {
    retention: Mutex<Retention>,
    erased: Mutex<Erased>,
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

    /// Notes that a message was erased.
    pub(crate) fn erase(&self, room: &RoomName, seq: u64) {
        self.erased.lock().add(room, seq);
        self.changed.notify_one();
    }

    /// Returns the messages that were erased since the previous call.
    pub(crate) fn take_erased(&self) -> Erased {
        std::mem::take(&mut *self.erased.lock())
    }

    /// What retention keeps now; `None` if it keeps everything.
    pub(crate) fn cutoff(&self) -> Option<RetentionCutoff> {
        let retention = self.retention();
        (!retention.is_unlimited()).then(|| RetentionCutoff { retention, now: Timestamp::now() })
    }
}

/// What retention keeps at one point in time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RetentionCutoff {
    retention: Retention,
    now: Timestamp,
}

impl RetentionCutoff {
    /// Whether a message is kept, given the newest number in its room.
    pub(crate) fn keeps(self, seq: u64, sent_at: Timestamp, newest: u64) -> bool {
        self.retention.keeps(seq, sent_at, newest, self.now)
    }

    pub(crate) fn keeps_message(self, message: &Message, newest: u64) -> bool {
        self.keeps(message.seq, message.sent_at, newest)
    }

    /// Removes the expired messages from a page: its oldest ones.
    ///
    /// If that leaves a page of newer messages empty and the store has more, returns the number of
    /// the last message removed: messages that are kept may follow it.
    pub(crate) fn trim(self, page: Page, messages: &mut Messages, newest: u64) -> Option<u64> {
        let expired =
            messages.messages.iter().take_while(|message| !self.keeps_message(message, newest)).count();
        let last = messages.messages[..expired].last().map(|message| message.seq)?;
        messages.messages.drain(..expired);
        match page {
            // everything before the page is older
            Page::Before { .. } => {
                messages.more = false;
                None
            }
            Page::After { .. } => (messages.more && messages.messages.is_empty()).then_some(last),
        }
    }
}

/// Erased messages.
#[derive(Debug, Default)]
pub(crate) struct Erased {
    seqs: HashMap<RoomName, HashSet<u64>>,
    count: usize,
}

impl Erased {
    fn add(&mut self, room: &RoomName, seq: u64) {
        self.count += 1;
        if self.count > MAX_ERASED {
            self.seqs.clear();
        } else {
            self.seqs.entry(room.clone()).or_default().insert(seq);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Whether a message may be erased.
    pub(crate) fn contains(&self, room: &RoomName, seq: u64) -> bool {
        self.count > MAX_ERASED || self.seqs.get(room).is_some_and(|seqs| seqs.contains(&seq))
    }
}
