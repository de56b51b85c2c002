//! The tests of invitations, links and direct rooms.

use chat_protocol::{InviteCode, Moderation, RoomName, RoomRole, Timestamp};

use super::Access;
use super::helpers::{account, act, give, guest, moderate, now, room};
use crate::{AccessStore, ActError, ActKind, AuditRecord, Doer, Link, Named, NewAct, Person, Refused, Scope};

const FAR: Timestamp = Timestamp::from_millis(1 << 45);

fn named(person: &Person) -> Named {
    Named::new(person.id.clone(), person.username.clone())
}

async fn role(store: &dyn AccessStore, scope: &Scope, person: &Person) -> Option<RoomRole> {
    store.rules(scope.clone()).await.unwrap().role([&person.id])
}

async fn invited(store: &dyn AccessStore, person: &Person) -> Vec<String> {
    let found = store.invitations(vec![person.id.clone()], now()).await.unwrap();
    found.iter().map(|invitation| invitation.room.to_string()).collect()
}

/// Makes or uses a link.
async fn link(
    store: &dyn AccessStore,
    scope: &Scope,
    by: &Person,
    kind: ActKind,
    link: Link,
) -> Result<Option<AuditRecord>, Refused> {
    let act = NewAct::new(scope.clone(), Doer::User(by.clone()), kind, by.clone()).link(link);
    match store.act(act).await {
        Ok(record) => Ok(record),
        Err(ActError::Refused(refused)) => Err(refused),
        Err(error) => panic!("{error}"),
    }
}

/// An invited user becomes a member, and needs the invitation for it.
pub async fn an_invitation_is_accepted_once(access: Access) {
    let (store, club) = (&*access.store, room("club"));
    let [owner, member, ana, bob] = ["owner", "member", "ana", "bob"].map(account);
    give(store, &club, &owner, RoomRole::Owner).await;
    give(store, &club, &member, RoomRole::Member).await;
    let invite = ActKind::Invite(FAR);
    assert_eq!(act(store, &club, &member, invite, &ana).await, Err(Refused::RankTooLow));
    assert_eq!(act(store, &club, &ana, invite, &ana).await, Err(Refused::RankTooLow));
    assert_eq!(act(store, &club, &owner, invite, &guest("gus")).await, Err(Refused::GuestWithRole));
    assert_eq!(act(store, &club, &owner, invite, &member).await, Ok(None), "it has a role");
    let record = act(store, &club, &owner, invite, &ana).await.unwrap().unwrap();
    assert_eq!((record.kind, record.target), (invite, Some(named(&ana))));
    assert_eq!(act(store, &club, &owner, invite, &ana).await, Ok(None), "it is invited");
    assert_eq!(role(store, &club, &ana).await, None, "it has to accept");
    let found = store.invitations(vec![ana.id.clone(), guest("old").id], now()).await.unwrap();
    assert_eq!((found.len(), found[0].by.clone(), found[0].expires_at), (1, Some(named(&owner)), FAR));
    assert_eq!(found[0].user, named(&ana));

    assert_eq!(act(store, &club, &bob, ActKind::Accept, &bob).await, Err(Refused::NotInvited));
    assert_eq!(act(store, &club, &bob, ActKind::Accept, &ana).await, Err(Refused::NotInvited));
    assert_eq!(act(store, &room("other"), &ana, ActKind::Accept, &ana).await, Err(Refused::NotInvited));
    assert!(act(store, &club, &ana, ActKind::Accept, &ana).await.unwrap().is_some());
    assert_eq!(role(store, &club, &ana).await, Some(RoomRole::Member));
    assert!(invited(store, &ana).await.is_empty());
    assert_eq!(act(store, &club, &ana, ActKind::Accept, &ana).await, Err(Refused::NotInvited));
}

