//! The tests of bans, mutes, warnings and the audit log.

use chat_protocol::{Moderation, Reason, Role, RoomRole, Timestamp};

use super::Access;
use super::helpers::{account, act, act_of, give, guest, later, moderate, now, room, server_moderator};
use crate::{
    AccessStore, ActKind, AuditQuery, Doer, NETWORK_RESTRICTION, Network, NewAct, Person, Refused,
    Restriction, RestrictionKind, Scope,
};

async fn restrictions(store: &dyn AccessStore, scope: &Scope) -> Vec<Restriction> {
    store.restrictions(scope.clone(), None, 500).await.unwrap()
}

/// Bans and mutes hold until they end or are lifted.
pub async fn bans_and_mutes_hold_until_they_end(access: Access) {
    let (store, lobby) = (&*access.store, room("lobby"));
    let (owner, gus, ana) = (account("owner"), guest("gus"), account("ana"));
    give(store, &lobby, &owner, RoomRole::Owner).await;
    let until = later(3_600);
    assert!(act(store, &lobby, &owner, moderate(Moderation::Ban), &gus).await.unwrap().is_some());
    let mute = ActKind::Moderate(Moderation::Mute, until);
    assert!(act(store, &lobby, &owner, mute, &ana).await.unwrap().is_some());
    assert_eq!(act(store, &lobby, &owner, mute, &ana).await, Ok(None), "it does already");
    let rules = store.rules(lobby.clone()).await.unwrap();
    assert_eq!(rules.ban([&gus.id], now()), Some(None));
    assert_eq!(rules.mute([&ana.id], now()), Some(until));
    assert_eq!((rules.mute([&gus.id], now()), rules.ban([&ana.id], now())), (None, None));
    assert!(store.rules(room("other")).await.unwrap().is_empty());
    let found = restrictions(store, &lobby).await;
    let found: Vec<_> = found.iter().map(|found| (found.user.username.as_str(), found.kind)).collect();
    assert_eq!(found, [("gus", RestrictionKind::Ban), ("ana", RestrictionKind::Mute)]);

    let of = async |user: &Person| {
        let found = store.restriction(lobby.clone(), user.id.clone()).await.unwrap();
        found.map(|found| (found.kind, found.until))
    };
    assert_eq!(of(&gus).await, Some((RestrictionKind::Ban, None)));
    assert_eq!(of(&ana).await, Some((RestrictionKind::Mute, until)));
    assert_eq!(of(&owner).await, None);

    // another end replaces the first one
    let longer = ActKind::Moderate(Moderation::Mute, None);
    assert!(act(store, &lobby, &owner, longer, &ana).await.unwrap().is_some());
    assert_eq!(store.rules(lobby.clone()).await.unwrap().mute([&ana.id], now()), Some(None));
    assert!(act(store, &lobby, &owner, moderate(Moderation::Unmute), &ana).await.unwrap().is_some());
    assert_eq!(act(store, &lobby, &owner, moderate(Moderation::Unmute), &ana).await, Ok(None));
    assert!(act(store, &lobby, &owner, moderate(Moderation::Unban), &gus).await.unwrap().is_some());
    assert!(restrictions(store, &lobby).await.is_empty());

    // one that has ended is not there
    let ended = ActKind::Moderate(Moderation::Ban, Some(Timestamp::from_millis(1)));
    act(store, &lobby, &owner, ended, &gus).await.unwrap();
    assert!(restrictions(store, &lobby).await.is_empty());
    assert_eq!(of(&gus).await, None);
    assert_eq!(act(store, &lobby, &owner, moderate(Moderation::Unban), &gus).await, Ok(None));
}

/// A ban of a guest concerns other guests from the same network, for at most 30 days.
pub async fn a_guest_is_banned_with_its_network(access: Access) {
    let (store, lobby, owner) = (&*access.store, room("lobby"), account("owner"));
    give(store, &lobby, &owner, RoomRole::Owner).await;
    let network = "192.0.2.7".parse::<Network>().unwrap();
    let gus = Person { network: Some(network), ..guest("gus") };
    let ana = Person { network: Some(network), ..account("ana") };
    let rules = async || store.rules(lobby.clone()).await.unwrap();
    let far = now().saturating_add(NETWORK_RESTRICTION * 2);
    assert!(act(store, &lobby, &owner, moderate(Moderation::Mute), &ana).await.unwrap().is_some());
    assert_eq!(rules().await.network_mute(Some(network), now()), None, "accounts have no network");
    act(store, &lobby, &owner, moderate(Moderation::Ban), &gus).await.unwrap().unwrap();
    assert_eq!(rules().await.ban([&gus.id], far), Some(None));
    assert!(rules().await.network_ban(Some(network), now()).is_some());
    assert_eq!(rules().await.network_ban(Some(network), far), None);
    let found = restrictions(store, &lobby).await;
    let banned = found.iter().find(|found| found.kind == RestrictionKind::Ban).unwrap();
    assert_eq!(banned.network.map(|(network, _)| network), Some(network));
    act(store, &lobby, &owner, moderate(Moderation::Unban), &gus).await.unwrap().unwrap();
    assert_eq!(rules().await.network_ban(Some(network), now()), None);
    // a short one ends for the network, too
    let until = later(60);
    act(store, &lobby, &owner, ActKind::Moderate(Moderation::Ban, until), &gus).await.unwrap().unwrap();
    assert_eq!(rules().await.network_ban(Some(network), now()), Some(until));
}

