//! The tests of settings and permissions.

use chat_protocol::{MayJoin, MayPost, RoomSettings, Visibility};

use super::History;
use super::helpers::{
    append, configure, delete, duplicate, id, idempotent_message, message, newest, page, room, seq_of, seqs,
    stored,
};
use crate::{
    AppendError, Appended, HistoryStore, NewEvent, NewRoomChange, Page, Permission, PublicRoom, RoomVersion,
    StoredSettings,
};

async fn settings(store: &dyn HistoryStore, name: &str) -> StoredSettings {
    store.settings(room(name)).await.unwrap()
}

/// The rooms that are public now, with the time of their newest message.
pub async fn public_rooms_are_found(history: History) {
    let store = &*history.store;
    let public = RoomSettings::default().visibility(Visibility::Public);
    seq_of(store, message("quiet", "ana", "hello")).await;
    for name in ["a", "b", "c"] {
        configure(store, name, &public).await;
    }
    seq_of(store, message("b", "ana", "hello")).await;
    configure(store, "c", &public.clone().visibility(Visibility::Private)).await;
    let mut found = store.public_rooms(10).await.unwrap();
    found.sort_by(|one, other| one.room.cmp(&other.room));
    let newest = page(store, "b", Page::Before { seq: u64::MAX, limit: 1 }).await.messages[0].sent_at;
    let expected =
        [PublicRoom::new(room("a"), public.clone(), None), PublicRoom::new(room("b"), public, Some(newest))];
    assert_eq!(found, expected);
    assert_eq!(store.public_rooms(1).await.unwrap().len(), 1);
}

/// The rooms that have changed since the caller has looked at them, with their states now.
pub async fn newer_rooms_are_found(history: History) {
    let store = &*history.store;
    let known = |name: &str, newest, policy| RoomVersion::new(room(name), newest, policy);
    for name in ["a", "b", "c"] {
        seq_of(store, message(name, "ana", "hello")).await;
    }
    configure(store, "b", &RoomSettings::default().join(MayJoin::Accounts)).await;
    append(store, NewEvent::NewRules(room("c"))).await.unwrap();
    let newer = async |known: Vec<RoomVersion>| {
        let mut newer = store.newer(known).await.unwrap();
        newer.sort_by(|one, other| one.room.cmp(&other.room));
        newer
    };
    let all = vec![known("a", 1, 0), known("b", 2, 1), known("c", 1, 1)];
    let unknown = known("no-such-room", newest(store, "no-such-room").await, 0);
    assert_eq!(newer([all.clone(), vec![unknown.clone()]].concat()).await, []);
    let behind = vec![known("a", 0, 0), known("b", 1, 1), known("c", 1, 0), unknown];
    assert_eq!(newer(behind).await, all);
    assert_eq!(newer(vec![known("a", 7, 0)]).await, [], "the caller is ahead");
    assert_eq!(newer(Vec::new()).await, []);
    // more than one query asks for
    let many: Vec<_> = (0..1_200).map(|n| known(&format!("room-{n}"), 1 << 30, 0)).collect();
    assert_eq!(newer([many, vec![known("a", 0, 0)]].concat()).await, all[..1]);
}

/// A change of the settings is an event with a number, and raises the version of the policy.
pub async fn changes_of_settings_are_events(history: History) {
    let store = &*history.store;
    assert_eq!(settings(store, "r").await, StoredSettings::default());
    let accounts = RoomSettings::default().join(MayJoin::Accounts);
    let moderators = accounts.clone().post(MayPost::Moderators);
    assert_eq!(configure(store, "r", &accounts).await, (1, 1));
    assert_eq!(seq_of(store, message("r", "ana", "hello")).await, 2);
    assert_eq!(configure(store, "r", &moderators).await, (3, 2));
    assert_eq!(settings(store, "r").await, StoredSettings::new(moderators.clone(), 2));
    assert_eq!(settings(store, "other").await, StoredSettings::default(), "other rooms are as before");

    let again = NewRoomChange::new(room("r"), moderators);
    assert_eq!(append(store, again).await, Ok(Appended::Unchanged));
    assert_eq!(newest(store, "r").await, 3);
    let default = NewRoomChange::new(room("new"), RoomSettings::default());
    assert_eq!(append(store, default).await, Ok(Appended::Unchanged));
    assert_eq!((newest(store, "new").await, settings(store, "new").await.version), (0, 0));

    assert_eq!(configure(store, "r", &RoomSettings::default()).await, (4, 3));
    let page = page(store, "r", Page::After { seq: 0, limit: 10 }).await;
    assert_eq!((seqs(&page.messages), page.first, page.last), (vec![2], 1, 4));
    assert_eq!(store.changed(room("r"), 0, 10).await.unwrap().messages, Some(vec![]));
}

