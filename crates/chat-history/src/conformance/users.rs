//! The tests of `UserMessages`.

use chat_protocol::Content;

use super::Users;
use super::helpers::{all_after, append, body, idempotent_message, message, seq_of, seqs, user};
use crate::{MAX_PAGE_BYTES, Step, UserMessages};

/// All messages of a user as `room:seq:text`, and the number of steps that it took.
///
/// # Panics
/// If a step fails.
pub async fn export(users: &dyn UserMessages, name: &str) -> (Vec<String>, usize) {
    let (mut all, mut after, mut steps) = (Vec::new(), None, 0);
    loop {
        let Step { found, next } = users.page(user(name), after).await.unwrap();
        let bytes: usize = found.iter().filter_map(|message| body(message)).map(str::len).sum();
        assert!(bytes <= MAX_PAGE_BYTES || found.len() == 1, "{bytes} bytes in one page");
        all.extend(found.iter().map(|m| format!("{}:{}:{}", m.room, m.seq, body(m).unwrap())));
        steps += 1;
        match next {
            // as a client returns it
            Some(cursor) => after = Some(cursor.to_string().parse().unwrap()),
            None => return (all, steps),
        }
    }
}

/// Erases all messages of a user and lists them as `room:seq`.
///
/// # Panics
/// If a step fails.
pub async fn erase(users: &dyn UserMessages, name: &str) -> Vec<String> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let Step { found, next } = users.erase(user(name), after).await.unwrap();
        all.extend(found.iter().map(|erased| format!("{}:{}", erased.room, erased.seq)));
        match next {
            Some(_) => after = next,
            None => return all,
        }
    }
}

/// Export and erasure find exactly the messages of one user, and erased messages keep their
/// numbers.
pub async fn a_users_messages_are_found_and_erased_in_all_rooms(stores: Users) {
    let (store, users) = (&*stores.store, &*stores.users);
    assert_eq!(export(users, "ana").await, (vec![], 1), "the store is empty");
    for (name, from, text) in [
        ("r", "ana", "one"),
        ("r", "bob", "two"),
        ("世界", "ana", "three"),
        ("r", "ana", "four"),
        ("s", "anab", "five"),
    ] {
        append(store, idempotent_message(name, from, text, text)).await.unwrap();
    }
    assert_eq!(export(users, "ana").await.0, ["r:1:one", "r:3:four", "世界:1:three"]);
    let before = all_after(store, "r", 9).await;

    assert_eq!(erase(users, "ana").await, ["r:1", "r:3", "世界:1"]);
    assert_eq!(export(users, "ana").await.0, [""; 0]);
    assert_eq!(erase(users, "ana").await, [""; 0], "they are erased already");
    let after = all_after(store, "r", 9).await;
    assert_eq!(seqs(&after), [1, 2, 3]);
    assert_eq!(after[1], before[1]);
    assert_eq!((&after[0].content, after[0].sent_at), (&Content::Erased, before[0].sent_at));
    assert_eq!(export(users, "anab").await.0, ["s:1:five"]);

    // repeated by a client that does not know of the erasure
    let repeated = append(store, idempotent_message("r", "ana", "one", "one")).await.unwrap();
    assert!(repeated.duplicate);
    assert_eq!(repeated.message.content, Content::Erased);
    assert_eq!(seq_of(store, message("r", "ana", "next")).await, 4);
    assert_eq!(export(users, "ana").await.0, ["r:4:next"]);
}

/// A page ends before it gets too large. Also checked in all other tests by [`export`].
pub async fn pages_of_a_user_are_limited_in_bytes(stores: Users) {
    let text = "x".repeat(300_000);
    for i in 0..7 {
        seq_of(&*stores.store, message(&format!("r{i}"), "ana", &text)).await;
    }
    let (all, steps) = export(&*stores.users, "ana").await;
    assert_eq!(all.len(), 7);
    assert!(steps > 1, "{steps}");
}

/// A walk through many rooms finds and erases each message exactly once.
pub async fn a_walk_through_many_rooms_finds_each_message_once(stores: Users) {
    const ROOMS: usize = 500;
    let (store, users) = (&*stores.store, &*stores.users);
    let mut expected = Vec::new();
    for i in 0..ROOMS {
        let name = format!("r{i}");
        seq_of(store, message(&name, "bob", "")).await;
        if i % 3 == 0 {
            expected.push(format!("{name}:{}:", seq_of(store, message(&name, "ana", "")).await));
        }
    }
    assert_eq!(export(users, "ana").await.0, expected);
    assert_eq!(export(users, "nobody").await.0, [""; 0]);
    let erased = erase(users, "ana").await;
    assert_eq!(erased.iter().map(|erased| format!("{erased}:")).collect::<Vec<_>>(), expected);
    assert_eq!(export(users, "bob").await.0.len(), ROOMS);
}
