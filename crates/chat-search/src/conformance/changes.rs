//! What changes.

use chat_protocol::Epoch;

use super::Index;
use super::helpers::{document, epoch, find, name, position, purge, put, room, rooms, update};
use crate::{Document, Position, SearchIndex, Update};

/// A new version of a message replaces the old one.
pub async fn a_changed_message_is_found_by_its_new_text(index: Index) {
    let index = &*index.index;
    put(index, "r", vec![document(1, "first text"), document(2, "second text")]).await;
    put(index, "r", vec![document(1, "changed text")]).await;
    assert_eq!(find(index, "first ", &["r"]).await, [""; 0]);
    assert_eq!(find(index, "fir", &["r"]).await, [""; 0]);
    assert_eq!(find(index, "changed ", &["r"]).await, ["r:1"]);
    assert_eq!(find(index, "text ", &["r"]).await, ["r:2", "r:1"], "it keeps its place");
    // without a word that could be found, and back
    put(index, "r", vec![document(1, "...")]).await;
    assert_eq!(find(index, "text ", &["r"]).await, ["r:2"]);
    put(index, "r", vec![document(1, "text")]).await;
    assert_eq!(find(index, "text ", &["r"]).await, ["r:2", "r:1"]);
    // several versions at once
    put(index, "r", vec![document(1, "one"), document(1, "two"), document(3, "x"), document(3, "two")]).await;
    assert_eq!(find(index, "one ", &["r"]).await, [""; 0]);
    assert_eq!(find(index, "two ", &["r"]).await, ["r:3", "r:1"]);
}

/// A removed message is not found, and others are.
pub async fn a_removed_message_is_not_found(index: Index) {
    let index = &*index.index;
    put(index, "r", (1..=5).map(|seq| document(seq, "hello world")).collect()).await;
    put(index, "s", vec![document(2, "hello")]).await;
    let removal = Update { removed: vec![2, 4, 99], ..Update::new(room("r"), position(6)) };
    index.apply(vec![removal.clone()]).await.unwrap();
    assert_eq!(find(index, "hello", &["r"]).await, ["r:5", "r:3", "r:1"]);
    assert_eq!(find(index, "hel", &["r", "s"]).await, ["r:5", "r:3", "s:2", "r:1"]);
    index.apply(vec![removal]).await.unwrap();
    purge(index).await;
    assert_eq!(find(index, "world", &["r"]).await, ["r:5", "r:3", "r:1"]);
}

/// Messages below the oldest number are not found, before and after they are purged.
pub async fn messages_below_the_oldest_are_not_found(index: Index) {
    let index = &*index.index;
    put(index, "r", (1..=900).map(|seq| document(seq, "hello")).collect()).await;
    put(index, "s", vec![document(1, "hello")]).await;
    let oldest = |oldest| Update::new(room("r"), Position::new(epoch(), 900, 900, oldest));
    index.apply(vec![oldest(899)]).await.unwrap();
    assert_eq!(find(index, "hello", &["r", "s"]).await, ["r:900", "r:899", "s:1"]);
    purge(index).await;
    assert_eq!(find(index, "hello", &["r", "s"]).await, ["r:900", "r:899", "s:1"]);
    index.apply(vec![oldest(901)]).await.unwrap();
    assert_eq!(find(index, "hello", &["r"]).await, [""; 0]);
    purge(index).await;
    assert_eq!(find(index, "hello", &["r", "s"]).await, ["s:1"]);
    // a message below the oldest number that comes later
    let late = Update { documents: vec![document(5, "late")], ..oldest(901) };
    index.apply(vec![late]).await.unwrap();
    assert_eq!(find(index, "late", &["r"]).await, [""; 0]);
}

/// A room that begins again has only what it got since.
pub async fn a_room_that_begins_again_has_no_old_messages(index: Index) {
    let index = &*index.index;
    put(index, "r", (1..=500).map(|seq| document(seq, "old")).collect()).await;
    put(index, "s", vec![document(1, "old")]).await;
    let again = Update { restart: true, ..update("r", vec![document(1, "new")]) };
    index.apply(vec![again]).await.unwrap();
    assert_eq!(find(index, "old", &["r", "s"]).await, ["s:1"]);
    assert_eq!(find(index, "new", &["r", "s"]).await, ["r:1"]);
    assert_eq!(index.positions(rooms(&["r"])).await.unwrap(), [Some(position(1))]);
    purge(index).await;
    assert_eq!(find(index, "old", &["r", "s"]).await, ["s:1"]);
    assert_eq!(find(index, "new", &["r", "s"]).await, ["r:1"]);
}

