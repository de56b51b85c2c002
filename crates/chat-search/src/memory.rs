//! The index in memory.

use std::collections::{BTreeMap, HashMap, HashSet};

use chat_history::MessageKey;
use chat_protocol::{Epoch, RoomName, Username};
use futures::future::{BoxFuture, FutureExt};
use parking_lot::Mutex;

use crate::key::{Key, first_key};
use crate::{Cursor, Document, Found, Position, Query, SearchError, SearchIndex, Update, analysis};

/// How many messages one search looks at: some ten milliseconds.
const MAX_SCANNED: usize = 50_000;

/// An index in memory, for a history in memory. It keeps the terms of each message and compares
/// them one message after the other, so it suits some 100,000 messages at most.
#[derive(Debug, Default)]
pub struct MemoryIndex {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    rooms: HashMap<RoomName, Room>,
    documents: BTreeMap<Key, Indexed>,
}

#[derive(Debug)]
struct Room {
    position: Position,
    /// The keys of the messages, by number.
    keys: BTreeMap<u64, Key>,
}

#[derive(Debug)]
struct Indexed {
    room: RoomName,
    seq: u64,
    from: Username,
    terms: Box<str>,
}

impl MemoryIndex {
    /// An empty index.
    pub fn new() -> Self {
        Self::default()
    }
}

impl State {
    fn search(&self, query: &Query) -> Found {
        let rooms: HashSet<&RoomName> = query.rooms.iter().collect();
        let before = query.before.map_or(Key::MAX, Cursor::position);
        let mut keys: Vec<MessageKey> = Vec::new();
        let mut last = before;
        for (scanned, (key, indexed)) in self.documents.range(..before).rev().enumerate() {
            let is_found = rooms.contains(&indexed.room)
                && query.from.as_ref().is_none_or(|from| *from == indexed.from)
                && query.matches_terms(&indexed.terms);
            if scanned == MAX_SCANNED || (is_found && keys.len() == query.limit) {
                return Found::new(keys, Cursor::new(last).ok());
            }
            if is_found {
                keys.push(MessageKey::new(indexed.room.clone(), indexed.seq));
            }
            last = *key;
        }
        Found::new(keys, None)
    }

    fn apply(&mut self, update: Update) {
        let Update { room: name, position, restart, removed, documents } = update;
        let known = self.rooms.get(&name).is_some_and(|room| room.position.epoch == position.epoch);
        if restart || !known {
            self.remove_room(&name);
        }
        let room = self
            .rooms
            .entry(name.clone())
            .or_insert_with(|| Room { position: position.clone(), keys: BTreeMap::new() });
        for seq in removed {
            if let Some(key) = room.keys.remove(&seq) {
                self.documents.remove(&key);
            }
        }
        // where the search for a free key begins: many messages may have the same time
        let mut free: HashMap<Key, Key> = HashMap::new();
        for Document { seq, from, body, sent_at } in documents {
            let terms = analysis::terms(&body);
            if terms.is_empty() {
                if let Some(key) = room.keys.remove(&seq) {
                    self.documents.remove(&key);
                }
                continue;
            }
            let key = *room.keys.entry(seq).or_insert_with(|| {
                let next = free.entry(first_key(sent_at)).or_insert(first_key(sent_at));
                while self.documents.contains_key(next) {
                    *next += 1;
                }
                *next
            });
            self.documents.insert(key, Indexed { room: name.clone(), seq, from, terms: terms.into() });
        }
        let kept = room.keys.split_off(&position.oldest);
        for key in std::mem::replace(&mut room.keys, kept).into_values() {
            self.documents.remove(&key);
        }
        room.position = position;
    }

    fn remove_room(&mut self, name: &RoomName) {
        if let Some(room) = self.rooms.remove(name) {
            for key in room.keys.into_values() {
                self.documents.remove(&key);
            }
        }
    }
}

impl SearchIndex for MemoryIndex {
    fn search(&self, query: Query) -> BoxFuture<'_, Result<Found, SearchError>> {
        async move { Ok(self.state.lock().search(&query)) }.boxed()
    }

    fn positions(&self, rooms: Vec<RoomName>) -> BoxFuture<'_, Result<Vec<Option<Position>>, SearchError>> {
        async move {
            let state = self.state.lock();
            let position = |room| state.rooms.get(room).map(|room| room.position.clone());
            Ok(rooms.iter().map(position).collect())
        }
        .boxed()
    }

    fn apply(&self, updates: Vec<Update>) -> BoxFuture<'_, Result<(), SearchError>> {
        async move {
            let mut state = self.state.lock();
            updates.into_iter().for_each(|update| state.apply(update));
            Ok(())
        }
        .boxed()
    }

    fn keep_epoch(&self, epoch: Epoch) -> BoxFuture<'_, Result<(), SearchError>> {
        async move {
            let mut state = self.state.lock();
            let others = state.rooms.iter().filter(|(_, room)| room.position.epoch != epoch);
            let others: Vec<_> = others.map(|(name, _)| name.clone()).collect();
            others.iter().for_each(|name| state.remove_room(name));
            Ok(())
        }
        .boxed()
    }

    fn purge(&self) -> BoxFuture<'_, Result<bool, SearchError>> {
        async move { Ok(false) }.boxed()
    }

    fn optimize(&self) -> BoxFuture<'_, Result<(), SearchError>> {
        async move { Ok(()) }.boxed()
    }

    fn clear(&self) -> BoxFuture<'_, Result<(), SearchError>> {
        async move {
            *self.state.lock() = State::default();
            Ok(())
        }
        .boxed()
    }
}
