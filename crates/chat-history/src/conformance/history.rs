//! The tests of `HistoryStore`.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chat_protocol::{Content, Text, Timestamp, UserId, Username};
use futures::future::join_all;
use parking_lot::Mutex;

use super::History;
use super::helpers::{
    Outcome, all_after, all_before, append, body, id, idempotent_message, message, name, page, prune, room,
    seq_of, seqs, user,
};
use super::model::{self, Operation, PrunedIds};
use crate::{AppendError, MAX_PAGE_BYTES, Messages, NewMessage, Page, Retention};

/// Each room has its own numbers, which begin at 1.
pub async fn numbers_begin_at_one_in_each_room(history: History) {
    let store = &*history.store;
    for seq in 1..=3 {
        assert_eq!(seq_of(store, message("r", "ana", "hello")).await, seq);
        assert_eq!(seq_of(store, message("世界", "ana", "hello")).await, seq);
        assert_eq!(store.newest(room("r")).await.unwrap(), seq);
    }
    assert_eq!(store.newest(room("nobody")).await.unwrap(), 0);
}

/// A page has the same messages as the results of their appends, with any text.
pub async fn a_message_is_read_as_it_was_announced(history: History) {
    let store = &*history.store;
    let before = Timestamp::now();
    let texts = ["hello", "", "\0 and \r\n\u{2028}", "世界 🦀", &"x".repeat(100_000)];
    for (i, text) in texts.into_iter().enumerate() {
        let new = idempotent_message("r", "mia", text, &format!("id-{i}"));
        let announced = append(store, new.clone()).await.unwrap().message;
        let content = Content::Text(Text::new(new.id, new.user, new.from, new.body));
        assert_eq!((&announced.room, &announced.content), (&room("r"), &content));
        assert!(announced.sent_at >= before && announced.sent_at <= Timestamp::now());
        let last = page(store, "r", Page::Before { seq: u64::MAX, limit: 1 }).await.messages;
        assert_eq!(last, [announced]);
    }
}

/// With several threads, results come in the order of the room's numbers, and messages of one
/// thread keep their order.
pub async fn results_come_in_the_order_of_the_numbers(history: History) {
    const THREADS: usize = 8;
    const EACH: usize = 300;
    const ROOMS: usize = 7;
    let results: Arc<Mutex<Vec<Outcome>>> = Arc::default();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (store, results) = (&history.store, &results);
            scope.spawn(move || {
                for i in 0..EACH {
                    let new = message(&format!("r{}", i % ROOMS), &format!("user-{thread}"), &format!("{i}"));
                    let results = Arc::clone(results);
                    store.append(new, Box::new(move |outcome| results.lock().push(outcome)));
                }
            });
        }
    });
    // completes after all that was appended before
    for i in 0..ROOMS {
        append(&*history.store, message(&format!("r{i}"), "last", "")).await.unwrap();
    }
    let results = std::mem::take(&mut *results.lock());
    assert_eq!(results.len(), THREADS * EACH);
    let mut newest = HashMap::<_, u64>::new();
    let mut last_of_user = HashMap::<_, usize>::new();
    for outcome in results {
        let message = outcome.unwrap().message;
        let seq = newest.entry(message.room.clone()).or_default();
        *seq += 1;
        assert_eq!(message.seq, *seq);
        let text = message.text().unwrap();
        let i = text.body.parse().unwrap();
        let before = last_of_user.insert((message.room.clone(), text.user.clone()), i);
        assert!(before.is_none_or(|before| before < i));
    }
    for i in 0..ROOMS {
        let name = format!("r{i}");
        assert_eq!(history.store.newest(room(&name)).await.unwrap(), newest[&room(&name)] + 1);
        let all = all_after(&*history.store, &name, 200).await;
        assert_eq!(seqs(&all), (1..=newest[&room(&name)] + 1).collect::<Vec<_>>());
    }
}

/// The same id of the same user in the same room is a duplicate, or an error if the text differs.
pub async fn a_repeated_id_is_a_duplicate(history: History) {
    let store = &*history.store;
    let first = append(store, idempotent_message("r", "ana", "hello", "a")).await.unwrap();
    seq_of(store, message("r", "bob", "in between")).await;
    for _ in 0..3 {
        let repeated = append(store, idempotent_message("r", "ana", "hello", "a")).await.unwrap();
        assert!(repeated.duplicate && repeated.recovered.is_empty());
        assert_eq!(repeated.message, first.message);
        let other = append(store, idempotent_message("r", "ana", "something else", "a")).await;
        assert_eq!(other, Err(AppendError::IdReused));
    }
    assert_eq!(seq_of(store, idempotent_message("r", "bob", "hello", "a")).await, 3);
    assert_eq!(seq_of(store, idempotent_message("r", "ana", "hello", "A")).await, 4);
    assert_eq!(seq_of(store, idempotent_message("s", "ana", "hello", "a")).await, 1);
    assert_eq!(store.newest(room("r")).await.unwrap(), 4);
}

