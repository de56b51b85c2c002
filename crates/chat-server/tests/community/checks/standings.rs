//! Roles, bans, mutes and invitations at the end, and who is where.

use chat_access::{AccessStore, Scope};
use chat_protocol::{RoomName, RoomRole, Timestamp, UserId};

use crate::link::Link;
use crate::server::{Running, Stored};
use crate::world::World;

/// Nobody is in a room from which it is banned, or in the club without a role.
pub(super) async fn presence(world: &World, links: &[Link]) {
    for link in links {
        for room in &world.rooms {
            let standing = world.standing(room, world.index(&link.user.id)).await;
            let may_stay = standing.ban.is_none() && (!room.starts_with('~') || standing.role.is_some());
            assert!(may_stay || !link.is_in(room), "{} is in {room}: {standing:?}", link.user.name);
        }
    }
}

/// The policy that the engine applies is the one that is stored.
pub(super) async fn in_effect(server: &Running, room: &str) {
    let room = RoomName::parse(room).unwrap();
    let (stored, applied) = (server.engine.policy(&room).await, server.engine.policy_in_effect(&room).await);
    assert_eq!(stored.unwrap(), applied.unwrap(), "{room}");
}

/// The database says what the last acts say.
pub(super) async fn stored(stored: &Stored, world: &World, room: &str) {
    let of = RoomName::parse(room).unwrap();
    let now = Timestamp::now();
    let rules = stored.access.rules(Scope::Room(of.clone())).await.unwrap();
    let mut roles = 0;
    for (index, user) in world.users.iter().enumerate() {
        let standing = world.standing(room, index).await;
        let id: UserId = user.id.parse().unwrap();
        let who = format!("{} in {room}: {standing:?}", user.name);
        assert_eq!(rules.role([&id]).map(RoomRole::as_str), standing.role, "{who}");
        roles += usize::from(standing.role.is_some());
        for (found, expected) in
            [(rules.ban([&id], now), standing.ban), (rules.mute([&id], now), standing.mute)]
        {
            // without an end, or with one
            assert_eq!(found.map(|until| until.is_some()), expected.map(|for_s| for_s.is_some()), "{who}");
        }
        let invitations = stored.access.invitations(vec![id], now).await.unwrap();
        let is_invited = invitations.iter().any(|invitation| invitation.room == of);
        assert_eq!(is_invited, standing.is_invited, "{who}");
    }
    // nobody else has one
    assert_eq!(stored.access.roles(of, None, 100).await.unwrap().len(), roles, "{room}");
}
