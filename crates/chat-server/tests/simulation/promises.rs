//! What is promised, held against what everybody has seen.

use std::collections::{BTreeSet, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use chat_protocol::{Content, RoomName};

use crate::life::Life;
use crate::log::Shown;
use crate::world::{ROOMS, World};

fn rooms() -> impl Iterator<Item = RoomName> {
    ROOMS.iter().map(|room| room.parse().unwrap())
}

/// Who is in a room, as the server has it.
fn present(life: &Life, room: &RoomName) -> Vec<String> {
    let members = life.engine.members(room);
    members.iter().flat_map(|members| members.first()).map(|member| member.username.to_string()).collect()
}

/// A name is held by one member at a time.
pub(crate) fn names_are_unique(life: &Life) {
    for room in rooms() {
        let names = present(life, &room);
        assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len(), "{names:?}");
    }
}

/// What of this room is not as it is to be once nothing happens any more.
fn not_yet(world: &World, room: &RoomName) -> Vec<String> {
    let mut missing = Vec::new();
    let Some(life) = &world.life else { return vec!["the server is down".to_owned()] };
    let stored = world.disk.all(room).len() as u64;
    let there: BTreeSet<_> = present(life, room).into_iter().collect();
    for (client, _) in world.clients.iter().filter(|(client, _)| !client.is_guest) {
        let state = client.state.lock();
        let log = &state.logs[room];
        if !log.is_in || log.newest() != stored || log.members != there {
            missing.push(format!(
                "{room}: {} is in: {}, has {} of {stored}, sees {:?} of {there:?}",
                client.username,
                log.is_in,
                log.newest(),
                log.members
            ));
        }
        let unacked = state.unacked.iter().filter(|said| said.room == *room).count();
        if unacked > 0 {
            missing.push(format!("{room}: {} has {unacked} messages without an ack", client.username));
        }
    }
    missing
}

/// Whether everybody has everything and knows who is there.
pub(crate) fn is_quiet(world: &World) -> bool {
    rooms().all(|room| not_yet(world, &room).is_empty())
}

pub(crate) fn missing(world: &World) -> String {
    rooms().flat_map(|room| not_yet(world, &room)).collect::<Vec<_>>().join("\n")
}

/// Everything that holds in the end.
pub(crate) fn check(world: &World) {
    for room in rooms() {
        let stored: Vec<_> = world
            .disk
            .all(&room)
            .iter()
            .map(|message| {
                let Content::Said { id, from, body } = &message.content else { panic!("nobody erases") };
                Shown { seq: message.seq, id: id.clone(), from: from.clone(), body: body.clone() }
            })
            .collect();
        assert!(stored.iter().zip(1..).all(|(message, seq)| message.seq == seq), "no number is missing");
        let ids: HashSet<_> = stored.iter().map(|message| (&message.from, &message.id)).collect();
        assert_eq!(ids.len(), stored.len(), "each is stored once");
        for (client, _) in &world.clients {
            let state = client.state.lock();
            let log = &state.logs[&room];
            let from = usize::try_from(log.from).unwrap();
            let shown = &stored[from.min(stored.len())..][..log.shown.len()];
            assert_eq!(log.shown, shown, "what was shown is what is stored");
            for (id, (_, seq)) in state.acked.iter().filter(|(_, (of, _))| *of == room) {
                let place = usize::try_from(*seq).unwrap() - 1;
                assert_eq!(
                    stored.get(place).map(|message| &message.id),
                    Some(id),
                    "what was acked is stored"
                );
            }
        }
    }
}

/// Of what everybody has seen, in its order.
pub(crate) fn digest(world: &World) -> u64 {
    let mut hasher = DefaultHasher::new();
    for (client, _) in &world.clients {
        for log in client.state.lock().logs.values() {
            let seen = log.shown.iter().map(|shown| (shown.seq, shown.id.as_str(), shown.from.as_str()));
            seen.for_each(|seen| seen.hash(&mut hasher));
        }
    }
    hasher.finish()
}