/// What was indexed in another epoch is not found.
pub async fn another_epoch_begins_again(index: Index) {
    let index = &*index.index;
    for name in ["r", "s"] {
        put(index, name, vec![document(1, "old"), document(2, "old")]).await;
    }
    let second = Epoch::new("second");
    let position = Position::new(second.clone(), 1, 1, 1);
    let begin = Update { documents: vec![document(1, "new")], ..Update::new(room("r"), position.clone()) };
    index.apply(vec![begin]).await.unwrap();
    assert_eq!(find(index, "old", &["r", "s"]).await, ["s:2", "s:1"]);
    assert_eq!(find(index, "new", &["r", "s"]).await, ["r:1"]);
    index.keep_epoch(second).await.unwrap();
    assert_eq!(find(index, "old", &["r", "s"]).await, [""; 0]);
    assert_eq!(index.positions(rooms(&["s", "r"])).await.unwrap(), [None, Some(position)]);
    purge(index).await;
    assert_eq!(find(index, "new", &["r", "s"]).await, ["r:1"]);
}

/// The positions of rooms are those of their last updates, in the order of the question.
pub async fn positions_are_kept(index: Index) {
    let index = &*index.index;
    let at = |seq, changed_seq, oldest| Position::new(epoch(), seq, changed_seq, oldest);
    let names: Vec<_> = (0..1_200).map(|i| room(&format!("r{i}"))).collect();
    assert_eq!(index.positions(names.clone()).await.unwrap(), vec![None; names.len()]);
    assert_eq!(index.positions(Vec::new()).await.unwrap(), []);
    let updates = (0..).zip(&names).map(|(i, name)| Update::new(name.clone(), at(i, i + 1, i / 2)));
    index.apply(updates.filter(|update| update.position.seq % 2 == 0).collect()).await.unwrap();
    let expected: Vec<_> = (0..1_200).map(|i| (i % 2 == 0).then(|| at(i, i + 1, i / 2))).collect();
    assert_eq!(index.positions(names).await.unwrap(), expected);
    index.apply(vec![Update::new(room("r0"), at(9, 8, 7))]).await.unwrap();
    assert_eq!(index.positions(rooms(&["r0", "r0"])).await.unwrap(), [Some(at(9, 8, 7)), Some(at(9, 8, 7))]);
}

/// An update that was applied may be applied again: a caller that does not know the result does so.
pub async fn an_update_may_be_applied_again(index: Index) {
    let index = &*index.index;
    put(index, "r", vec![document(1, "one"), document(2, "two")]).await;
    let documents = vec![document(2, "changed"), document(3, "three")];
    let update = Update { removed: vec![1], ..update("r", documents) };
    for _ in 0..3 {
        index.apply(vec![update.clone(), update.clone()]).await.unwrap();
    }
    assert_eq!(find(index, "one", &["r"]).await, [""; 0]);
    assert_eq!(find(index, "changed", &["r"]).await, ["r:2"]);
    assert_eq!(find(index, "three", &["r"]).await, ["r:3"]);
}

/// An index is cleared, and used again.
pub async fn an_index_is_cleared(index: Index) {
    let index: &dyn SearchIndex = &*index.index;
    put(index, "r", vec![document(1, "hello")]).await;
    assert_eq!(find(index, "hello", &["r"]).await, ["r:1"]);
    index.clear().await.unwrap();
    assert_eq!(find(index, "hello", &["r"]).await, [""; 0]);
    assert_eq!(index.positions(rooms(&["r"])).await.unwrap(), [None]);
    purge(index).await;
    let from_bob = Document { from: name("bob"), ..document(1, "hello again") };
    put(index, "r", vec![from_bob]).await;
    index.optimize().await.unwrap();
    assert_eq!(find(index, "hello", &["r"]).await, ["r:1"]);
}
