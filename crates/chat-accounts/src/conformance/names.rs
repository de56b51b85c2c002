//! The tests of names.

use futures::future::join_all;

use super::Accounts;
use super::helpers::{at, create, name, new, reserved};
use crate::{AccountStore, CreateError, NewAccount, Reservation};

/// The names with "ana" in other cases, scripts and widths.
const LIKE_ANA: [&str; 4] = ["Ana", "ANA", "\u{430}na", "\u{ff41}na"];

/// The name that a creation was refused for; `None` if it was not.
async fn refusal(store: &dyn AccountStore, new: NewAccount) -> Option<Reservation> {
    match store.create(new).await {
        Ok(_) => None,
        Err(CreateError::NameTaken(reservation)) => Some(reservation),
        Err(other) => panic!("{other:?}"),
    }
}

/// A name belongs to one account, and so do the names that look like it.
pub async fn a_name_that_looks_like_another_one_is_taken(accounts: Accounts) {
    let store = &*accounts.store;
    create(store, "ana").await;
    create(store, "Modern").await;
    for taken in LIKE_ANA {
        assert_eq!(refusal(store, new(taken)).await, Some(Reservation::account(name("ana"))), "{taken}");
        assert_eq!(reserved(store, taken).await, Some(Reservation::account(name("ana"))), "{taken}");
    }
    for taken in ["Modern", "modern", "rnodern", "MODERN"] {
        assert_eq!(refusal(store, new(taken)).await, Some(Reservation::account(name("Modern"))), "{taken}");
    }
    // a store that does not know says so
    for taken in LIKE_ANA.into_iter().chain(["ana", "modern", "rnodern"]) {
        assert!(!store.is_certainly_free(&name(taken)), "{taken}");
    }
    for free in ["anna", "ana_", "an", "\u{e1}na"] {
        assert_eq!(reserved(store, free).await, None, "{free}");
        create(store, free).await;
    }
}

/// If several names look like the one that is asked for, the name itself comes first, then one of
/// an account.
pub async fn a_reservation_says_which_name_is_taken(accounts: Accounts) {
    let store = &*accounts.store;
    let kept = create(store, "ivan").await;
    store.delete(kept.id, at(100)).await.unwrap();
    create(store, "lvan").await;
    let account = Reservation::account(name("lvan"));
    assert_eq!(reserved(store, "lvan").await, Some(account.clone()));
    // looks like both: as it is written, and in lower case
    assert_eq!(reserved(store, "Ivan").await, Some(account.clone()));
    assert_eq!(refusal(store, new("Ivan").replacing_deleted()).await, Some(account));
    assert_eq!(reserved(store, "ivan").await, Some(Reservation::kept(name("ivan"), at(100))));
}

/// If accounts are created at the same time under names that look alike, one of them succeeds.
pub async fn one_of_several_accounts_gets_a_name(accounts: Accounts) {
    for i in 0..20 {
        let store = &*accounts.store;
        let names = ["ana", "Ana", "\u{430}na", "ana"].map(|like| name(&format!("{like}{i}_")));
        let creations = names.clone().map(|username| store.create(NewAccount::new(username, at(0))));
        let results = join_all(creations).await;
        let created: Vec<_> = results.iter().filter_map(|result| result.as_ref().ok()).collect();
        assert_eq!(created.len(), 1, "{results:?}");
        for username in names {
            let found = store.reserved(username, at(0)).await.unwrap();
            assert_eq!(found, Some(Reservation::account(created[0].username.clone())));
        }
        let refused = results.iter().filter(|result| matches!(result, Err(CreateError::NameTaken(_))));
        assert_eq!(refused.count(), 3, "{results:?}");
    }
}

/// The name of a deleted account and those that look like it are kept until the time that was
/// given, and then they are free.
pub async fn the_name_of_a_deleted_account_returns_when_its_time_has_passed(accounts: Accounts) {
    let store = &*accounts.store;
    let first = create(store, "ana").await;
    store.delete(first.id.clone(), at(100)).await.unwrap();
    let kept = Some(Reservation::kept(name("ana"), at(100)));
    for taken in LIKE_ANA.into_iter().chain(["ana"]) {
        assert_eq!(store.reserved(name(taken), at(99)).await.unwrap(), kept, "{taken}");
        assert!(!store.is_certainly_free(&name(taken)), "{taken}");
        assert_eq!(refusal(store, NewAccount::new(name(taken), at(99))).await, kept, "{taken}");
        assert_eq!(store.reserved(name(taken), at(100)).await.unwrap(), None, "{taken}");
    }
    let second = store.create(NewAccount::new(name("Ana"), at(100))).await.unwrap();
    assert_ne!(second.id, first.id);
    assert_eq!(store.reserved(name("ana"), at(0)).await.unwrap().unwrap().username, name("ana"));
    assert_eq!(store.reserved(name("ANA"), at(100)).await.unwrap(), Some(Reservation::account(name("Ana"))));

    // the same name again, and kept again
    store.delete(second.id, at(200)).await.unwrap();
    let third = store.create(NewAccount::new(name("ana"), at(200))).await.unwrap();
    assert_eq!(store.reserved(name("ana"), at(0)).await.unwrap(), Some(Reservation::account(name("ana"))));
    store.delete(third.id, at(300)).await.unwrap();
    assert_eq!(store.reserved(name("Ana"), at(299)).await.unwrap().unwrap().until, Some(at(300)));
    assert_eq!(store.reserved(name("Ana"), at(300)).await.unwrap(), None);
}

/// An account may replace deleted ones before their names are free, but never an account.
pub async fn an_admin_may_replace_deleted_accounts(accounts: Accounts) {
    let store = &*accounts.store;
    let ana = create(store, "ana").await;
    let taken = Some(Reservation::account(name("ana")));
    assert_eq!(refusal(store, new("Ana").replacing_deleted()).await, taken);
    store.delete(ana.id, at(100)).await.unwrap();
    assert!(refusal(store, new("ana")).await.is_some());
    assert_eq!(refusal(store, new("ana").replacing_deleted()).await, None);
    assert_eq!(reserved(store, "ana").await, taken);
    assert_eq!(refusal(store, new("ANA").replacing_deleted()).await, taken);
}

/// `remove_expired` removes names that are free, and only those.
pub async fn expired_names_are_removed(accounts: Accounts) {
    let store = &*accounts.store;
    create(store, "zoe").await;
    for (username, until) in [("ana", 10), ("bob", 20), ("eve", 30)] {
        let account = create(store, username).await;
        store.delete(account.id, at(until)).await.unwrap();
    }
    assert_eq!(store.remove_expired(at(9), 9).await.unwrap(), 0);
    assert_eq!(store.remove_expired(at(20), 1).await.unwrap(), 1);
    assert_eq!(store.remove_expired(at(20), 1).await.unwrap(), 1);
    assert_eq!(store.remove_expired(at(20), 1).await.unwrap(), 0);
    // removed: they are not even found before their time
    assert_eq!((reserved(store, "ana").await, reserved(store, "bob").await), (None, None));
    assert_eq!(reserved(store, "eve").await, Some(Reservation::kept(name("eve"), at(30))));
    assert_eq!(reserved(store, "Zoe").await, Some(Reservation::account(name("zoe"))));
}
