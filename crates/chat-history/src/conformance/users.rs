//! The tests of `UserMessages`.

use chat_protocol::{Content, DeletedBy};

use super::Users;
use super::helpers::{
    all_after, append, body, deletion, duplicate, id, idempotent_message, message, name, react, reaction,
    room, seq_of, seqs, user,
};
use crate::{
    HistoryStore, MAX_PAGE_BYTES, NewDeletion, NewMessage, Step, UserMessages, UserQuery, UserReaction,
};

/// All messages that a query finds as `room:seq:text`, and the number of steps that it took.
///
/// # Panics
/// If a step fails.
pub async fn export(users: &dyn UserMessages, query: impl Into<UserQuery>) -> (Vec<String>, usize) {
    let query = query.into();
    let (mut all, mut after, mut steps) = (Vec::new(), None, 0);
    loop {
        let Step { found, next } = users.page(query.clone(), after).await.unwrap();
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

/// Deletes all messages that a query finds and lists them as `room:seq`.
///
/// # Panics
/// If a step fails.
pub async fn delete_all(
    store: &dyn HistoryStore,
    users: &dyn UserMessages,
    query: impl Into<UserQuery>,
) -> Vec<String> {
    let query = query.into();
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let Step { found, next } = users.find(query.clone(), after).await.unwrap();
        all.extend(found.iter().map(|key| format!("{}:{}", key.room, key.seq)));
        for in_room in found.chunk_by(|a, b| a.room == b.room) {
            let targets: Vec<_> = in_room.iter().map(|key| key.seq).collect();
            for event in NewDeletion::batches(&in_room[0].room, &targets, DeletedBy::Operator) {
                append(store, event).await.unwrap();
            }
        }
        match next {
            Some(_) => after = next,
            None => return all,
        }
    }
}

/// Export and deletion find exactly the messages of one user, and deleted messages keep their
/// numbers.
pub async fn a_users_messages_are_found_and_deleted_in_all_rooms(stores: Users) {
    let (store, users) = (&*stores.store, &*stores.users);
    assert_eq!(export(users, user("ana")).await, (vec![], 1), "the store is empty");
    for (name, from, text) in [
        ("r", "ana", "one"),
        ("r", "bob", "two"),
        ("世界", "ana", "three"),
        ("r", "ana", "four"),
        ("s", "anab", "five"),
    ] {
        append(store, idempotent_message(name, from, text, text)).await.unwrap();
    }
    assert_eq!(export(users, user("ana")).await.0, ["r:1:one", "r:3:four", "世界:1:three"]);
    let before = all_after(store, "r", 9).await;

    assert_eq!(delete_all(store, users, user("ana")).await, ["r:1", "r:3", "世界:1"]);
    assert_eq!(export(users, user("ana")).await.0, [""; 0]);
    assert_eq!(delete_all(store, users, user("ana")).await, [""; 0], "they are deleted already");
    let after = all_after(store, "r", 9).await;
    assert_eq!(seqs(&after), [1, 2, 3]);
    assert_eq!(after[1], before[1]);
    assert_eq!(
        (&after[0].content, after[0].sent_at),
        (&Content::Deleted { by: DeletedBy::Operator }, before[0].sent_at)
    );
    assert_eq!(export(users, user("anab")).await.0, ["s:1:five"]);

    // repeated by a client that does not know of the deletion
    let repeated = duplicate(store, idempotent_message("r", "ana", "one", "one")).await;
    assert_eq!(repeated.content, Content::Deleted { by: DeletedBy::Operator });
    // the deletion is the event 4
    assert_eq!(seq_of(store, message("r", "ana", "next")).await, 5);
    assert_eq!(export(users, user("ana")).await.0, ["r:5:next"]);
}

/// A query with a name finds what the user has sent under this name, and nothing else.
pub async fn messages_under_one_name_are_found_and_deleted(stores: Users) {
    let (store, users) = (&*stores.store, &*stores.users);
    for (i, (author, called)) in
        [("x", "ana"), ("x", "bob"), ("y", "ana"), ("x", "ana")].into_iter().enumerate()
    {
        let own = id(&i.to_string());
        seq_of(store, NewMessage::new(room("r"), user(author), name(called), i.to_string(), own)).await;
    }
    let ana = || UserQuery::new(user("x")).with_name(name("ana"));
    assert_eq!(export(users, user("x")).await.0, ["r:1:0", "r:2:1", "r:4:3"]);
    assert_eq!(export(users, ana()).await.0, ["r:1:0", "r:4:3"]);
    assert_eq!(export(users, UserQuery::new(user("x")).with_name(name("eve"))).await.0, [""; 0]);
    assert_eq!(delete_all(store, users, ana()).await, ["r:1", "r:4"]);
    assert_eq!(export(users, user("x")).await.0, ["r:2:1"]);
    assert_eq!(export(users, user("y")).await.0, ["r:3:2"]);
}

/// A page ends before it gets too large. Also checked in all other tests by [`export`].
pub async fn pages_of_a_user_are_limited_in_bytes(stores: Users) {
    let text = "x".repeat(300_000);
    for i in 0..7 {
        seq_of(&*stores.store, message(&format!("r{i}"), "ana", &text)).await;
    }
    let (all, steps) = export(&*stores.users, user("ana")).await;
    assert_eq!(all.len(), 7);
    assert!(steps > 1, "{steps}");
}

/// A walk through many rooms finds and deletes each message exactly once.
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
    assert_eq!(export(users, user("ana")).await.0, expected);
    assert_eq!(export(users, user("nobody")).await.0, [""; 0]);
    let deleted = delete_all(store, users, user("ana")).await;
    assert_eq!(deleted.iter().map(|deleted| format!("{deleted}:")).collect::<Vec<_>>(), expected);
    assert_eq!(export(users, user("bob")).await.0.len(), ROOMS);
}

