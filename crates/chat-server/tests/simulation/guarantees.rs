//! Checks the guarantees against what the clients have received.

use std::collections::{BTreeSet, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use chat_protocol::{RoomName, Text};

use crate::log::Delivered;
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
    let stored = world.disk.all(room).len() as u64;
    let present: BTreeSet<_> = present(server, room).into_iter().collect();
    for (client, _) in world.clients.iter().filter(|(client, _)| !client.is_rival) {
        let state = client.state.lock();
        let log = &state.logs[room];
        if !log.is_member || log.newest() != stored || log.members != present {
            missing.push(format!(
                "{room}: {} is in: {}, has {} of {stored}, sees {:?} of {present:?}",
                client.username,
                log.is_member,
                log.newest(),
                log.members
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
        let stored: Vec<_> = world
            .disk
            .all(&room)
            .iter()
            .map(|message| {
                let Text { id, from, user, body, .. } = message.text().unwrap().clone();
                Delivered { seq: message.seq, id, from, user, body }
            })
            .collect();
        assert!(stored.iter().zip(1..).all(|(message, seq)| message.seq == seq), "the numbers have no gap");
        let ids: HashSet<_> = stored.iter().map(|message| (&message.user, &message.id)).collect();
        assert_eq!(ids.len(), stored.len(), "each message is stored once");
        for (client, _) in &world.clients {
            let state = client.state.lock();
            let log = &state.logs[&room];
            let start = usize::try_from(log.start).unwrap();
            let expected = &stored[start.min(stored.len())..][..log.messages.len()];
            assert_eq!(log.messages, expected, "the delivered messages are the stored ones");
            for (id, (_, seq)) in state.acked.iter().filter(|(_, (of, _))| *of == room) {
                let index = usize::try_from(*seq).unwrap() - 1;
                assert_eq!(
                    stored.get(index).map(|message| &message.id),
                    Some(id),
                    "acked messages are stored"
                );
            }
        }
    }
}

/// A digest of the messages that the clients have received, in order.
pub(crate) fn digest(world: &World) -> u64 {
    let mut hasher = DefaultHasher::new();
    for (client, _) in &world.clients {
        for log in client.state.lock().logs.values() {
            let messages = log.messages.iter();
            let fields = messages.map(|message| (message.seq, message.id.as_str(), message.from.as_str()));
            fields.for_each(|fields| fields.hash(&mut hasher));
        }
    }
    hasher.finish()
}