/// A user is an id: the same user is recognised under another name, and another user with the same
/// name is not. The name of a message is that at its time.
pub async fn an_id_belongs_to_a_user_and_not_to_a_name(history: History) {
    let store = &*history.store;
    let by = |user_name: &str, now: &str, body: &str| {
        NewMessage::new(room("r"), user(user_name), name(now), body, id("a")).idempotent(true)
    };
    let first = append(store, by("ana", "ana", "hello")).await.unwrap().message;
    let renamed = append(store, by("ana", "anna", "hello")).await.unwrap();
    assert!(renamed.duplicate);
    assert_eq!(renamed.message, first);
    assert_eq!(append(store, by("ana", "anna", "other")).await, Err(AppendError::IdReused));
    assert_eq!(seq_of(store, by("bob", "ana", "other")).await, 2);
    let found = all_after(store, "r", 9).await;
    let authors: Vec<_> = found.iter().map(|message| &message.text().unwrap().user).collect();
    assert_eq!(authors, [&user("ana"), &user("bob")]);
}

/// If the id of a pruned message is still recognised, another text is an error, and the same text
/// returns the message. If it was forgotten, the message is new.
pub async fn another_text_is_not_a_duplicate_of_a_pruned_message(history: History) {
    let store = &*history.store;
    let first = append(store, idempotent_message("r", "ana", "hello", "a")).await.unwrap().message;
    prune(store, Retention::new(None, Some(0))).await;
    match append(store, idempotent_message("r", "ana", "other", "a")).await {
        Err(AppendError::IdReused) => {
            let repeated = append(store, idempotent_message("r", "ana", "hello", "a")).await.unwrap();
            assert!(repeated.duplicate);
            assert_eq!(repeated.message, first);
        }
        other => {
            let other = other.unwrap();
            assert_eq!((other.message.seq, other.duplicate), (2, false));
        }
    }
}

/// A duplicate is recognised even if the first message is not committed yet.
pub async fn a_repeated_id_is_recognised_in_the_same_commit(history: History) {
    let store = &*history.store;
    let bodies = ["hello", "hello", "other", "hello"];
    let results = join_all(bodies.map(|body| append(store, idempotent_message("r", "ana", body, "a")))).await;
    let results: Vec<_> = results
        .into_iter()
        .map(|result| result.map(|appended| (appended.message.seq, appended.duplicate)))
        .collect();
    assert_eq!(results, [Ok((1, false)), Ok((1, true)), Err(AppendError::IdReused), Ok((1, true))]);
    assert_eq!(seq_of(store, message("r", "ana", "next")).await, 2);
}

/// Only ids of idempotent messages are compared.
pub async fn a_generated_id_is_not_compared(history: History) {
    let store = &*history.store;
    let generated = message("r", "ana", "hello");
    assert_eq!(seq_of(store, generated.clone()).await, 1);
    assert_eq!(seq_of(store, generated.clone()).await, 2);
    assert_eq!(seq_of(store, generated.idempotent(true)).await, 3);
}

/// Pages in both directions have the right messages and the right `more`.
pub async fn pages_end_at_their_limit(history: History) {
    let store = &*history.store;
    assert_eq!(page(store, "r", Page::After { seq: 0, limit: 10 }).await, Messages::default());
    assert_eq!(page(store, "r", Page::Before { seq: u64::MAX, limit: 10 }).await, Messages::default());
    for i in 1..=25 {
        seq_of(store, message("r", "ana", &i.to_string())).await;
        // neighbouring rooms before and after it
        seq_of(store, message("s", "ana", "")).await;
        seq_of(store, message("q", "ana", "")).await;
    }
    let after = |seq, limit| page(store, "r", Page::After { seq, limit });
    let before = |seq, limit| page(store, "r", Page::Before { seq, limit });
    for (found, expected, more) in [
        (after(0, 10).await, 1..=10, true),
        (after(10, 10).await, 11..=20, true),
        (after(20, 10).await, 21..=25, false),
        (after(15, 10).await, 16..=25, false),
        (after(14, 10).await, 15..=24, true),
        (before(u64::MAX, 10).await, 16..=25, true),
        (before(26, 25).await, 1..=25, false),
        (before(11, 10).await, 1..=10, false),
        (before(12, 10).await, 2..=11, true),
        (before(2, 10).await, 1..=1, false),
    ] {
        assert_eq!(seqs(&found.messages), expected.clone().collect::<Vec<_>>());
        assert_eq!(found.more, more, "{expected:?}");
        assert!(found.messages.iter().all(|message| body(message) == Some(&message.seq.to_string())));
    }
    for nothing in [after(25, 10).await, after(u64::MAX, 10).await, before(1, 10).await, before(0, 10).await]
    {
        assert_eq!(nothing, Messages::default());
    }
    assert_eq!(after(3, 0).await, Messages { messages: vec![], more: true });
    assert_eq!(before(3, 0).await, Messages { messages: vec![], more: true });
    assert_eq!(after(25, 0).await, Messages::default());
    for limit in [1, 7, 25, 26, usize::MAX] {
        assert_eq!(seqs(&all_after(store, "r", limit).await), (1..=25).collect::<Vec<_>>());
        assert_eq!(seqs(&all_before(store, "r", limit).await), (1..=25).collect::<Vec<_>>());
    }
}

