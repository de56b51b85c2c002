//! The store in memory.

mod users;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use chat_protocol::{Content, Epoch, Message, MessageId, RoomName, Timestamp, UserId};
use futures::future::{BoxFuture, FutureExt, ready};
use parking_lot::Mutex;

use crate::{
    AppendError, Appended, Durability, HistoryError, HistoryStore, MAX_PAGE_BYTES, Messages, NewMessage,
    OnAppended, Page, Retention,
};

pub use users::MemoryUserMessages;

/// How much of one room is kept: this number of messages, and of bytes.
const MAX_ROOM_MESSAGES: usize = 1_000;
const MAX_ROOM_BYTES: usize = 1 << 20;

/// How many bytes of all rooms are kept. Beyond this limit all messages of the rooms with the
/// oldest last append are forgotten, while their numbers continue. Only if the numbers of all rooms
/// do not fit either, some of those are forgotten, too.
const MAX_BYTES: usize = 64 << 20;

/// The size of a room without its messages, and of a room whose messages are forgotten. Both count
/// towards [`MAX_BYTES`].
const EMPTY_ROOM: usize = 512;
const FORGOTTEN_ROOM: usize = 160;

/// History in memory: the newest messages of each room, lost when the process ends. It never fails,
/// and an append completes before it returns.
///
/// It keeps 1,000 messages and 1 MiB per room and 64 MiB in all, and recognises the id of a message
/// for as long as it keeps the message.
#[derive(Debug)]
pub struct MemoryHistory {
    epoch: Epoch,
    rooms: Arc<Mutex<Rooms>>,
}

#[derive(Debug, Default)]
struct Rooms {
    logs: HashMap<RoomName, Log>,
    /// The newest numbers of rooms whose messages were forgotten.
    numbers: HashMap<RoomName, u64>,
    /// The total size of both.
    bytes: usize,
    /// Counts appends: the clock that finds the rooms with the oldest last append.
    appends: u64,
    /// Counts the rooms that were created.
    created: i64,
    /// The highest number of the rooms whose numbers were forgotten. An unknown room may be one of
    /// them: its numbers continue after this one, so that no number is used twice.
    forgotten: u64,
}

/// The newest messages of one room, with consecutive numbers.
#[derive(Debug)]
struct Log {
    messages: VecDeque<Arc<Message>>,
    /// The ids of the idempotent messages, by author and id. Erased messages keep their entries.
    ids: HashMap<(UserId, MessageId), Claim>,
    newest: u64,
    bytes: usize,
    /// The last append to this room.
    last_append: u64,
    /// The position of the room in a walk through all rooms.
    position: i64,
}

/// The first message with an id.
#[derive(Debug, Clone, Copy)]
struct Claim {
    seq: u64,
    digest: u64,
}

impl Default for MemoryHistory {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryHistory {
    /// An empty store in a new epoch.
    pub fn new() -> Self {
        Self { epoch: Epoch::from_random(rand::random()), rooms: Arc::default() }
    }

    /// Access to the messages of one user.
    pub fn user_messages(&self) -> MemoryUserMessages {
        MemoryUserMessages::new(Arc::clone(&self.rooms))
    }
}

impl Rooms {
    /// `digest` is that of an idempotent message.
    fn append(&mut self, new: NewMessage, digest: Option<u64>) -> Result<Appended, AppendError> {
        self.appends += 1;
        let log = self.logs.entry(new.room.clone()).or_insert_with(|| {
            self.bytes += EMPTY_ROOM;
            let newest = self.numbers.remove(&new.room);
            self.bytes -= newest.map_or(0, |_| FORGOTTEN_ROOM);
            self.created += 1;
            Log::after(newest.unwrap_or(self.forgotten), self.created)
        });
        log.last_append = self.appends;
        let seq = log.newest + 1;
        if let Some(digest) = digest {
            let key = (new.user.clone(), new.id.clone());
            if let Some(claim) = log.ids.get(&key)
                && let Some(first) = log.get(claim.seq)
            {
                let is_same = claim.digest == digest;
                return if is_same {
                    Ok(Appended::duplicate(Arc::clone(first)))
                } else {
                    Err(AppendError::IdReused)
                };
            }
            log.ids.insert(key, Claim { seq, digest });
        }
        let message = Arc::new(new.numbered(seq, Timestamp::now()));
        let before = log.bytes;
        log.push(Arc::clone(&message));
        self.bytes = self.bytes + log.bytes - before;
        self.evict();
        Ok(Appended::new(message))
    }