/// An invitation is declined, taken back, or expires.
pub async fn an_invitation_ends(access: Access) {
    let (store, club) = (&*access.store, room("club"));
    let [owner, ana, bob, cid] = ["owner", "ana", "bob", "cid"].map(account);
    give(store, &club, &owner, RoomRole::Owner).await;
    for user in [&ana, &bob] {
        act(store, &club, &owner, ActKind::Invite(FAR), user).await.unwrap().unwrap();
    }
    let short = now().saturating_add(std::time::Duration::from_secs(60));
    act(store, &club, &owner, ActKind::Invite(short), &cid).await.unwrap().unwrap();
    assert_eq!(act(store, &club, &bob, ActKind::EndInvitation, &ana).await, Err(Refused::RankTooLow));
    assert!(act(store, &club, &ana, ActKind::EndInvitation, &ana).await.unwrap().is_some());
    assert_eq!(act(store, &club, &ana, ActKind::EndInvitation, &ana).await, Ok(None));
    assert!(act(store, &club, &owner, ActKind::EndInvitation, &bob).await.unwrap().is_some());
    for user in [&ana, &bob] {
        assert!(invited(store, user).await.is_empty());
        assert_eq!(act(store, &club, user, ActKind::Accept, user).await, Err(Refused::NotInvited));
    }
    assert_eq!(store.invitations(vec![cid.id.clone()], short).await.unwrap(), []);
    // a deleted account has none
    assert_eq!(invited(store, &cid).await, ["club"]);
    store.forget(cid.id.clone()).await.unwrap();
    assert!(invited(store, &cid).await.is_empty());
    act(store, &club, &owner, ActKind::Invite(short), &cid).await.unwrap().unwrap();
    let late = NewAct::new(club.clone(), Doer::User(cid.clone()), ActKind::Accept, cid.clone()).at(short);
    assert!(matches!(store.act(late).await, Err(ActError::Refused(Refused::NotInvited))));
}

/// A ban takes the invitation away, and no link helps.
pub async fn a_banned_user_is_not_invited(access: Access) {
    let (store, club) = (&*access.store, room("club"));
    let [owner, ana] = ["owner", "ana"].map(account);
    give(store, &club, &owner, RoomRole::Owner).await;
    let code = Link { hash: InviteCode::from_random(1).hash(), uses: 5 };
    link(store, &club, &owner, ActKind::InviteLink(FAR), code).await.unwrap().unwrap();
    act(store, &club, &owner, ActKind::Invite(FAR), &ana).await.unwrap().unwrap();
    act(store, &club, &owner, moderate(Moderation::Ban), &ana).await.unwrap().unwrap();
    assert!(invited(store, &ana).await.is_empty());
    assert_eq!(act(store, &club, &ana, ActKind::Accept, &ana).await, Err(Refused::NotInvited));
    assert_eq!(link(store, &club, &ana, ActKind::UseLink, code).await, Err(Refused::NotInvited));
    act(store, &club, &owner, moderate(Moderation::Unban), &ana).await.unwrap().unwrap();
    assert!(link(store, &club, &ana, ActKind::UseLink, code).await.unwrap().is_some());
}

/// Each use of a link is one user.
pub async fn a_link_is_used_by_as_many_as_it_says(access: Access) {
    let (store, club) = (&*access.store, room("club"));
    let [owner, member, ana, bob, cid] = ["owner", "member", "ana", "bob", "cid"].map(account);
    give(store, &club, &owner, RoomRole::Owner).await;
    give(store, &club, &member, RoomRole::Member).await;
    let code = Link { hash: InviteCode::from_random(1).hash(), uses: 2 };
    let make = ActKind::InviteLink(FAR);
    assert_eq!(link(store, &club, &member, make, code).await, Err(Refused::RankTooLow));
    let record = link(store, &club, &owner, make, code).await.unwrap().unwrap();
    assert_eq!(record.kind, make);
    assert_eq!(store.link(code.hash, now()).await.unwrap().as_ref(), club.room());
    let other = InviteCode::from_random(2).hash();
    assert_eq!(store.link(other, now()).await.unwrap(), None);

    let used = ActKind::UseLink;
    let wrong = Link { hash: other, uses: 0 };
    assert_eq!(link(store, &club, &ana, used, wrong).await, Err(Refused::NotInvited));
    assert_eq!(link(store, &room("other"), &ana, used, code).await, Err(Refused::NotInvited));
    assert_eq!(link(store, &club, &guest("gus"), used, code).await, Err(Refused::NotInvited));
    assert!(link(store, &club, &ana, used, code).await.unwrap().is_some());
    assert_eq!(link(store, &club, &ana, used, code).await, Ok(None), "it is a member already");
    assert_eq!(link(store, &club, &member, used, code).await, Ok(None));
    assert!(link(store, &club, &bob, used, code).await.unwrap().is_some());
    assert_eq!(link(store, &club, &cid, used, code).await, Err(Refused::NotInvited), "it is used up");
    assert_eq!(store.link(code.hash, now()).await.unwrap(), None);
    assert_eq!(role(store, &club, &bob).await, Some(RoomRole::Member));
    assert_eq!(role(store, &club, &cid).await, None);
}

