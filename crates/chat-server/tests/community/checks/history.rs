//! Messages: everything that was acknowledged is there once, and nothing else.

use std::collections::BTreeMap;

use chat_history::{HistoryStore, Page, Retention};
use chat_protocol::RoomName;
use serde_json::{Value, json};

use crate::link::Link;
use crate::model::Room;
use crate::server::{Stored, newest};
use crate::view::State;

/// What a session has, applied by the cursor rules, is what was acknowledged up to its cursor. A
/// message in a list may be newer than that.
pub(super) fn views(link: &Link, rooms: &BTreeMap<&str, Room>) {
    for (name, view) in &link.views {
        let room = &rooms[name.as_str()];
        let who = format!("{} in {name}, {} to {}", link.user.name, view.first, view.cursor);
        let messages: Vec<_> = view.messages.keys().copied().collect();
        assert_eq!(messages, room.messages(view.first.min(view.cursor + 1)..=view.cursor), "{who}");
        for (seq, state) in &view.messages {
            let expected = room.state(*seq, view.cursor.max(state.changed), &link.user.id);
            assert_eq!(*state, expected, "{who}: {seq}");
        }
    }
}

/// The whole history, page by page.
pub(super) async fn pages(link: &mut Link, name: &str, room: &Room) {
    let mut found = BTreeMap::new();
    let mut after = 0;
    loop {
        let command = json!({"type": "history", "room": name, "after": after, "limit": 100});
        let (page, _) = link.ask(command).await;
        let items = page["messages"].as_array().unwrap();
        let states: Vec<_> =
            items.iter().map(|item| (item["seq"].as_u64().unwrap(), State::of(item))).collect();
        assert!(states.is_sorted_by_key(|(seq, _)| *seq), "{page}");
        found.extend(states);
        after = page["last"].as_u64().unwrap();
        if page["more"] == Value::Bool(false) {
            break;
        }
    }
    let found_numbers: Vec<_> = found.keys().copied().collect();
    assert_eq!(found_numbers, room.messages(0..=u64::MAX), "the messages of {name}");
    for (seq, state) in found {
        assert_eq!(state, room.state(seq, u64::MAX, &link.user.id), "{name}: {seq}");
    }
}

/// Every number of the room was acknowledged to someone, once: nothing was stored that was
/// refused. The texts in the database are those of the model.
pub(super) async fn stored(stored: &Stored, name: &str, room: &Room) {
    let newest = newest(&stored.history, name).await;
    let numbers: Vec<_> = room.events.keys().copied().collect();
    assert_eq!(numbers, (1..=newest).collect::<Vec<_>>(), "the events of {name}");
    let (mut after, mut count) = (0, 0);
    let of = RoomName::parse(name).unwrap();
    loop {
        let page = Page::After { seq: after, limit: 200 };
        let page = stored.history.page(of.clone(), page, Retention::default()).await.unwrap();
        for message in &page.messages {
            let expected = room.state(message.seq, u64::MAX, "");
            let text = message.text();
            assert_eq!(text.is_none(), expected.deleted.is_some(), "{name}: {message:?}");
            if let Some(text) = text {
                assert_eq!(*text.body, *expected.body, "{name}: {message:?}");
            }
        }
        count += page.messages.len();
        let Some(last) = page.messages.last() else { break };
        after = last.seq;
    }
    assert_eq!(count, room.messages(0..=u64::MAX).len());
}
