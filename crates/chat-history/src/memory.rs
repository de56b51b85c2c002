//! The store that forgets at the end of the process, and keeps no more than fits.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use chat_protocol::v2::PAGE_BYTES;
use chat_protocol::{Content, Epoch, Message, MessageId, RoomName, Timestamp, Username};
use futures::future::{BoxFuture, FutureExt, ready};
use parking_lot::Mutex;

use crate::{
    AppendError, Appended, Durability, HistoryError, HistoryStore, Messages, NewMessage, Page, Retention,
    Told,
};

/// How much is kept of one room at most.
const ROOM_MESSAGES: usize = 1_000;
const ROOM_BYTES: usize = 1 << 20;

/// How much is kept of all rooms at most. Beyond it the messages of whole rooms are forgotten, of those first in which nothing was
/// said for longest, and their numbers go on; only when not even all rooms' numbers fit are some of those forgotten, too.
const ALL_BYTES: usize = 64 << 20;

/// What a room costs without its messages, and one whose messages are forgotten, counted towards [`ALL_BYTES`].
const EMPTY_ROOM: usize = 512;
const FORGOTTEN_ROOM: usize = 160;

/// What is said while nothing is stored: the newest of each room, in memory. It always answers, and at once.
#[derive(Debug)]
pub struct MemoryHistory {
    epoch: Epoch,
    rooms: Mutex<Rooms>,
}

#[derive(Debug, Default)]
struct Rooms {
    logs: HashMap<RoomName, Log>,
    /// The newest numbers of rooms whose messages are forgotten.
    numbers: HashMap<RoomName, u64>,
    /// The sizes of all of these.
    bytes: usize,
    /// Counts appends: the clock by which the room that was silent for longest is found.
    appends: u64,
    /// No room whose number is forgotten had more messages. A room that is not known may be one of those: its numbers go on
    /// behind this, so that none is given twice.
    forgotten: u64,
}

/// The newest messages of one room, without a hole.
#[derive(Debug)]
struct Log {
    messages: VecDeque<Arc<Message>>,
    /// The ids in `messages` that are their senders' own.
    ids: HashMap<(Username, MessageId), u64>,
    newest: u64,
    bytes: usize,
    /// The append that was the last in this room.
    last_append: u64,
}

impl Default for MemoryHistory {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryHistory {
    /// An empty store, in an epoch of its own.
    pub fn new() -> Self {
        Self { epoch: Epoch::from_random(rand::random()), rooms: Mutex::default() }
    }
}

impl Rooms {
    fn append(&mut self, new: NewMessage) -> Result<Appended, AppendError> {
        self.appends += 1;
        let NewMessage { room, from, body, id, once } = new;
        let log = self.logs.entry(room.clone()).or_insert_with(|| {
            self.bytes += EMPTY_ROOM;
            let newest = self.numbers.remove(&room);
            self.bytes -= newest.map_or(0, |_| FORGOTTEN_ROOM);
            Log::after(newest.unwrap_or(self.forgotten))
        });
        log.last_append = self.appends;
        let key = (from, id);
        if once && let Some(message) = log.ids.get(&key).and_then(|seq| log.get(*seq)) {
            return match &message.content {
                Content::Said { body: first, .. } if *first != body => Err(AppendError::IdReused),
                _ => Ok(Appended { message: Arc::clone(message), again: true, missed: Vec::new() }),
            };
        }
        let seq = log.newest + 1;
        let content = Content::Said { id: key.1.clone(), from: key.0.clone(), body };
        let message = Arc::new(Message { room, seq, sent_at: Timestamp::now(), content });
        if once {
            log.ids.insert(key, seq);
        }
        let before = log.bytes;
        log.push(Arc::clone(&message));
        self.bytes = self.bytes + log.bytes - before;
        self.make_room();
        Ok(Appended { message, again: false, missed: Vec::new() })
    }

    /// The number of a room's newest message.
    fn newest(&self, room: &RoomName) -> u64 {
        let known = self.logs.get(room).map(|log| log.newest).or_else(|| self.numbers.get(room).copied());
        known.unwrap_or(self.forgotten)
    }

    /// Forgets whole rooms until the rest fits: a quarter more than has to go, so that the search is seldom.
    fn make_room(&mut self) {
        if self.bytes <= ALL_BYTES {
            return;
        }
        let mut by_age: Vec<(u64, RoomName)> =
            self.logs.iter().map(|(name, log)| (log.last_append, name.clone())).collect();
        by_age.sort_unstable();
        for (_, name) in by_age {
            if self.bytes <= ALL_BYTES / 4 * 3 || self.logs.len() == 1 {
                break;
            }
            if let Some(log) = self.logs.remove(&name) {
                self.bytes = self.bytes + FORGOTTEN_ROOM - (log.bytes + EMPTY_ROOM);
                self.numbers.insert(name, log.newest);
            }
        }
        if self.numbers.len() * FORGOTTEN_ROOM > ALL_BYTES / 2 {
            self.bytes -= self.numbers.len() * FORGOTTEN_ROOM;
            let highest = std::mem::take(&mut self.numbers).into_values().max();
            self.forgotten = self.forgotten.max(highest.unwrap_or_default());
        }
    }
}

impl Log {
    /// Empty, with numbers that go on behind this.
    fn after(newest: u64) -> Self {
        Self { messages: VecDeque::new(), ids: HashMap::new(), newest, bytes: 0, last_append: 0 }
    }

