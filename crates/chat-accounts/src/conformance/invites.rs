//! The tests of invites.

use std::num::NonZeroU32;

use futures::future::join_all;

use super::Accounts;
use super::helpers::{at, create, guest, name, new, reserved, unknown};
use crate::{
    AccountStore, AddError, CreateError, Invite, InviteCode, InviteId, MAX_INVITES, NewAccount, NewInvite,
};

/// A new invite with this many uses.
fn invite(uses: u32) -> (NewInvite, InviteCode) {
    let code = InviteCode::random();
    (NewInvite::new(code.hash(), at(0)).with_uses(NonZeroU32::new(uses).unwrap()), code)
}

/// Adds an invite with this many uses.
async fn add(store: &dyn AccountStore, uses: u32) -> (Invite, InviteCode) {
    let (new, code) = invite(uses);
    (store.add_invite(new).await.unwrap(), code)
}

/// Creates an account with an invite. Returns whether the invite was valid.
async fn register(store: &dyn AccountStore, username: &str, code: &InviteCode, now: i64) -> bool {
    match store.create(NewAccount::new(name(username), at(now)).with_invite(code.hash())).await {
        Ok(_) => true,
        Err(CreateError::InvalidInvite) => false,
        Err(other) => panic!("{other:?}"),
    }
}

/// An invite is good for the number of accounts that was given.
pub async fn an_invite_is_used_up(accounts: Accounts) {
    let store = &*accounts.store;
    let (invite, code) = add(store, 2).await;
    assert_eq!((invite.uses_left.get(), invite.created_at), (2, at(0)));
    assert_eq!((&invite.created_by, invite.expires_at), (&None, None));
    assert!(!register(store, "ana", &InviteCode::random(), 0).await);
    assert_eq!(reserved(store, "ana").await, None);
    assert!(register(store, "ana", &code, 1_000_000).await);
    let left = store.invites(at(0)).await.unwrap();
    assert_eq!((left.len(), left[0].uses_left.get(), &left[0].id), (1, 1, &invite.id));
    assert!(register(store, "bob", &code, 0).await);
    assert!(!register(store, "eve", &code, 0).await);
    assert_eq!(store.invites(at(0)).await.unwrap(), []);
    assert_eq!(store.counts().await.unwrap().accounts, 2);
}

/// An invite is not valid from its expiry on.
pub async fn an_invite_expires(accounts: Accounts) {
    let store = &*accounts.store;
    let (new, code) = invite(5);
    let invite = store.add_invite(new.expiring_at(at(100))).await.unwrap();
    assert_eq!(invite.expires_at, Some(at(100)));
    assert!(register(store, "ana", &code, 99).await);
    assert!(!register(store, "bob", &code, 100).await);
    assert_eq!(store.invites(at(99)).await.unwrap().len(), 1);
    assert_eq!(store.invites(at(100)).await.unwrap(), []);
}

/// An account that is not created for another reason does not use the invite. Without a valid
/// invite, nothing else is reported.
pub async fn a_failed_registration_uses_no_invite(accounts: Accounts) {
    let store = &*accounts.store;
    store.create(new("ana").adopting(guest("1"))).await.unwrap();
    let (invite, code) = add(store, 1).await;
    let refused = store.create(new("Ana").with_invite(code.hash())).await;
    assert!(matches!(refused, Err(CreateError::NameTaken(_))), "{refused:?}");
    let refused = store.create(new("bob").with_invite(code.hash()).adopting(guest("1"))).await;
    assert!(matches!(refused, Err(CreateError::GuestAlreadyAdopted)), "{refused:?}");
    assert_eq!(store.invites(at(0)).await.unwrap(), [invite]);
    let refused = store.create(new("ana").with_invite(InviteCode::random().hash())).await;
    assert!(matches!(refused, Err(CreateError::InvalidInvite)), "{refused:?}");
    assert!(register(store, "bob", &code, 0).await);
}

/// Of several accounts that are created at the same time, as many succeed as the invite has uses.
pub async fn the_last_use_of_an_invite_is_used_once(accounts: Accounts) {
    let store = &*accounts.store;
    let (_, code) = add(store, 3).await;
    let names: Vec<_> = (0..10).map(|i| format!("user{i}x")).collect();
    let registered = join_all(names.iter().map(|name| register(store, name, &code, 0))).await;
    assert_eq!(registered.iter().filter(|registered| **registered).count(), 3);
    assert_eq!(store.counts().await.unwrap().accounts, 3);
}

/// Invites are listed in the order of their creation. A removed invite is not valid.
pub async fn invites_are_listed_and_removed(accounts: Accounts) {
    let store = &*accounts.store;
    let ana = create(store, "ana").await;
    let mut added = Vec::new();
    for created in [30, 10, 20] {
        let new = NewInvite::new(InviteCode::random().hash(), at(created)).by(ana.id.clone());
        added.push(store.add_invite(new).await.unwrap());
    }
    assert_eq!(added[0].created_by, Some(ana.id));
    added.sort_by_key(|invite| invite.created_at);
    assert_eq!(store.invites(at(0)).await.unwrap(), added);
    let (removed, code) = add(store, 1).await;
    assert!(store.remove_invite(removed.id.clone()).await.unwrap());
    assert!(!store.remove_invite(removed.id).await.unwrap());
    assert!(!store.remove_invite(InviteId::random()).await.unwrap());
    assert!(!register(store, "bob", &code, 0).await);
    assert_eq!(store.invites(at(0)).await.unwrap(), added);
    let refused = store.add_invite(invite(1).0.by(unknown())).await;
    assert!(matches!(refused, Err(AddError::NoAccount)), "{refused:?}");
}

/// There are at most [`MAX_INVITES`] invites. Expired ones do not count.
pub async fn the_number_of_invites_is_limited(accounts: Accounts) {
    let store = &*accounts.store;
    let added = (0..MAX_INVITES).map(|_| store.add_invite(invite(1).0.expiring_at(at(100))));
    assert!(join_all(added).await.iter().all(Result::is_ok));
    let new = |created| NewInvite::new(InviteCode::random().hash(), at(created));
    let refused = store.add_invite(new(99)).await;
    assert!(matches!(refused, Err(AddError::LimitReached { max: MAX_INVITES })), "{refused:?}");
    store.add_invite(new(100)).await.unwrap();
    assert_eq!(store.invites(at(0)).await.unwrap().len(), 1);
}
