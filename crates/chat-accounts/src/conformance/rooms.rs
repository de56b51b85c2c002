//! The tests of lists of rooms.

use chat_protocol::UserId;
use futures::future::join_all;

use super::Accounts;
use super::helpers::{create, epoch, room, unknown};
use crate::{AccountStore, AddError, BlockedUser, MAX_BLOCKED, MAX_ROOMS, Notify, RoomChange, RoomEntry};

/// A change that only adds a room.
fn change() -> RoomChange {
    RoomChange::new(epoch("e1"), 7)
}

/// Adds a room to the list of an account, or changes its entry.
async fn keep(store: &dyn AccountStore, account: &UserId, name: &str, change: RoomChange) -> RoomEntry {
    store.keep(account.clone(), room(name), change).await.unwrap()
}

/// Moves the read mark of the room "r", and returns it; `None` if the room is not in the list.
async fn mark(store: &dyn AccountStore, account: &UserId, of: &str, up_to: u64) -> Option<(String, u64)> {
    let entry = store.mark_read(account.clone(), room("r"), epoch(of), up_to).await.unwrap();
    let listed = store.rooms(account.clone()).await.unwrap();
    assert_eq!(listed.into_iter().find(|entry| entry.room == room("r")), entry);
    assert_eq!(store.room(account.clone(), room("r")).await.unwrap(), entry);
    entry.map(|entry| (entry.epoch.as_str().to_owned(), entry.read_up_to))
}

/// A new entry has the given settings or the defaults, and a change leaves the other settings and
/// the read mark as they are.
pub async fn a_room_is_kept_with_its_settings(accounts: Accounts) {
    let store = &*accounts.store;
    let ana = create(store, "ana").await.id;
    let entry = keep(store, &ana, "r", change()).await;
    assert_eq!((&entry.room, entry.favourite, entry.notify), (&room("r"), false, Notify::All));
    assert_eq!((&entry.epoch, entry.read_up_to), (&epoch("e1"), 7));
    let entry = keep(store, &ana, "r", RoomChange::new(epoch("e2"), 9).favourite(true)).await;
    assert_eq!((entry.favourite, entry.notify), (true, Notify::All));
    assert_eq!((&entry.epoch, entry.read_up_to), (&epoch("e1"), 7));
    for notify in [Notify::None, Notify::Mentions, Notify::All, Notify::Mentions] {
        let entry = keep(store, &ana, "r", change().notify(notify)).await;
        assert_eq!((entry.favourite, entry.notify), (true, notify));
        assert_eq!(store.rooms(ana.clone()).await.unwrap(), [entry]);
    }
    let entry = keep(store, &ana, "r", change().favourite(false)).await;
    assert_eq!((entry.favourite, entry.notify), (false, Notify::Mentions));
    let other = keep(store, &ana, "世界", change().favourite(true).notify(Notify::None)).await;
    assert_eq!((other.favourite, other.notify), (true, Notify::None));
    assert_eq!(store.rooms(ana.clone()).await.unwrap(), [entry, other.clone()]);
    assert_eq!(store.room(ana.clone(), room("世界")).await.unwrap(), Some(other));
    assert_eq!(store.room(ana, room("unknown")).await.unwrap(), None);
    assert_eq!(store.room(unknown(), room("r")).await.unwrap(), None);
}

/// The epoch of an entry is any text.
pub async fn an_epoch_may_have_any_characters(accounts: Accounts) {
    let store = &*accounts.store;
    let ana = create(store, "ana").await.id;
    keep(store, &ana, "r", RoomChange::new(epoch("\0\u{1}é"), 7)).await;
    assert_eq!(mark(store, &ana, "\0\u{1}é", 8).await, Some(("\0\u{1}é".to_owned(), 8)));
}