    fn get(&self, seq: u64) -> Option<&Arc<Message>> {
        let oldest = self.messages.front()?.seq;
        self.messages.get(usize::try_from(seq.checked_sub(oldest)?).ok()?)
    }

    fn push(&mut self, message: Arc<Message>) {
        self.newest = message.seq;
        self.bytes += message.size();
        self.messages.push_back(message);
        while self.messages.len() > ROOM_MESSAGES || (self.bytes > ROOM_BYTES && self.messages.len() > 1) {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        let Some(oldest) = self.messages.pop_front() else { return };
        self.bytes -= oldest.size();
        if let Content::Said { id, from, .. } = &oldest.content {
            let key = (from.clone(), id.clone());
            if self.ids.get(&key) == Some(&oldest.seq) {
                self.ids.remove(&key);
            }
        }
    }

    fn page(&self, page: Page) -> Messages {
        let oldest = self.messages.front().map_or(self.newest + 1, |message| message.seq);
        let index = |seq: u64| usize::try_from(seq.saturating_sub(oldest)).unwrap_or(usize::MAX);
        let mut bytes = 0;
        let mut fits = |message: &&Arc<Message>| {
            bytes += message.encoded_size();
            bytes <= PAGE_BYTES || bytes == message.encoded_size()
        };
        match page {
            Page::After { seq, limit } => {
                let from = index(seq.saturating_add(1)).min(self.messages.len());
                let messages: Vec<_> =
                    self.messages.range(from..).take(limit).take_while(&mut fits).map(Arc::clone).collect();
                let more = from + messages.len() < self.messages.len();
                Messages { messages, more }
            }
            Page::Before { seq, limit } => {
                let end = index(seq).min(self.messages.len());
                let mut messages: Vec<_> = self
                    .messages
                    .range(..end)
                    .rev()
                    .take(limit)
                    .take_while(&mut fits)
                    .map(Arc::clone)
                    .collect();
                messages.reverse();
                let more = messages.len() < end;
                Messages { messages, more }
            }
        }
    }

    /// Drops what retention does not keep.
    fn prune(&mut self, retention: Retention, now: Timestamp) {
        let most =
            retention.max_count.map_or(usize::MAX, |count| usize::try_from(count).unwrap_or(usize::MAX));
        let age = retention.max_age.map(|age: Duration| i64::try_from(age.as_millis()).unwrap_or(i64::MAX));
        let too_old =
            |message: &Message| age.is_some_and(|age| message.sent_at.0 < now.0.saturating_sub(age));
        while self.messages.len() > most || self.messages.front().is_some_and(|oldest| too_old(oldest)) {
            self.drop_oldest();
        }
    }
}

impl HistoryStore for MemoryHistory {
    fn epoch(&self) -> Epoch {
        self.epoch.clone()
    }

    fn durability(&self) -> Durability {
        Durability::Memory
    }

    fn append(&self, message: NewMessage, told: Told) {
        let mut rooms = self.rooms.lock();
        let outcome = rooms.append(message);
        // still under the lock: answers come in the order of the numbers
        told(outcome);
    }

    fn newest(&self, room: RoomName) -> BoxFuture<'_, Result<u64, HistoryError>> {
        let rooms = self.rooms.lock();
        ready(Ok(rooms.newest(&room))).boxed()
    }

    fn page(&self, room: RoomName, page: Page) -> BoxFuture<'_, Result<Messages, HistoryError>> {
        let rooms = self.rooms.lock();
        ready(Ok(rooms.logs.get(&room).map_or_else(Messages::default, |log| log.page(page)))).boxed()
    }

    fn prune(&self, retention: Retention) -> BoxFuture<'_, Result<bool, HistoryError>> {
        let now = Timestamp::now();
        let mut rooms = self.rooms.lock();
        let Rooms { logs, bytes, .. } = &mut *rooms;
        for log in logs.values_mut() {
            let before = log.bytes;
            log.prune(retention, now);
            *bytes -= before - log.bytes;
        }
        ready(Ok(false)).boxed()
    }

    fn check(&self) -> BoxFuture<'_, Result<(), HistoryError>> {
        ready(Ok(())).boxed()
    }
}
