//! Checks the guarantees against what the clients have received.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use chat_protocol::v2::StoredMessage;
use chat_protocol::{Message, RoomName, UserId};

use crate::client::{Acked, Client, Outcome, State};
use crate::disk::{Disk, Recorded};
use crate::log::{Count, Held};
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
        check_store(world, &room, &all);
        let ids = all.iter().filter_map(|message| message.text()).map(|text| (&text.user, &text.id));
        let count = ids.clone().count();
        assert_eq!(ids.collect::<HashSet<_>>().len(), count, "each message is stored once");
        for (client, _) in world.clients.iter().filter(|(client, _)| !client.is_rival) {
            let state = client.state.lock();
            let log = &state.logs[&room];
            let first = log.first.max(extent.oldest);
            let held: Vec<_> = log.messages.range(first..).map(|(seq, held)| (*seq, held.clone())).collect();
            let user = state.user.as_ref().unwrap();
            let expected: Vec<_> = stored
                .range(first..)
                .map(|(seq, held)| (*seq, with_own(held.clone(), &world.disk, &room, *seq, user)))
                .collect();
            assert_eq!(held, expected, "the messages and their states are those of the store");
            let is_same = |(other, _): &&(Arc<Client>, _)| other.guest_token == client.guest_token;
            let is_only = world.clients.iter().filter(is_same).count() == 1;
            check_reactions(&world.disk, &room, &state, is_only);
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

/// Checks the reactions and `changed_seq` of the stored messages against the events that were
/// stored.
fn check_store(world: &World, room: &RoomName, all: &[Arc<Message>]) {
    let states = world.clients.iter().map(|(client, _)| client.state.lock());
    let users: BTreeSet<UserId> = states.filter_map(|state| state.user.clone()).collect();
    let mut expected: BTreeMap<&UserId, BTreeMap<u64, BTreeSet<_>>> = BTreeMap::new();
    for message in all {
        assert_eq!(message.changed_seq, world.disk.changed(room, message.seq), "{message:?}");
        let Some(text) = message.text() else { continue };
        let reactors = world.disk.reactors(room, message.seq);
        assert_eq!(text.reactions().len(), reactors.len(), "{message:?} {reactors:?}");
        for reaction in text.reactions() {
            let by = &reactors[&reaction.emoji];
            assert_eq!(reaction.count, by.len() as u64, "{message:?} {reactors:?}");
            let names: BTreeSet<_> = by.values().collect();
            assert!(reaction.users.iter().all(|name| names.contains(name)), "{message:?} {reactors:?}");
            for user in users.iter().filter(|user| by.contains_key(*user)) {
                let own = expected.entry(user).or_default().entry(message.seq).or_default();
                own.insert(reaction.emoji.clone());
            }
        }
    }
    // also those of deleted messages, of which there are none
    let newest = world.disk.extent(room).newest;
    for user in &users {
        let own = world.disk.own_reactions(room, (1..=newest).collect(), user);
        let own: BTreeMap<u64, BTreeSet<_>> =
            own.into_iter().map(|(seq, emoji)| (seq, emoji.into_iter().collect())).collect();
        assert_eq!(own, expected.remove(user).unwrap_or_default(), "the reactions of {user:?}");
    }
}

/// The state with the reactions of a user.
fn with_own(mut held: Held, disk: &Disk, room: &RoomName, seq: u64, user: &UserId) -> Held {
    if let Some(text) = &mut held.text {
        let reactors = disk.reactors(room, seq);
        for (emoji, Count { is_mine, .. }) in &mut text.reactions {
            *is_mine = reactors[emoji].contains_key(user);
        }
    }
    held
}

/// Checks that the acked reactions of a client are stored.
fn check_reactions(disk: &Disk, room: &RoomName, state: &State, is_only_client: bool) {
    let user = state.user.as_ref().unwrap();
    let mut latest = BTreeMap::new();
    for reaction in state.reactions.iter().filter(|reaction| reaction.key.0 == *room) {
        let (_, target, emoji) = &reaction.key;
        latest.insert((target, emoji), reaction);
        let Some(Outcome::Acked { epoch: Some(epoch), seq: Some(seq) }) = &reaction.outcome else { continue };
        if !disk.has_epoch(epoch) {
            continue;
        }
        let Some(Recorded::Reaction { target: stored_target, emoji: stored_emoji, reactor, is_added }) =
            disk.event(room, *seq)
        else {
            panic!("an acked reaction is lost: {reaction:?}")
        };
        let stored = (stored_target, &stored_emoji, &reactor.user, is_added);
        assert_eq!(stored, (*target, emoji, user, reaction.is_added), "an acked reaction is stored");
    }
    // a user's only client knows the final state if its last command was acked
    for ((target, emoji), reaction) in latest.into_iter().filter(|_| is_only_client) {
        if let Some(Outcome::Acked { epoch: Some(epoch), .. }) = &reaction.outcome
            && disk.has_epoch(epoch)
        {
            let reactors = disk.reactors(room, *target);
            let has = reactors.get(emoji).is_some_and(|users| users.contains_key(user));
            assert_eq!(has, reaction.is_added, "the last acked reaction counts: {reaction:?}");
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
                for (emoji, Count { count, is_mine }) in held.text.iter().flat_map(|text| &text.reactions) {
                    (emoji, count, is_mine).hash(&mut hasher);
                }
            }
        }
    }
    hasher.finish()
}
