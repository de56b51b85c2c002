//! What retention keeps. It holds for what is in memory and for what is read, from the moment in which it is set: the store removes its rows
//! step by step.

use std::collections::{HashMap, HashSet};
use std::fmt;

use chat_history::{Messages, Page, Retention};
use chat_protocol::{Message, RoomName, Timestamp};
use parking_lot::Mutex;

use crate::runtime::Notify;

/// When more erased messages than this are noted, everything that is rendered is forgotten instead.
const MAX_ERASED: usize = 100_000;

/// What an engine keeps, and what was erased and may still be in memory.
#[derive(Default)]
pub(crate) struct Retained {
    retention: Mutex<Retention>,
    erased: Mutex<Erased>,
    /// Rung when one of them is another one.
    pub(crate) changed: Notify,
}

impl fmt::Debug for Retained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Retained").field(&*self.retention.lock()).finish()
    }
}

impl Retained {
    pub(crate) fn new(retention: Retention) -> Self {
        Self { retention: Mutex::new(retention), ..Self::default() }
    }

    pub(crate) fn retention(&self) -> Retention {
        *self.retention.lock()
    }

    /// Keeps messages for another time from now on.
    pub(crate) fn set(&self, retention: Retention) {
        *self.retention.lock() = retention;
        self.changed.notify_one();
    }

    /// Notes that a message was erased.
    pub(crate) fn erase(&self, room: &RoomName, seq: u64) {
        self.erased.lock().add(room, seq);
        self.changed.notify_one();
    }

    /// What was erased since this was called last.
    pub(crate) fn take_erased(&self) -> Erased {
        std::mem::take(&mut *self.erased.lock())
    }

    /// What is kept now; `None` where everything is.
    pub(crate) fn now(&self) -> Option<Kept> {
        let retention = self.retention();
        (!retention.is_unlimited()).then(|| Kept { retention, now: Timestamp::now() })
    }
}

/// What retention keeps at a moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kept {
    retention: Retention,
    now: Timestamp,
}

impl Kept {
    /// Whether a message of a room with this newest number is kept.
    pub(crate) fn keeps(self, seq: u64, sent_at: Timestamp, newest: u64) -> bool {
        self.retention.keeps(seq, sent_at, newest, self.now)
    }

    pub(crate) fn keeps_message(self, message: &Message, newest: u64) -> bool {
        self.keeps(message.seq, message.sent_at, newest)
    }

    /// Takes out of a page what is not kept: the oldest of it. Gives the number of the last message that was taken out, if that is all there was and
    /// what is kept comes behind it.
    pub(crate) fn cut(self, page: Page, messages: &mut Messages, newest: u64) -> Option<u64> {
        let gone =
            messages.messages.iter().take_while(|message| !self.keeps_message(message, newest)).count();
        let last = messages.messages[..gone].last().map(|message| message.seq)?;
        messages.messages.drain(..gone);
        match page {
            // what is before the page is older
            Page::Before { .. } => {
                messages.more = false;
                None
            }
            Page::After { .. } => (messages.more && messages.messages.is_empty()).then_some(last),
        }
    }
}

/// Messages that were erased.
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

    /// Whether a message may be one of them.
    pub(crate) fn contains(&self, room: &RoomName, seq: u64) -> bool {
        self.count > MAX_ERASED || self.seqs.get(room).is_some_and(|seqs| seqs.contains(&seq))
    }
}