/// Nobody moderates themselves, or those who may do as much.
pub async fn moderators_act_on_those_below_them(access: Access) {
    let (store, lobby) = (&*access.store, room("lobby"));
    let [owner, one, two, member] = ["owner", "one", "two", "member"].map(account);
    give(store, &lobby, &owner, RoomRole::Owner).await;
    give(store, &lobby, &one, RoomRole::Moderator).await;
    give(store, &lobby, &two, RoomRole::Moderator).await;
    give(store, &lobby, &member, RoomRole::Member).await;
    let (sam, admin) = (server_moderator("sam"), Person { role: Role::Admin, ..account("admin") });
    for action in Moderation::ALL {
        let kind = moderate(action);
        for (by, target, expected) in [
            (&member, &account("ana"), Refused::RankTooLow),
            (&guest("gus"), &account("ana"), Refused::RankTooLow),
            (&one, &one, Refused::Yourself),
            (&one, &two, Refused::TargetTooHigh),
            (&one, &owner, Refused::TargetTooHigh),
            (&one, &sam, Refused::TargetTooHigh),
            (&owner, &sam, Refused::TargetTooHigh),
            (&sam, &admin, Refused::TargetTooHigh),
        ] {
            let refused = act(store, &lobby, by, kind, target).await;
            assert_eq!(refused, Err(expected), "{} {action} {}", by.username, target.username);
        }
        let refused = act(store, &Scope::Server, &owner, kind, &member).await;
        assert_eq!(refused, Err(Refused::RankTooLow), "{action} on the server");
    }
    let ban = moderate(Moderation::Ban);
    for (by, target) in [(&one, &member), (&owner, &one), (&sam, &owner), (&admin, &sam)] {
        assert!(act(store, &lobby, by, ban, target).await.unwrap().is_some(), "{}", by.username);
    }
    assert!(act(store, &Scope::Server, &sam, ban, &owner).await.unwrap().is_some());
    assert!(act_of(store, &Scope::Server, Doer::Operator, ban, &admin).await.unwrap().is_some());
    assert_eq!(store.rules(Scope::Server).await.unwrap().ban(&[owner.id], now()), Some(None));
}

/// A moderator who is banned does nothing any more, until the ban ends.
pub async fn a_banned_moderator_does_nothing(access: Access) {
    let (store, lobby) = (&*access.store, room("lobby"));
    let [owner, moderator, ana] = ["owner", "mod", "ana"].map(account);
    give(store, &lobby, &owner, RoomRole::Owner).await;
    give(store, &lobby, &moderator, RoomRole::Moderator).await;
    act(store, &lobby, &owner, moderate(Moderation::Ban), &moderator).await.unwrap();
    for kind in
        [moderate(Moderation::Kick), moderate(Moderation::Unban), ActKind::SetRole(Some(RoomRole::Member))]
    {
        for target in [&ana, &moderator] {
            let refused = act(store, &lobby, &moderator, kind, target).await;
            assert_eq!(refused, Err(Refused::RankTooLow), "{kind:?} {}", target.username);
        }
    }
    act(store, &lobby, &owner, moderate(Moderation::Unban), &moderator).await.unwrap();
    assert!(act(store, &lobby, &moderator, moderate(Moderation::Kick), &ana).await.unwrap().is_some());
    let ended = ActKind::Moderate(Moderation::Ban, Some(Timestamp::from_millis(1)));
    act(store, &lobby, &owner, ended, &moderator).await.unwrap();
    assert!(act(store, &lobby, &moderator, moderate(Moderation::Kick), &ana).await.unwrap().is_some());
}

