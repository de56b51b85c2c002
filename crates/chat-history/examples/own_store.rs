//! A history store of your own, checked by the conformance suite:
//! `cargo run -p chat-history --features conformance --example own_store`.
#![allow(clippy::print_stdout)]

use std::collections::HashMap;
use std::sync::Arc;

use chat_history::conformance::{self, History};
use chat_history::{
    AppendError, Appended, Durability, HistoryError, HistoryStore, MAX_PAGE_BYTES, Messages, NewMessage,
    OnAppended, Page, Retention,
};
use chat_protocol::{Epoch, Message, MessageId, RoomName, Timestamp, UserId};
use futures::future::{BoxFuture, FutureExt, ready};
use parking_lot::Mutex;

/// All messages of a room, and what survives pruning: the newest number, and the ids.
#[derive(Debug, Default)]
struct Room {
    messages: Vec<Arc<Message>>,
    newest: u64,
    /// The first idempotent message with each id of an author, and its digest.
    ids: HashMap<(UserId, MessageId), (Arc<Message>, u64)>,
}

/// Messages in lists. It keeps all ids; a real store removes those that are older than a day.
#[derive(Debug)]
struct ListHistory {
    epoch: Epoch,
    rooms: Mutex<HashMap<RoomName, Room>>,
}

impl Room {
    fn append(&mut self, new: NewMessage) -> Result<Appended, AppendError> {
        let (key, digest) = ((new.user.clone(), new.id.clone()), new.digest());
        if new.idempotent
            && let Some((first, known)) = self.ids.get(&key)
        {
            let is_same = *known == digest;
            return if is_same {
                Ok(Appended::duplicate(Arc::clone(first)))
            } else {
                Err(AppendError::IdReused)
            };
        }
        self.newest += 1;
        let idempotent = new.idempotent;
        let message = Arc::new(new.numbered(self.newest, Timestamp::now()));
        if idempotent {
            self.ids.insert(key, (Arc::clone(&message), digest));
        }
        self.messages.push(Arc::clone(&message));
        Ok(Appended::new(message))
    }

    fn page(&self, page: Page) -> Messages {
        let in_range: Vec<_> = self
            .messages
            .iter()
            .filter(|message| match page {
                Page::Before { seq, .. } => message.seq < seq,
                Page::After { seq, .. } => message.seq > seq,
            })
            .collect();
        let mut bytes = 0;
        let mut fits = |message: &&&Arc<Message>| {
            bytes += message.encoded_size();
            bytes <= MAX_PAGE_BYTES || bytes == message.encoded_size()
        };
        let mut messages: Vec<Arc<Message>> = match page {
            Page::Before { limit, .. } => in_range
                .iter()
                .rev()
                .take(limit)
                .take_while(&mut fits)
                .map(|message| Arc::clone(message))
                .collect(),
            Page::After { limit, .. } => {
                in_range.iter().take(limit).take_while(&mut fits).map(|message| Arc::clone(message)).collect()
            }
        };
        messages.sort_unstable_by_key(|message| message.seq);
        let more = messages.len() < in_range.len();
        Messages { messages, more }
    }
}

impl HistoryStore for ListHistory {
    fn epoch(&self) -> Epoch {
        self.epoch.clone()
    }

    fn durability(&self) -> Durability {
        Durability::Memory
    }

    fn append(&self, message: NewMessage, on_appended: OnAppended) {
        let mut rooms = self.rooms.lock();
        let result = rooms.entry(message.room.clone()).or_default().append(message);
        // under the lock, so that results come in the order of the numbers
        on_appended(result);
    }

    fn newest(&self, room: RoomName) -> BoxFuture<'_, Result<u64, HistoryError>> {
        ready(Ok(self.rooms.lock().get(&room).map_or(0, |room| room.newest))).boxed()
    }

    fn page(&self, room: RoomName, page: Page) -> BoxFuture<'_, Result<Messages, HistoryError>> {
        ready(Ok(self.rooms.lock().get(&room).map_or_else(Messages::default, |room| room.page(page)))).boxed()
    }

    fn prune(&self, retention: Retention) -> BoxFuture<'_, Result<bool, HistoryError>> {
        let now = Timestamp::now();
        for room in self.rooms.lock().values_mut() {
            let newest = room.newest;
            room.messages.retain(|message| retention.keeps(message.seq, message.sent_at, newest, now));
        }
        ready(Ok(false)).boxed()
    }

    fn check(&self) -> BoxFuture<'_, Result<(), HistoryError>> {
        ready(Ok(())).boxed()
    }
}

fn main() -> std::io::Result<()> {
    tokio::runtime::Runtime::new()?.block_on(conformance::run(async || {
        History::new(ListHistory { epoch: Epoch::from_random(rand::random()), rooms: Mutex::default() })
    }));
    println!("the store keeps all promises of HistoryStore");
    Ok(())
}