/// A page ends before it gets too large, but always has at least one message.
pub async fn pages_are_limited_in_bytes(history: History) {
    let store = &*history.store;
    for _ in 0..20 {
        seq_of(store, message("r", "ana", &"x".repeat(150 << 10))).await;
    }
    let all = all_before(store, "r", 100).await;
    assert_eq!(all.last().unwrap().seq, 20);
    assert_eq!(all_after(store, "r", 100).await, all);

    seq_of(store, message("r", "ana", &"x".repeat(MAX_PAGE_BYTES * 3 / 2))).await;
    let newest = page(store, "r", Page::Before { seq: u64::MAX, limit: 100 }).await;
    assert_eq!(seqs(&newest.messages), [21]);
}

/// Pruning by number keeps the newest messages of each room, and the numbers.
pub async fn all_but_the_newest_messages_are_pruned(history: History) {
    let store = &*history.store;
    for (name, count) in [("r", 30), ("s", 5), ("t", 130)] {
        for _ in 0..count {
            seq_of(store, message(name, "ana", "hello")).await;
        }
    }
    prune(store, Retention::default()).await;
    assert_eq!(all_after(store, "r", 50).await.len(), 30);

    let retention = Retention::new(None, Some(10));
    prune(store, retention).await;
    for (name, kept) in [("r", 21..=30), ("s", 1..=5), ("t", 121..=130)] {
        assert_eq!(seqs(&all_after(store, name, 4).await), kept.clone().collect::<Vec<_>>());
        assert_eq!(seqs(&all_before(store, name, 4).await), kept.collect::<Vec<_>>());
    }
    assert_eq!(seqs(&page(store, "r", Page::After { seq: 5, limit: 3 }).await.messages), [21, 22, 23]);
    assert_eq!(page(store, "r", Page::Before { seq: 21, limit: 3 }).await, Messages::default());
    assert!(!page(store, "r", Page::Before { seq: 24, limit: 3 }).await.more);

    assert_eq!(seq_of(store, message("r", "ana", "hello")).await, 31);
    prune(store, Retention::new(None, Some(0))).await;
    assert_eq!(store.newest(room("r")).await.unwrap(), 31);
    assert_eq!(page(store, "r", Page::Before { seq: u64::MAX, limit: 3 }).await, Messages::default());
    assert_eq!(seq_of(store, message("r", "ana", "hello")).await, 32);
}

/// Pruning by age removes messages that are older.
pub async fn old_messages_are_pruned(history: History) {
    let store = &*history.store;
    let last = append(store, message("r", "ana", "hello")).await.unwrap().message;
    prune(store, Retention::new(Some(Duration::from_secs(3_600)), None)).await;
    assert_eq!(all_after(store, "r", 5).await.len(), 1);
    // until the message is at least one millisecond old
    while Timestamp::now() <= last.sent_at {
        std::thread::yield_now();
    }
    prune(store, Retention::new(Some(Duration::ZERO), None)).await;
    assert_eq!(page(store, "r", Page::After { seq: 0, limit: 5 }).await, Messages::default());
    assert_eq!(store.newest(room("r")).await.unwrap(), 1);
}

/// `check` succeeds on a store that works, and the epoch does not change.
pub async fn a_working_store_passes_its_check(history: History) {
    history.store.check().await.unwrap();
    assert_eq!(history.store.epoch(), history.store.epoch());
}

/// Two new stores have different epochs.
pub async fn each_store_has_its_own_epoch(first: History, second: History) {
    assert_ne!(first.store.epoch(), second.store.epoch());
}

/// Names and ids of the maximum length are stored whole.
pub async fn the_longest_names_and_ids_are_stored(history: History) {
    let long = |count| "é".repeat(count);
    let (in_room, user): (_, UserId) = (long(64), "x".repeat(UserId::MAX).parse().unwrap());
    let (author, own) = (name(&long(Username::MAX)), id(&long(64)));
    let new = NewMessage::new(room(&in_room), user.clone(), author.clone(), "hello", own.clone());
    seq_of(&*history.store, new.idempotent(true)).await;
    let found = all_after(&*history.store, &in_room, 1).await;
    assert_eq!(found[0].content, Content::Text(Text::new(own, user, author, "hello")));
}

/// A few hundred operations have the same results as on a plain list.
pub async fn random_operations_match_a_list(history: History) {
    let operations = (0..300).map(Operation::pseudorandom).collect();
    model::compare(history, operations, 5, PrunedIds::Either).await;
}