/// A warning waits for its user.
pub async fn a_warning_stays_until_it_is_acknowledged(access: Access) {
    let (store, lobby) = (&*access.store, room("lobby"));
    let (sam, ana, bob) = (server_moderator("sam"), account("ana"), account("bob"));
    for (scope, reason) in [(&lobby, "be nice"), (&Scope::Server, "again")] {
        let warn =
            NewAct::new(scope.clone(), Doer::User(sam.clone()), moderate(Moderation::Warn), ana.clone());
        let reason: Reason = reason.parse().unwrap();
        assert!(store.act(warn.reason(Some(reason))).await.unwrap().is_some());
    }
    act(store, &lobby, &sam, moderate(Moderation::Warn), &bob).await.unwrap();
    let both = vec![account("former").id, ana.id.clone()];
    let warnings = store.warnings(both.clone()).await.unwrap();
    let seen: Vec<_> =
        warnings.iter().map(|warning| (&warning.scope, warning.reason.as_ref().unwrap().as_str())).collect();
    assert_eq!(seen, [(&lobby, "be nice"), (&Scope::Server, "again")]);
    assert_eq!(warnings[0].by.as_ref().unwrap().id, sam.id);
    let warned = async || store.warned().await.unwrap();
    assert_eq!(warned().await, [ana.id.clone(), bob.id.clone()]);
    store.acknowledge(vec![warnings[0].number, 999]).await.unwrap();
    assert_eq!(warned().await, [ana.id.clone(), bob.id.clone()]);
    let left = store.warnings(both).await.unwrap();
    assert_eq!(left, warnings[1..]);
    assert_eq!(store.warnings(vec![bob.id.clone()]).await.unwrap().len(), 1);
    store.acknowledge(vec![left[0].number]).await.unwrap();
    assert_eq!(warned().await, [bob.id]);
}

/// Each act that changes something has a record, and refused ones have none.
pub async fn the_audit_log_has_every_act(access: Access) {
    let (store, lobby) = (&*access.store, room("lobby"));
    let (owner, ana) = (account("owner"), account("ana"));
    act(store, &lobby, &owner, ActKind::Register, &owner).await.unwrap();
    let ban = ActKind::Moderate(Moderation::Ban, Some(Timestamp::from_millis(4_102_444_800_000)));
    let new = NewAct::new(lobby.clone(), Doer::User(owner.clone()), ban, ana.clone());
    let new =
        new.reason(Some("spam\nand more".parse().unwrap())).at(Timestamp::from_millis(1_700_000_000_000));
    let written = store.act(new).await.unwrap().unwrap();
    act(store, &lobby, &ana, moderate(Moderation::Kick), &owner).await.unwrap_err();
    act_of(store, &room("other"), Doer::Operator, ActKind::SetRole(Some(RoomRole::Member)), &ana)
        .await
        .unwrap();
    act_of(store, &Scope::Server, Doer::Operator, moderate(Moderation::Warn), &ana).await.unwrap();
    act(store, &lobby, &owner, moderate(Moderation::Kick), &ana).await.unwrap();

    let all = store.audit(AuditQuery::newest(10)).await.unwrap();
    assert_eq!(all.iter().map(|record| record.number).collect::<Vec<_>>(), [5, 4, 3, 2, 1]);
    assert_eq!(all[3], written);
    assert_eq!((all[3].kind, all[3].at.as_millis()), (ban, 1_700_000_000_000));
    assert_eq!(all[3].reason.as_ref().unwrap().as_str(), "spam\nand more");
    assert_eq!((all[2].by.clone(), all[2].kind), (None, ActKind::SetRole(Some(RoomRole::Member))));
    let numbers = async |query| {
        let found: Vec<_> = store.audit(query).await.unwrap().iter().map(|record| record.number).collect();
        found
    };
    assert_eq!(numbers(AuditQuery::newest(2)).await, [5, 4]);
    assert_eq!(numbers(AuditQuery::newest(2).before(Some(4))).await, [3, 2]);
    assert_eq!(numbers(AuditQuery::newest(10).of(lobby)).await, [5, 2, 1]);
    assert_eq!(numbers(AuditQuery::newest(10).of(Scope::Server)).await, [4]);
}

/// Restrictions are listed by user.
pub async fn restrictions_are_listed_in_pages(access: Access) {
    let (store, lobby) = (&*access.store, room("lobby"));
    for name in ["ana", "bob", "cid"] {
        for action in [Moderation::Ban, Moderation::Mute] {
            act_of(store, &lobby, Doer::Operator, moderate(action), &account(name)).await.unwrap();
        }
    }
    let page = async |after, limit| {
        let found = store.restrictions(lobby.clone(), after, limit).await.unwrap();
        found.into_iter().map(|found| found.user.username.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(page(None, 2).await, ["ana", "ana", "bob", "bob"]);
    assert_eq!(page(Some(account("bob").id), 2).await, ["cid", "cid"]);
}

/// Of two owners who take each other's place at the same time, one is left.
pub async fn two_owners_do_not_both_leave(access: Access) {
    let (store, lobby) = (&*access.store, room("lobby"));
    let (ana, bob) = (account("ana"), account("bob"));
    for round in 0..20 {
        for owner in [&ana, &bob] {
            act_of(store, &lobby, Doer::Operator, ActKind::SetRole(Some(RoomRole::Owner)), owner)
                .await
                .unwrap();
        }
        let leave = |person| act(store, &lobby, person, ActKind::SetRole(None), person);
        let (one, other) = futures::future::join(leave(&ana), leave(&bob)).await;
        let left = [one, other].into_iter().filter(Result::is_ok).count();
        assert_eq!(left, 1, "round {round}");
    }
}
