//! Checks the guarantees against what the clients have received.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use chat_protocol::RoomName;
use chat_protocol::v2::StoredMessage;

use crate::client::Acked;
use crate::log::Held;
use crate::run::Run;
use crate::world::{ROOMS, World};

fn rooms() -> impl Iterator<Item = RoomName> {
    ROOMS.iter().map(|room| room.parse().unwrap())
}

/// The members of a room according to the server.
fn present(server: &Run, room: &RoomName) -> Vec<String> {
    let members = server.engine.members(room);
    members.iter().flat_map(|members| members.first()).map(|member| member.username.to_string()).collect()
}

/// Checks that each name belongs to one member only.
pub(crate) fn assert_unique_names(server: &Run) {
    for room in rooms() {
        let names = present(server, &room);
        assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len(), "{names:?}");
    }
}

/// The differences between the current and the expected final state of a room.
fn differences(world: &World, room: &RoomName) -> Vec<String> {
    let mut missing = Vec::new();
    let Some(server) = &world.server else { return vec!["the server is down".to_owned()] };
    let stored = world.disk.extent(room).newest;
    let present: BTreeSet<_> = present(server, room).into_iter().collect();
    for (client, _) in world.clients.iter().filter(|(client, _)| !client.is_rival) {
        let state = client.state.lock();
        let log = &state.logs[room];
        if !log.is_member || log.cursor != stored || log.members != present {
            missing.push(format!(
                "{room}: {} is in: {}, has {} of {stored}, sees {:?} of {present:?}",
                client.username, log.is_member, log.cursor, log.members
            ));
        }
        let unacked = state.unacked.iter().filter(|message| message.room == *room).count();
        if unacked > 0 {
            missing.push(format!("{room}: {} has {unacked} messages without an ack", client.username));
        }
    }
    missing
}

/// Whether every client has received everything and knows the members.
pub(crate) fn is_quiet(world: &World) -> bool {
    rooms().all(|room| differences(world, &room).is_empty())
}

pub(crate) fn missing(world: &World) -> String {
    rooms().flat_map(|room| differences(world, &room)).collect::<Vec<_>>().join("\n")
}

/// Checks everything that must hold at the end.
pub(crate) fn check(world: &World) {
    for room in rooms() {
        let extent = world.disk.extent(&room);
        let all = world.disk.all(&room);
        let stored: BTreeMap<_, _> =
            all.iter().map(|message| (message.seq, Held::from(StoredMessage::from(&**message)))).collect();
        let ids = all.iter().filter_map(|message| message.text()).map(|text| (&text.user, &text.id));
        let count = ids.clone().count();
        assert_eq!(ids.collect::<HashSet<_>>().len(), count, "each message is stored once");
        for (client, _) in world.clients.iter().filter(|(client, _)| !client.is_rival) {
            let state = client.state.lock();
            let log = &state.logs[&room];
            let first = log.first.max(extent.oldest);
            let held: Vec<_> = log.messages.range(first..).collect();
            let expected: Vec<_> = stored.range(first..).collect();
            assert_eq!(held, expected, "the messages and their states are those of the store");
            let counts =
                |acked: &Acked| acked.epoch.as_ref().is_some_and(|epoch| world.disk.has_epoch(epoch));
            for edit in state.edits.values().filter(|edit| edit.room == room) {
                let Some(Acked { seq, .. }) = edit.acked.as_ref().filter(|acked| counts(acked)) else {
                    continue;
                };
                // retention may have removed the message
                let Some(held) = stored.get(&edit.target) else { continue };
                assert!(held.changed_seq >= Some(*seq), "an acked edit is not lost");
                if held.changed_seq == Some(*seq) {
                    assert_eq!(held.text.as_ref().map(|text| &text.body), Some(&edit.body));
                }
            }
            for (id, Acked { seq, .. }) in
                state.acked.iter().filter(|(_, acked)| acked.room == room && counts(acked))
            {
                // a deleted message has no id any more, and retention may have removed the message
                if let Some(Held { text: Some(text), .. }) = stored.get(seq) {
                    assert_eq!(text.id, *id, "acked messages are stored");
                } else {
                    assert!(*seq < extent.oldest || stored.contains_key(seq), "acked messages are stored");
                }
            }
        }
    }
}

/// A digest of the messages that the clients have received, in order.
pub(crate) fn digest(world: &World) -> u64 {
    let mut hasher = DefaultHasher::new();
    for (client, _) in &world.clients {
        for log in client.state.lock().logs.values() {
            (log.cursor, log.first, log.applied).hash(&mut hasher);
            for (seq, held) in &log.messages {
                let text = held.text.as_ref().map(|text| (text.id.as_str(), text.from.as_str()));
                (seq, held.changed_seq, text).hash(&mut hasher);
            }
        }
    }
    hasher.finish()
}
