//! Short ways to use a store in tests. They panic where a call fails.

use std::sync::Arc;

use chat_protocol::{
    DeletedBy, Deletion, Edit, Emoji, Message, MessageId, RoomName, RoomSettings, UserId, Username,
};
use futures::channel::oneshot;

use crate::{
    AppendError, Appended, HistoryStore, MAX_PAGE_BYTES, Messages, NewDeletion, NewEdit, NewEvent,
    NewMessage, NewReaction, NewRoomChange, Page, Retention, StoredEvent, StoredReaction,
};

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

/// The deletion of messages by the operator. They have to fit into one event.
pub fn deletion(in_room: &str, targets: &[u64]) -> NewDeletion {
    let in_room = room(in_room);
    let mut events = NewDeletion::batches(&in_room, targets, DeletedBy::Operator);
    let event = events.next().unwrap();
    assert!(events.next().is_none());
    event
}

/// Appends an event at once, and resolves to the result.
pub fn append<E: Into<NewEvent>>(
    store: &dyn HistoryStore,
    event: E,
) -> impl Future<Output = Outcome> + use<E> {
    let (sender, result) = oneshot::channel();
    store.append(event.into(), Box::new(move |outcome| sender.send(outcome).unwrap()));
    async { result.await.unwrap() }
}

/// Appends a message, and returns it as it is stored, now or before.
pub async fn stored(store: &dyn HistoryStore, message: NewMessage) -> Arc<Message> {
    Arc::clone(append(store, message).await.unwrap().message().unwrap())
}

/// Appends a message that has to be a duplicate, and returns the first one.
pub async fn duplicate(store: &dyn HistoryStore, message: NewMessage) -> Arc<Message> {
    let appended = append(store, message).await.unwrap();
    assert!(appended.is_duplicate(), "{appended:?}");
    Arc::clone(appended.message().unwrap())
}

/// Deletes messages of which at least one is not deleted, and returns the event.
pub async fn delete(store: &dyn HistoryStore, in_room: &str, targets: &[u64]) -> Arc<Deletion> {
    match append(store, deletion(in_room, targets)).await.unwrap() {
        Appended::Stored(StoredEvent::Deletion(deletion)) => deletion,
        other => panic!("{other:?}"),
    }
}

/// Carries out an edit that changes something, and returns the event.
pub async fn edit(store: &dyn HistoryStore, new: NewEdit) -> Arc<Edit> {
    match append(store, new).await.unwrap() {
        Appended::Stored(StoredEvent::Edit(edit)) => edit,
        other => panic!("{other:?}"),
    }
}

/// A user of this name puts an emoji on a message, or removes it.
pub fn reaction(in_room: &str, from: &str, target: u64, emoji: &str, is_added: bool) -> NewReaction {
    let emoji = Emoji::parse(emoji).unwrap();
    NewReaction::new(room(in_room), target, [user(from)].into(), name(from), emoji, is_added)
}

/// Carries out a reaction that changes something, and returns the event.
pub async fn react(store: &dyn HistoryStore, new: NewReaction) -> Arc<StoredReaction> {
    match append(store, new).await.unwrap() {
        Appended::Stored(StoredEvent::Reaction(reaction)) => reaction,
        other => panic!("{other:?}"),
    }
}

/// Changes the settings of a room, and returns the number of the event and the version of the
/// policy.
pub async fn configure(store: &dyn HistoryStore, in_room: &str, settings: &RoomSettings) -> (u64, u64) {
    let change = NewRoomChange::new(room(in_room), settings.clone());
    match append(store, change).await.unwrap() {
        Appended::Stored(StoredEvent::RoomChange(change, version)) => {
            assert_eq!((&change.room, &change.settings), (&room(in_room), settings));
            (change.seq, version)
        }
        other => panic!("{other:?}"),
    }
}

/// The number of the newest event in a room.
pub async fn newest(store: &dyn HistoryStore, name: &str) -> u64 {
    store.extent(room(name), Retention::default()).await.unwrap().newest
}

/// Appends a message that has to be new, and returns its number.
pub async fn seq_of(store: &dyn HistoryStore, message: NewMessage) -> u64 {
    let appended = append(store, message).await.unwrap();
    assert!(matches!(appended, Appended::Stored(_)), "{appended:?}");
    appended.seq().unwrap()
}

/// A page of a room, whose limits and order are checked.
pub async fn page(store: &dyn HistoryStore, name: &str, page: Page) -> Messages {
    kept_page(store, name, page, Retention::default()).await
}

/// A page of what retention keeps of a room, whose limits and order are checked.
pub async fn kept_page(store: &dyn HistoryStore, name: &str, page: Page, retention: Retention) -> Messages {
    let found = store.page(room(name), page, retention).await.unwrap();
    let limit = match page {
        Page::Before { limit, .. } | Page::After { limit, .. } => limit,
    };
    let bytes: usize = found.messages.iter().map(|message| message.encoded_size()).sum();
    assert!(found.messages.len() <= limit);
    assert!(bytes <= MAX_PAGE_BYTES || found.messages.len() == 1);
    assert!(found.messages.is_sorted_by(|a, b| a.seq < b.seq));
    assert!(found.messages.iter().all(|message| (found.first..=found.last).contains(&message.seq)));
    assert!(found.first <= found.last + 1 && found.last <= found.newest);
    match page {
        Page::After { .. } if !found.more => assert_eq!(found.last, found.newest),
        Page::After { seq, .. } => assert!(found.first > seq),
        Page::Before { seq, .. } => assert_eq!(found.last, seq.saturating_sub(1).min(found.newest)),
    }
    found
}

/// Whether a page is empty, and the last in its direction.
pub fn is_end(page: &Messages) -> bool {
    page.messages.is_empty() && !page.more
}

/// All messages of a room, read page by page from the oldest.
pub async fn all_after(store: &dyn HistoryStore, name: &str, limit: usize) -> Vec<Arc<Message>> {
    let (mut all, mut seq) = (Vec::<Arc<Message>>::new(), 0);
    loop {
        let Messages { messages, more, last, .. } = page(store, name, Page::After { seq, limit }).await;
        seq = last;
        all.extend(messages);
        if !more {
            return all;
        }
    }
}

/// All messages of a room, oldest first, read page by page from the newest.
pub async fn all_before(store: &dyn HistoryStore, name: &str, limit: usize) -> Vec<Arc<Message>> {
    let (mut all, mut seq) = (Vec::<Arc<Message>>::new(), u64::MAX);
    loop {
        let Messages { messages, more, first, .. } = page(store, name, Page::Before { seq, limit }).await;
        seq = first;
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

/// The text of a message; `None` if it was deleted.
pub fn body(message: &Message) -> Option<&str> {
    message.text().map(|text| &*text.body)
}
