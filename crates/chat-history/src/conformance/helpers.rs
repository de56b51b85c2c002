//! Short ways to use a store in tests. They panic where a call fails.

use std::sync::Arc;

use chat_protocol::{Message, MessageId, RoomName, UserId, Username};
use futures::channel::oneshot;

use crate::{AppendError, Appended, HistoryStore, MAX_PAGE_BYTES, Messages, NewMessage, Page, Retention};

/// The result of an append.
pub type Outcome = Result<Appended, AppendError>;

/// A room of this name.
pub fn room(name: &str) -> RoomName {
    RoomName::parse(name).unwrap()
}

/// A name.
pub fn name(text: &str) -> Username {
    Username::parse(text).unwrap()
}

/// The id of the user that the messages of these helpers have under this name. The names have to be
/// ASCII.
pub fn user(name: &str) -> UserId {
    format!("u_{name}").parse().unwrap()
}

/// An id that an author has chosen.
pub fn id(text: &str) -> MessageId {
    text.parse().unwrap()
}

/// A message with a generated id.
pub fn message(in_room: &str, from: &str, body: &str) -> NewMessage {
    NewMessage::new(room(in_room), user(from), name(from), body, MessageId::from_random(rand::random()))
}

/// A message with an id that its author has chosen.
pub fn idempotent_message(in_room: &str, from: &str, body: &str, own_id: &str) -> NewMessage {
    NewMessage::new(room(in_room), user(from), name(from), body, id(own_id)).idempotent(true)
}

/// Appends a message at once, and resolves to the result.
pub fn append(store: &dyn HistoryStore, message: NewMessage) -> impl Future<Output = Outcome> + use<> {
    let (sender, result) = oneshot::channel();
    store.append(message, Box::new(move |outcome| sender.send(outcome).unwrap()));
    async { result.await.unwrap() }
}

/// Appends a message that has to be new, and returns its number.
pub async fn seq_of(store: &dyn HistoryStore, message: NewMessage) -> u64 {
    let appended = append(store, message).await.unwrap();
    assert!(!appended.duplicate && appended.recovered.is_empty(), "{appended:?}");
    appended.message.seq
}

/// A page of a room, whose limits and order are checked.
pub async fn page(store: &dyn HistoryStore, name: &str, page: Page) -> Messages {
    let found = store.page(room(name), page).await.unwrap();
    let limit = match page {
        Page::Before { limit, .. } | Page::After { limit, .. } => limit,
    };
    let bytes: usize = found.messages.iter().map(|message| message.encoded_size()).sum();
    assert!(found.messages.len() <= limit);
    assert!(bytes <= MAX_PAGE_BYTES || found.messages.len() == 1);
    assert!(found.messages.is_sorted_by(|a, b| a.seq + 1 == b.seq));
    found
}

/// All messages of a room, read page by page from the oldest.
pub async fn all_after(store: &dyn HistoryStore, name: &str, limit: usize) -> Vec<Arc<Message>> {
    let mut all = Vec::<Arc<Message>>::new();
    loop {
        let seq = all.last().map_or(0, |last| last.seq);
        let Messages { messages, more } = page(store, name, Page::After { seq, limit }).await;
        all.extend(messages);
        if !more {
            return all;
        }
    }
}

/// All messages of a room, oldest first, read page by page from the newest.
pub async fn all_before(store: &dyn HistoryStore, name: &str, limit: usize) -> Vec<Arc<Message>> {
    let mut all = Vec::<Arc<Message>>::new();
    loop {
        let seq = all.first().map_or(u64::MAX, |first| first.seq);
        let Messages { messages, more } = page(store, name, Page::Before { seq, limit }).await;
        all.splice(0..0, messages);
        if !more {
            return all;
        }
    }
}

/// Prunes until there is nothing left to do.
pub async fn prune(store: &dyn HistoryStore, retention: Retention) {
    while store.prune(retention).await.unwrap() {}
}

/// The numbers of messages.
pub fn seqs(messages: &[Arc<Message>]) -> Vec<u64> {
    messages.iter().map(|message| message.seq).collect()
}

/// The text of a message; `None` if it was erased.
pub fn body(message: &Message) -> Option<&str> {
    message.text().map(|text| &*text.body)
}
