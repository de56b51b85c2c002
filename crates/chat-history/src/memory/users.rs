//! The messages of one user in the memory store.

use std::sync::Arc;

use chat_protocol::{Message, RoomName};
use futures::future::{BoxFuture, FutureExt};
use parking_lot::Mutex;

use super::Rooms;
use crate::{Cursor, HistoryError, MAX_PAGE_BYTES, MessageKey, Step, UserMessages, UserQuery, UserReaction};

/// How many rooms one step looks at. Each has at most 1,000 messages.
const MAX_ROOMS: usize = 64;

/// The messages of one user in a [`MemoryHistory`](crate::MemoryHistory).
#[derive(Debug, Clone)]
pub struct MemoryUserMessages {
    rooms: Arc<Mutex<Rooms>>,
}

impl MemoryUserMessages {
    pub(super) fn new(rooms: Arc<Mutex<Rooms>>) -> Self {
        Self { rooms }
    }
}

impl Rooms {
    /// The next rooms in order of creation, with their positions, and whether there are more.
    fn walk(&self, after: Option<Cursor>) -> (Vec<(i64, RoomName)>, bool) {
        let after = after.map_or(0, Cursor::position);
        let mut rooms: Vec<_> = self
            .logs
            .iter()
            .filter(|(_, log)| log.position > after)
            .map(|(name, log)| (log.position, name))
            .collect();
        let more = rooms.len() > MAX_ROOMS;
        if more {
            rooms.select_nth_unstable(MAX_ROOMS);
            rooms.truncate(MAX_ROOMS);
        }
        rooms.sort_unstable();
        (rooms.into_iter().map(|(position, name)| (position, name.clone())).collect(), more)
    }

    fn page(&self, query: &UserQuery, after: Option<Cursor>) -> Step<Vec<Arc<Message>>> {
        let (rooms, more) = self.walk(after);
        let (mut found, mut bytes, mut last) = (Vec::new(), 0, None);
        for (position, name) in rooms {
            let Some(log) = self.logs.get(&name) else { continue };
            let messages = || log.messages.iter().filter(|message| body_of(message, query).is_some());
            bytes += messages().filter_map(|message| body_of(message, query)).map(str::len).sum::<usize>();
            // whole rooms only: a cursor is a position of a room
            if bytes > MAX_PAGE_BYTES && !found.is_empty() {
                return Step::new(found, last);
            }
            found.extend(messages().map(Arc::clone));
            last = Cursor::new(position).ok();
        }
        Step::new(found, last.filter(|_| more))
    }

    fn find(&self, query: &UserQuery, after: Option<Cursor>) -> Step<Vec<MessageKey>> {
        let (rooms, more) = self.walk(after);
        let (mut found, mut last) = (Vec::new(), None);
        for (position, name) in rooms {
            let Some(log) = self.logs.get(&name) else { continue };
            let messages = log.messages.iter().filter(|message| body_of(message, query).is_some());
            found.extend(messages.map(|message| MessageKey::new(name.clone(), message.seq)));
            last = Cursor::new(position).ok();
        }
        Step::new(found, last.filter(|_| more))
    }
}

impl Rooms {
    fn reactions(&self, query: &UserQuery, after: Option<Cursor>) -> Step<Vec<UserReaction>> {
        let (rooms, more) = self.walk(after);
        let (mut found, mut last) = (Vec::new(), None);
        for (position, name) in rooms {
            let Some(log) = self.logs.get(&name) else { continue };
            for (seq, reactors) in &log.reactors {
                for (emoji, users) in reactors {
                    let theirs =
                        users.iter().filter(|reactor| query.matches(&reactor.user, &reactor.username));
                    found.extend(theirs.map(|reactor| {
                        let message = MessageKey::new(name.clone(), *seq);
                        UserReaction::new(message, reactor.username.clone(), emoji.clone())
                    }));
                }
            }
            last = Cursor::new(position).ok();
        }
        Step::new(found, last.filter(|_| more))
    }
}

/// The body of a message that is meant; `None` for others, and if it was deleted.
fn body_of<'m>(message: &'m Message, query: &UserQuery) -> Option<&'m str> {
    message.text().filter(|text| query.matches(&text.user, &text.from)).map(|text| &*text.body)
}

impl UserMessages for MemoryUserMessages {
    fn page(
        &self,
        query: UserQuery,
        after: Option<Cursor>,
    ) -> BoxFuture<'_, Result<Step<Vec<Arc<Message>>>, HistoryError>> {
        async move { Ok(self.rooms.lock().page(&query, after)) }.boxed()
    }

    fn find(
        &self,
        query: UserQuery,
        after: Option<Cursor>,
    ) -> BoxFuture<'_, Result<Step<Vec<MessageKey>>, HistoryError>> {
        async move { Ok(self.rooms.lock().find(&query, after)) }.boxed()
    }

    fn reactions(
        &self,
        query: UserQuery,
        after: Option<Cursor>,
    ) -> BoxFuture<'_, Result<Step<Vec<UserReaction>>, HistoryError>> {
        async move { Ok(self.rooms.lock().reactions(&query, after)) }.boxed()
    }
}