/// A link ends in time, or with all others of the room.
pub async fn links_end(access: Access) {
    let (store, club) = (&*access.store, room("club"));
    let [owner, ana] = ["owner", "ana"].map(account);
    for scope in [&club, &room("other")] {
        give(store, scope, &owner, RoomRole::Owner).await;
    }
    let codes = [1, 2, 3].map(|code| Link { hash: InviteCode::from_random(code).hash(), uses: 1 });
    let soon = now().saturating_add(std::time::Duration::from_secs(60));
    link(store, &club, &owner, ActKind::InviteLink(soon), codes[0]).await.unwrap().unwrap();
    assert_eq!(store.link(codes[0].hash, soon).await.unwrap(), None);
    link(store, &club, &owner, ActKind::InviteLink(FAR), codes[1]).await.unwrap().unwrap();
    link(store, &room("other"), &owner, ActKind::InviteLink(FAR), codes[2]).await.unwrap().unwrap();
    assert_eq!(act(store, &club, &ana, ActKind::EndLinks, &ana).await, Err(Refused::RankTooLow));
    assert!(act(store, &club, &owner, ActKind::EndLinks, &owner).await.unwrap().is_some());
    assert_eq!(act(store, &club, &owner, ActKind::EndLinks, &owner).await, Ok(None));
    for code in &codes[..2] {
        assert_eq!(link(store, &club, &ana, ActKind::UseLink, *code).await, Err(Refused::NotInvited));
    }
    assert!(link(store, &room("other"), &ana, ActKind::UseLink, codes[2]).await.unwrap().is_some());
}

/// Whoever asks first, both have the same room.
pub async fn two_users_have_one_direct_room(access: Access) {
    let store = &*access.store;
    let [ana, bob, cid] = ["ana", "bob", "cid"].map(account);
    let address = RoomName::address_from_random;
    let pair = [ana.id.clone(), bob.id.clone()];
    assert_eq!(store.direct(pair.clone()).await.unwrap(), None);
    let made = futures::join!(
        store.make_direct([named(&ana), named(&bob)], address(1)),
        store.make_direct([named(&bob), named(&ana)], address(2))
    );
    let direct = made.0.unwrap();
    assert_eq!(made.1.unwrap(), direct);
    assert_eq!(store.direct(pair.clone()).await.unwrap(), Some(direct.clone()));
    assert_eq!(store.direct([pair[1].clone(), pair[0].clone()]).await.unwrap(), Some(direct.clone()));
    let scope = Scope::Room(direct.clone());
    for user in [&ana, &bob] {
        assert_eq!(role(store, &scope, user).await, Some(RoomRole::Member));
    }
    let other = store.make_direct([named(&cid), named(&ana)], address(3)).await.unwrap();
    assert_ne!(other, direct);
    store.forget(bob.id.clone()).await.unwrap();
    assert_eq!(store.direct(pair).await.unwrap(), None);
    assert_eq!(store.direct([ana.id, cid.id]).await.unwrap(), Some(other));
}

/// A user's rooms are those in which one of its ids has a role.
pub async fn rooms_are_listed_by_their_users(access: Access) {
    let (store, ana) = (&*access.store, account("ana"));
    for (name, given) in [("b", RoomRole::Member), ("a", RoomRole::Owner)] {
        give(store, &room(name), &ana, given).await;
    }
    give(store, &room("c"), &account("bob"), RoomRole::Owner).await;
    give(store, &room("b"), &account("old"), RoomRole::Moderator).await;
    let rooms = store.rooms_of(vec![ana.id, account("old").id]).await.unwrap();
    let expected = [("a", RoomRole::Owner), ("b", RoomRole::Moderator)];
    assert_eq!(rooms, expected.map(|(name, role)| (name.parse().unwrap(), role)));
    assert_eq!(store.rooms_of(vec![account("cid").id]).await.unwrap(), []);
}