/// All reactions that a query finds as `room:seq:emoji`.
///
/// # Panics
/// If a step fails.
pub async fn reactions_of(users: &dyn UserMessages, query: impl Into<UserQuery>) -> Vec<String> {
    let (query, mut all, mut after) = (query.into(), Vec::new(), None);
    loop {
        let Step { found, next } = users.reactions(query.clone(), after).await.unwrap();
        let place =
            |found: &UserReaction| format!("{}:{}:{}", found.message.room, found.message.seq, found.emoji);
        all.extend(found.iter().map(place));
        match next {
            // as a client returns it
            Some(cursor) => after = Some(cursor.to_string().parse().unwrap()),
            None => return all,
        }
    }
}

/// The reactions of a user are found in all rooms, and are gone with their messages.
pub async fn the_reactions_of_a_user_are_found(stores: Users) {
    let (store, users) = (&*stores.store, &*stores.users);
    assert_eq!(reactions_of(users, user("ana")).await, [""; 0]);
    for name in ["r", "s", "t"] {
        for text in ["one", "two"] {
            seq_of(store, message(name, "bob", text)).await;
        }
        for from in ["bob", "ana"] {
            react(store, reaction(name, from, 2, "👍", true)).await;
        }
    }
    react(store, reaction("s", "ana", 1, "🎉", true)).await;
    react(store, reaction("t", "ana", 2, "👍", false)).await;
    assert_eq!(reactions_of(users, user("ana")).await, ["r:2:👍", "s:1:🎉", "s:2:👍"]);
    let called = UserQuery::new(user("ana")).with_name(name("eve"));
    assert_eq!(reactions_of(users, called).await, [""; 0]);
    append(store, deletion("s", &[2])).await.unwrap();
    assert_eq!(reactions_of(users, user("ana")).await, ["r:2:👍", "s:1:🎉"]);
    assert_eq!(reactions_of(users, user("nobody")).await, [""; 0]);
    // many on one message
    for n in 0..300 {
        react(store, reaction("r", &format!("u{n}"), 1, "👍", true)).await;
    }
    assert_eq!(reactions_of(users, user("u299")).await, ["r:1:👍"]);
    assert_eq!(reactions_of(users, user("bob")).await.len(), 2);
}
