//! The tests of roles.

use chat_protocol::{Role, RoomName, RoomRole, UserId};

use super::Access;
use super::helpers::{account, act, act_of, give, guest, room, server_moderator};
use crate::{AccessStore, ActKind, Doer, Person, Refused, Scope};

async fn role(store: &dyn AccessStore, scope: &Scope, person: &Person) -> Option<RoomRole> {
    store.rules(scope.clone()).await.unwrap().role([&person.id])
}

/// The first who registers a room owns it.
pub async fn a_room_has_one_registration(access: Access) {
    let (store, lobby) = (&*access.store, room("lobby"));
    let (ana, bob) = (account("ana"), account("bob"));
    let record = act(store, &lobby, &ana, ActKind::Register, &ana).await.unwrap().unwrap();
    assert_eq!(
        (record.number, record.by.unwrap().id, record.target.unwrap().id),
        (1, ana.id.clone(), ana.id.clone())
    );
    assert_eq!(role(store, &lobby, &ana).await, Some(RoomRole::Owner));
    assert_eq!(act(store, &lobby, &bob, ActKind::Register, &bob).await, Err(Refused::HasOwner));
    assert_eq!(act(store, &room("x"), &ana, ActKind::Register, &bob).await, Err(Refused::RankTooLow));
    let gus = guest("gus");
    assert_eq!(act(store, &room("x"), &gus, ActKind::Register, &gus).await, Err(Refused::GuestWithRole));
    assert_eq!(act(store, &Scope::Server, &ana, ActKind::Register, &ana).await, Err(Refused::NeedsRoom));
    let sam = server_moderator("sam");
    assert!(act(store, &room("x"), &sam, ActKind::Register, &bob).await.unwrap().is_some());
    assert_eq!(role(store, &room("x"), &bob).await, Some(RoomRole::Owner));
    assert_eq!(role(store, &room("other"), &bob).await, None);
}

/// Who gives which role to whom.
pub async fn roles_are_given_by_those_above(access: Access) {
    let (store, lobby) = (&*access.store, room("lobby"));
    let [owner, moderator, member, ana] = ["owner", "moderator", "member", "ana"].map(account);
    give(store, &lobby, &owner, RoomRole::Owner).await;
    give(store, &lobby, &moderator, RoomRole::Moderator).await;
    give(store, &lobby, &member, RoomRole::Member).await;
    let set = ActKind::SetRole;
    let refused = [
        (&member, set(Some(RoomRole::Member)), &ana, Refused::RankTooLow),
        (&ana, set(Some(RoomRole::Member)), &ana, Refused::RankTooLow),
        (&moderator, set(Some(RoomRole::Moderator)), &ana, Refused::RankTooLow),
        (&moderator, set(Some(RoomRole::Moderator)), &member, Refused::RankTooLow),
        (&moderator, set(Some(RoomRole::Owner)), &moderator, Refused::RankTooLow),
        (&moderator, set(None), &owner, Refused::RankTooLow),
        (&owner, set(Some(RoomRole::Member)), &guest("gus"), Refused::GuestWithRole),
        (&owner, set(None), &owner, Refused::LastOwner),
        (&owner, set(Some(RoomRole::Member)), &owner, Refused::LastOwner),
    ];
    for (by, kind, target, expected) in refused {
        let refused = act(store, &lobby, by, kind, target).await;
        assert_eq!(refused, Err(expected), "{} {kind:?} {}", by.username, target.username);
    }
    for (by, role_given, target) in [
        (&moderator, Some(RoomRole::Member), &ana),
        (&moderator, None, &ana),
        (&owner, Some(RoomRole::Moderator), &ana),
        (&owner, Some(RoomRole::Owner), &ana),
    ] {
        assert!(act(store, &lobby, by, set(role_given), target).await.unwrap().is_some());
        assert_eq!(role(store, &lobby, target).await, role_given);
    }
    // nobody takes the role of an equal, and each may give up its own
    assert_eq!(act(store, &lobby, &owner, set(None), &ana).await, Err(Refused::TargetTooHigh));
    assert!(act(store, &lobby, &owner, set(Some(RoomRole::Moderator)), &owner).await.unwrap().is_some());
    assert!(act(store, &lobby, &member, set(None), &member).await.unwrap().is_some());
    assert_eq!(act(store, &lobby, &ana, set(None), &ana).await, Err(Refused::LastOwner));
    let sam = server_moderator("sam");
    assert!(act(store, &lobby, &sam, set(None), &ana).await.unwrap().is_some());
    let admin = Person { role: Role::Admin, ..account("admin") };
    let refused = act(store, &lobby, &sam, set(Some(RoomRole::Member)), &admin).await;
    assert_eq!(refused, Err(Refused::TargetTooHigh));
    assert_eq!(act(store, &Scope::Server, &sam, set(None), &ana).await, Err(Refused::NeedsRoom));
}

/// A role that a user has already leaves no record.
pub async fn a_role_that_does_not_change_is_not_recorded(access: Access) {
    let (store, lobby, ana) = (&*access.store, room("lobby"), account("ana"));
    give(store, &lobby, &ana, RoomRole::Member).await;
    for (role, number) in [(Some(RoomRole::Member), None), (None, Some(2)), (None, None)] {
        let changed = act_of(store, &lobby, Doer::Operator, ActKind::SetRole(role), &ana).await.unwrap();
        assert_eq!(changed.map(|record| record.number), number);
    }
}

/// The users with a role are listed in pages.
pub async fn roles_are_listed_in_pages(access: Access) {
    let (store, lobby) = (&*access.store, room("lobby"));
    for name in ["cid", "ana", "bob"] {
        give(store, &lobby, &account(name), RoomRole::Member).await;
    }
    give(store, &room("other"), &account("zoe"), RoomRole::Owner).await;
    let roles = async |after: Option<UserId>, limit| {
        let name = lobby.room().unwrap().clone();
        let found = store.roles(name, after, limit).await.unwrap();
        found.into_iter().map(|entry| entry.user.username.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(roles(None, 2).await, ["ana", "bob"]);
    assert_eq!(roles(Some(account("bob").id), 2).await, ["cid"]);
    assert_eq!(roles(Some(account("cid").id), 2).await, [""; 0]);
}

/// A deleted account has no role any more.
pub async fn the_roles_of_a_deleted_account_are_removed(access: Access) {
    let (store, ana) = (&*access.store, account("ana"));
    for name in ["b", "a"] {
        give(store, &room(name), &ana, RoomRole::Owner).await;
        give(store, &room(name), &account("bob"), RoomRole::Member).await;
    }
    let rooms = store.forget(ana.id.clone()).await.unwrap();
    assert_eq!(rooms.iter().map(RoomName::as_str).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(role(store, &room("a"), &ana).await, None);
    assert_eq!(role(store, &room("a"), &account("bob")).await, Some(RoomRole::Member));
    assert!(store.forget(ana.id.clone()).await.unwrap().is_empty());
}
