//! Short ways to use an index in tests. They panic where a call fails.

use chat_protocol::{Epoch, RoomName, Timestamp, Username};

use crate::{Document, Found, Position, Query, SearchIndex, Update};

/// A room of this name.
pub fn room(name: &str) -> RoomName {
    RoomName::parse(name).unwrap()
}

/// Rooms of these names.
pub fn rooms(names: &[&str]) -> Vec<RoomName> {
    names.iter().map(|name| room(name)).collect()
}

/// A name.
pub fn name(text: &str) -> Username {
    Username::parse(text).unwrap()
}

/// The epoch of these helpers.
pub fn epoch() -> Epoch {
    Epoch::new("first")
}

/// A position in this epoch, after which nothing is to be done.
pub fn position(seq: u64) -> Position {
    Position::new(epoch(), seq, seq, 1)
}

/// A message from ana, sent at the millisecond `1,000 × seq`.
pub fn document(seq: u64, body: &str) -> Document {
    document_at(seq, body, i64::try_from(seq).unwrap() * 1_000)
}

/// A message from ana, sent at this millisecond.
pub fn document_at(seq: u64, body: &str, millis: i64) -> Document {
    Document::new(seq, name("ana"), body, Timestamp::from_millis(millis))
}

/// An update with these messages, to the number of the last one.
pub fn update(in_room: &str, documents: Vec<Document>) -> Update {
    let seq = documents.iter().map(|document| document.seq).max().unwrap_or_default();
    Update { documents, ..Update::new(room(in_room), position(seq)) }
}

/// Indexes messages of one room.
pub async fn put(index: &dyn SearchIndex, in_room: &str, documents: Vec<Document>) {
    index.apply(vec![update(in_room, documents)]).await.unwrap();
}

/// Purges until there is nothing left to do.
pub async fn purge(index: &dyn SearchIndex) {
    while index.purge().await.unwrap() {}
}

/// What a search finds on its pages, as `room:seq`. Each page gets the cursor as a client returns
/// it.
pub async fn all(index: &dyn SearchIndex, query: Query) -> Vec<String> {
    let (mut all, mut before) = (Vec::new(), None);
    loop {
        let Found { keys, next } = index.search(query.clone().before(before)).await.unwrap();
        assert!(keys.len() <= query.limit);
        all.extend(keys.iter().map(|key| format!("{}:{}", key.room, key.seq)));
        match next {
            Some(cursor) => {
                assert!(before.is_none_or(|before| cursor < before), "{cursor} after {before:?}");
                before = Some(cursor.to_string().parse().unwrap());
            }
            None => return all,
        }
    }
}

/// What a search for this text finds in these rooms, as `room:seq`.
pub async fn find(index: &dyn SearchIndex, text: &str, names: &[&str]) -> Vec<String> {
    all(index, Query::new(text, rooms(names)).unwrap()).await
}