/// Each account has a list of its own, in the order of the names' bytes.
pub async fn a_list_of_rooms_belongs_to_one_account(accounts: Accounts) {
    let store = &*accounts.store;
    let (ana, bob) = (create(store, "ana").await.id, create(store, "bob").await.id);
    for name in ["s", "R", "r", "世界"] {
        keep(store, &ana, name, change()).await;
    }
    keep(store, &bob, "r", change().favourite(true)).await;
    let names = async |account: &UserId| {
        let rooms = store.rooms(account.clone()).await.unwrap();
        rooms.iter().map(|entry| entry.room.as_str().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(&ana).await, ["R", "r", "s", "世界"]);
    assert_eq!(mark(store, &bob, "e1", 9).await, Some(("e1".to_owned(), 9)));
    assert_eq!(mark(store, &ana, "e1", 0).await, Some(("e1".to_owned(), 7)));
    assert!(store.drop_room(ana.clone(), room("r")).await.unwrap());
    assert!(!store.drop_room(ana.clone(), room("r")).await.unwrap());
    assert!(!store.drop_room(unknown(), room("r")).await.unwrap());
    assert_eq!((names(&ana).await.len(), names(&bob).await.len()), (3, 1));
    assert_eq!(names(&unknown()).await, [""; 0]);
    let refused = store.keep(unknown(), room("r"), change()).await;
    assert!(matches!(refused, Err(AddError::NoAccount)), "{refused:?}");
    // a room that is added again begins again
    assert_eq!(keep(store, &ana, "r", RoomChange::new(epoch("e2"), 1)).await.read_up_to, 1);
}

/// Within an epoch a read mark only moves forwards. A mark of another epoch replaces it.
pub async fn a_read_mark_never_moves_backwards(accounts: Accounts) {
    let store = &*accounts.store;
    let ana = create(store, "ana").await.id;
    assert_eq!(mark(store, &ana, "e1", 1).await, None);
    keep(store, &ana, "r", change().favourite(true).notify(Notify::None)).await;
    let at = |of: &str, up_to| Some((of.to_owned(), up_to));
    assert_eq!(mark(store, &ana, "e1", 9).await, at("e1", 9));
    assert_eq!(mark(store, &ana, "e1", 8).await, at("e1", 9));
    assert_eq!(mark(store, &ana, "e1", 9).await, at("e1", 9));
    assert_eq!(mark(store, &ana, "e2", 3).await, at("e2", 3));
    assert_eq!(mark(store, &ana, "e2", 2).await, at("e2", 3));
    assert_eq!(mark(store, &ana, "e1", 0).await, at("e1", 0));
    // marks from several devices at once
    let marks = (1..=20).map(|up_to| store.mark_read(ana.clone(), room("r"), epoch("e1"), up_to * 7 % 20));
    assert!(join_all(marks).await.iter().all(Result::is_ok));
    assert_eq!(mark(store, &ana, "e1", 1).await, at("e1", 19));
    let entry = &store.rooms(ana.clone()).await.unwrap()[0];
    assert_eq!((entry.favourite, entry.notify), (true, Notify::None));
    store.drop_room(ana.clone(), room("r")).await.unwrap();
    assert_eq!(mark(store, &ana, "e1", 30).await, None);
}

/// The accounts that keep a room are found by their names in any case, and not by names that only
/// look like them.
pub async fn the_accounts_that_keep_a_room_are_found_by_name(accounts: Accounts) {
    let store = &*accounts.store;
    let ids = [create(store, "Ana").await.id, create(store, "bob").await.id, create(store, "世界").await.id];
    for id in [&ids[0], &ids[2]] {
        keep(store, id, "r", change()).await;
    }
    keep(store, &ids[1], "s", change()).await;
    let found = async |names: &[&str]| {
        let names = names.iter().map(|name| name.parse().unwrap()).collect();
        let mut found = store.keepers(room("r"), names).await.unwrap();
        found.sort();
        found.into_iter().map(|(name, id)| (name.to_string(), id)).collect::<Vec<_>>()
    };
    let ana = ("Ana".to_owned(), ids[0].clone());
    assert_eq!(found(&["ANA"]).await, std::slice::from_ref(&ana));
    assert_eq!(found(&["ana", "Ana", "bob", "世", "世界"]).await, [ana, ("世界".to_owned(), ids[2].clone())]);
    assert_eq!(found(&["аna", "bob", "an"]).await, [], "with a Cyrillic letter, and in another room");
    assert_eq!(found(&[]).await, []);
    let many: Vec<_> = (0..500).map(|n| format!("n{n}")).collect();
    assert_eq!(found(&many.iter().map(String::as_str).collect::<Vec<_>>()).await, []);
    store.drop_room(ids[0].clone(), room("r")).await.unwrap();
    assert_eq!(found(&["ana"]).await, []);
}

/// A list has at most [`MAX_ROOMS`] rooms, also if they are added at the same time. Entries can
/// still be changed then.
pub async fn the_number_of_rooms_is_limited(accounts: Accounts) {
    let store = &*accounts.store;
    let (ana, bob) = (create(store, "ana").await.id, create(store, "bob").await.id);
    let added = (0..MAX_ROOMS + 3).map(|i| store.keep(ana.clone(), room(&format!("r{i}")), change()));
    let (added, refused): (Vec<_>, Vec<_>) = join_all(added).await.into_iter().partition(Result::is_ok);
    assert_eq!((added.len(), refused.len()), (MAX_ROOMS, 3));
    let is_limit =
        |refused: &Result<_, AddError>| matches!(refused, Err(AddError::LimitReached { max: MAX_ROOMS }));
    assert!(refused.iter().all(is_limit));
    assert_eq!(store.rooms(ana.clone()).await.unwrap().len(), MAX_ROOMS);
    let known = added[0].as_ref().unwrap().room.clone();
    assert!(store.keep(ana.clone(), known.clone(), change().favourite(true)).await.unwrap().favourite);
    keep(store, &bob, "r0", change()).await;
    assert!(store.drop_room(ana.clone(), known).await.unwrap());
    keep(store, &ana, "new", change()).await;
}

/// Each account has its own list of users whom it has blocked.
pub async fn a_user_is_blocked_and_unblocked(accounts: Accounts) {
    let store = &*accounts.store;
    let (ana, bob) = (create(store, "ana").await.id, create(store, "bob").await.id);
    let name = |name: &str| Some(name.parse().unwrap());
    let block = async |user: &UserId, name| store.block(ana.clone(), user.clone(), name).await.unwrap();
    let unblock = async |user: &UserId| store.unblock(ana.clone(), user.clone()).await.unwrap();
    let guest: UserId = "g_gus".parse().unwrap();
    assert!(!unblock(&bob).await);
    assert!(block(&bob, name("bob")).await && block(&guest, None).await);
    assert!(!block(&bob, name("Bob")).await, "it is blocked already");
    let mut expected = [BlockedUser::new(bob.clone(), name("bob")), BlockedUser::new(guest.clone(), None)];
    expected.sort();
    assert_eq!(store.blocked(ana.clone()).await.unwrap(), expected);
    assert_eq!(store.blocked(bob.clone()).await.unwrap(), []);
    assert!(unblock(&bob).await);
    assert_eq!(store.blocked(ana.clone()).await.unwrap(), [BlockedUser::new(guest, None)]);
    assert!(!store.unblock(unknown(), bob.clone()).await.unwrap());
    let refused = store.block(unknown(), bob.clone(), None).await;
    assert!(matches!(refused, Err(AddError::NoAccount)), "{refused:?}");

    for n in 1..MAX_BLOCKED {
        assert!(block(&format!("g_{n}").parse().unwrap(), None).await);
    }
    let refused = store.block(ana.clone(), bob, None).await;
    assert!(matches!(refused, Err(AddError::LimitReached { max: MAX_BLOCKED })), "{refused:?}");
    assert!(!block(&"g_1".parse().unwrap(), None).await);
    store.delete(ana.clone(), chat_protocol::Timestamp::from_millis(1)).await.unwrap();
    assert_eq!(store.blocked(ana).await.unwrap(), []);
}