/// A message is stored only if it was checked against the current version and allowed.
pub async fn a_message_without_permission_is_not_stored(history: History) {
    let store = &*history.store;
    let checked =
        |version, is_allowed| message("r", "ana", "hello").permission(Permission::new(version, is_allowed));
    assert_eq!(seq_of(store, checked(0, true)).await, 1);
    assert_eq!(append(store, checked(0, false)).await, Err(AppendError::NotAllowed));
    configure(store, "r", &RoomSettings::default().post(MayPost::Moderators)).await;
    // the event comes back, to be checked again
    let old = checked(0, true);
    let expected = Box::new(NewEvent::from(old.clone()));
    assert_eq!(append(store, old).await, Err(AppendError::PolicyChanged(expected)));
    let denied = append(store, checked(0, false)).await;
    assert!(matches!(denied, Err(AppendError::PolicyChanged(_))), "{denied:?}");
    assert_eq!(append(store, checked(1, false)).await, Err(AppendError::NotAllowed));
    assert_eq!(seq_of(store, checked(1, true)).await, 3, "nothing else has taken a number");
    assert_eq!(seq_of(store, message("r", "ana", "not checked")).await, 4);
}

/// The id of a message is looked at first: what was stored is acked whatever the policy is now, and
/// an id whose message was refused is free.
pub async fn a_repeated_id_comes_before_permission(history: History) {
    let store = &*history.store;
    let new = |own_id, body, permission| idempotent_message("r", "ana", body, own_id).permission(permission);
    let (allowed, denied) = (Permission::new(0, true), Permission::new(0, false));
    let first = stored(store, new("a", "hello", allowed)).await;
    configure(store, "r", &RoomSettings::default().post(MayPost::Accounts)).await;
    for permission in [allowed, denied, Permission::new(1, false)] {
        assert_eq!(duplicate(store, new("a", "hello", permission)).await, first);
        assert_eq!(append(store, new("a", "other", permission)).await, Err(AppendError::IdReused));
    }
    let refused = append(store, new("b", "hello", Permission::new(1, false))).await;
    assert_eq!(refused, Err(AppendError::NotAllowed));
    let outdated = append(store, new("b", "hello", allowed)).await;
    assert!(matches!(outdated, Err(AppendError::PolicyChanged(_))), "{outdated:?}");
    let second = stored(store, new("b", "other", Permission::new(1, true))).await;
    assert_eq!((second.seq, &second.text().unwrap().id), (3, &id("b")));
    delete(store, "r", &[1]).await;
    let again = duplicate(store, new("a", "hello", denied)).await;
    assert_eq!((again.seq, again.text()), (1, None));
}

/// A change and the messages around it, appended at once, are checked in their order.
pub async fn permissions_are_checked_in_the_order_of_events(history: History) {
    let store = &*history.store;
    let post = |version| message("r", "ana", "hello").permission(Permission::new(version, true));
    let change = NewRoomChange::new(room("r"), RoomSettings::default().post(MayPost::Accounts));
    let before = append(store, post(0));
    let changed = append(store, change);
    let (late, early) = (append(store, post(0)), append(store, post(1)));
    assert_eq!((before.await.unwrap().seq(), changed.await.unwrap().seq()), (Some(1), Some(2)));
    assert!(matches!(late.await, Err(AppendError::PolicyChanged(_))));
    assert_eq!(early.await.unwrap().seq(), Some(3));
    let posted = page(store, "r", Page::After { seq: 0, limit: 9 }).await;
    assert_eq!(seqs(&posted.messages), [1, 3]);
}