    /// The number of the newest message of a room.
    fn newest(&self, room: &RoomName) -> u64 {
        let known = self.logs.get(room).map(|log| log.newest).or_else(|| self.numbers.get(room).copied());
        known.unwrap_or(self.forgotten)
    }

    /// Forgets the messages of whole rooms until the rest fits, and a quarter more, so that the
    /// search is rare.
    fn evict(&mut self) {
        if self.bytes <= MAX_BYTES {
            return;
        }
        let mut by_age: Vec<(u64, RoomName)> =
            self.logs.iter().map(|(name, log)| (log.last_append, name.clone())).collect();
        by_age.sort_unstable();
        for (_, name) in by_age {
            if self.bytes <= MAX_BYTES / 4 * 3 || self.logs.len() == 1 {
                break;
            }
            if let Some(log) = self.logs.remove(&name) {
                self.bytes = self.bytes + FORGOTTEN_ROOM - (log.bytes + EMPTY_ROOM);
                self.numbers.insert(name, log.newest);
            }
        }
        if self.numbers.len() * FORGOTTEN_ROOM > MAX_BYTES / 2 {
            self.bytes -= self.numbers.len() * FORGOTTEN_ROOM;
            let highest = std::mem::take(&mut self.numbers).into_values().max();
            self.forgotten = self.forgotten.max(highest.unwrap_or_default());
        }
    }
}

impl Log {
    /// An empty room whose numbers continue after `newest`.
    fn after(newest: u64, position: i64) -> Self {
        Self { messages: VecDeque::new(), ids: HashMap::new(), newest, bytes: 0, last_append: 0, position }
    }

    fn get(&self, seq: u64) -> Option<&Arc<Message>> {
        let oldest = self.messages.front()?.seq;
        self.messages.get(usize::try_from(seq.checked_sub(oldest)?).ok()?)
    }

    fn push(&mut self, message: Arc<Message>) {
        self.newest = message.seq;
        self.bytes += message.size();
        self.messages.push_back(message);
        while self.messages.len() > MAX_ROOM_MESSAGES
            || (self.bytes > MAX_ROOM_BYTES && self.messages.len() > 1)
        {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        let Some(oldest) = self.messages.pop_front() else { return };
        self.bytes -= oldest.size();
        match &oldest.content {
            Content::Text(text) => {
                let key = (text.user.clone(), text.id.clone());
                if self.ids.get(&key).is_some_and(|claim| claim.seq == oldest.seq) {
                    self.ids.remove(&key);
                }
            }
            _ => self.ids.retain(|_, claim| claim.seq != oldest.seq),
        }
    }

    fn page(&self, page: Page) -> Messages {
        let oldest = self.messages.front().map_or(self.newest + 1, |message| message.seq);
        let index = |seq: u64| usize::try_from(seq.saturating_sub(oldest)).unwrap_or(usize::MAX);
        let mut bytes = 0;
        let mut fits = |message: &&Arc<Message>| {
            bytes += message.encoded_size();
            bytes <= MAX_PAGE_BYTES || bytes == message.encoded_size()
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

    /// Removes the messages that retention does not keep.
    fn prune(&mut self, retention: Retention, now: Timestamp) {
        let max =
            retention.max_count.map_or(usize::MAX, |count| usize::try_from(count).unwrap_or(usize::MAX));
        let age = retention.max_age.map(|age: Duration| i64::try_from(age.as_millis()).unwrap_or(i64::MAX));
        let too_old = |message: &Message| {
            age.is_some_and(|age| message.sent_at.as_millis() < now.as_millis().saturating_sub(age))
        };
        while self.messages.len() > max || self.messages.front().is_some_and(|oldest| too_old(oldest)) {
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

    fn append(&self, message: NewMessage, on_appended: OnAppended) {
        let digest = message.idempotent.then(|| message.digest());
        let mut rooms = self.rooms.lock();
        let outcome = rooms.append(message, digest);
        // under the lock, so that results come in the order of the numbers
        on_appended(outcome);
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
