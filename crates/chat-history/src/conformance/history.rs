//! The tests of `HistoryStore`.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chat_protocol::{Content, DeletedBy, Text, Timestamp, UserId, Username};
use futures::future::join_all;
use parking_lot::Mutex;

use super::History;
use super::helpers::{
    Outcome, all_after, all_before, append, body, delete, deletion, duplicate, id, idempotent_message,
    is_end, kept_page, message, name, newest, page, prune, room, seq_of, seqs, stored, user,
};
use super::model::{self, Operation, PrunedIds};
use crate::{AppendError, Appended, MAX_PAGE_BYTES, NewMessage, Page, Retention};

/// Each room has its own numbers, which begin at 1.
pub async fn numbers_begin_at_one_in_each_room(history: History) {
    let store = &*history.store;
    for seq in 1..=3 {
        assert_eq!(seq_of(store, message("r", "ana", "hello")).await, seq);
        assert_eq!(seq_of(store, message("世界", "ana", "hello")).await, seq);
        assert_eq!(newest(store, "r").await, seq);
    }
    assert_eq!(newest(store, "nobody").await, 0);
}

/// A page has the same messages as the results of their appends, with any text.
pub async fn a_message_is_read_as_it_was_announced(history: History) {
    let store = &*history.store;
    let before = Timestamp::now();
    let texts = ["hello", "", "\0 and \r\n\u{2028}", "世界 🦀", &"x".repeat(100_000)];
    for (i, text) in texts.into_iter().enumerate() {
        let new = idempotent_message("r", "mia", text, &format!("id-{i}"));
        let announced = stored(store, new.clone()).await;
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
                    store.append(new.into(), Box::new(move |outcome| results.lock().push(outcome)));
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
    let mut last = HashMap::<_, u64>::new();
    let mut last_of_user = HashMap::<_, usize>::new();
    for outcome in results {
        let message = Arc::clone(outcome.unwrap().message().unwrap());
        let seq = last.entry(message.room.clone()).or_default();
        *seq += 1;
        assert_eq!(message.seq, *seq);
        let text = message.text().unwrap();
        let i = text.body.parse().unwrap();
        let before = last_of_user.insert((message.room.clone(), text.user.clone()), i);
        assert!(before.is_none_or(|before| before < i));
    }
    for i in 0..ROOMS {
        let name = format!("r{i}");
        assert_eq!(newest(&*history.store, &name).await, last[&room(&name)] + 1);
        let all = all_after(&*history.store, &name, 200).await;
        assert_eq!(seqs(&all), (1..=last[&room(&name)] + 1).collect::<Vec<_>>());
    }
}

/// The same id of the same user in the same room is a duplicate, or an error if the text differs.
pub async fn a_repeated_id_is_a_duplicate(history: History) {
    let store = &*history.store;
    let first = stored(store, idempotent_message("r", "ana", "hello", "a")).await;
    seq_of(store, message("r", "bob", "in between")).await;
    for _ in 0..3 {
        let repeated = duplicate(store, idempotent_message("r", "ana", "hello", "a")).await;
        assert_eq!(repeated, first);
        let other = append(store, idempotent_message("r", "ana", "something else", "a")).await;
        assert_eq!(other, Err(AppendError::IdReused));
    }
    assert_eq!(seq_of(store, idempotent_message("r", "bob", "hello", "a")).await, 3);
    assert_eq!(seq_of(store, idempotent_message("r", "ana", "hello", "A")).await, 4);
    assert_eq!(seq_of(store, idempotent_message("s", "ana", "hello", "a")).await, 1);
    assert_eq!(newest(store, "r").await, 4);
}

/// A user is an id: the same user is recognised under another name, and another user with the same
/// name is not. The name of a message is that at its time.
pub async fn an_id_belongs_to_a_user_and_not_to_a_name(history: History) {
    let store = &*history.store;
    let by = |user_name: &str, now: &str, body: &str| {
        NewMessage::new(room("r"), user(user_name), name(now), body, id("a")).idempotent(true)
    };
    let first = stored(store, by("ana", "ana", "hello")).await;
    let renamed = duplicate(store, by("ana", "anna", "hello")).await;
    assert_eq!(renamed, first);
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
    let first = stored(store, idempotent_message("r", "ana", "hello", "a")).await;
    prune(store, Retention::new(None, Some(0))).await;
    match append(store, idempotent_message("r", "ana", "other", "a")).await {
        Err(AppendError::IdReused) => {
            let repeated = duplicate(store, idempotent_message("r", "ana", "hello", "a")).await;
            assert_eq!(repeated, first);
        }
        other => {
            let other = other.unwrap();
            assert_eq!((other.seq(), other.is_duplicate()), (Some(2), false));
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
        .map(|result| result.map(|appended| (appended.seq().unwrap(), appended.is_duplicate())))
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

/// A deleted message keeps its number and its time, and says who deleted it. The deletion has a
/// number of its own.
pub async fn deleted_messages_keep_their_numbers(history: History) {
    let store = &*history.store;
    for text in ["one", "two", "three", "four"] {
        seq_of(store, message("r", "ana", text)).await;
    }
    let before = all_after(store, "r", 9).await;
    let event = delete(store, "r", &[4, 2, 2]).await;
    assert_eq!((&event.room, event.seq, event.by), (&room("r"), 5, DeletedBy::Operator));
    assert_eq!(seqs(&event.messages), [2, 4]);
    let found = all_after(store, "r", 9).await;
    assert_eq!((&found[0], &found[2]), (&before[0], &before[2]));
    for index in [1, 3] {
        assert_eq!(*found[index], before[index].deleted(DeletedBy::Operator, 5));
    }
    assert_eq!([&event.messages[0], &event.messages[1]], [&found[1], &found[3]]);
    assert_eq!((newest(store, "r").await, newest(store, "s").await), (5, 0));
    assert_eq!(seq_of(store, message("r", "ana", "next")).await, 6);
}

/// Only messages that exist and are not deleted yet can be deleted.
pub async fn a_deletion_that_changes_nothing_has_no_number(history: History) {
    let store = &*history.store;
    for name in ["r", "s"] {
        seq_of(store, message(name, "ana", "hello")).await;
    }
    delete(store, "r", &[1]).await;
    for (name, targets, expected) in [
        ("r", vec![1], Ok(Appended::Unchanged)),
        ("r", vec![0, 1, 2, 3], Ok(Appended::Unchanged)),
        ("r", vec![0, 2, 3, u64::MAX], Err(AppendError::NotFound)),
        ("nobody", vec![1], Err(AppendError::NotFound)),
    ] {
        assert_eq!(append(store, deletion(name, &targets)).await, expected, "{targets:?}");
    }
    assert_eq!(seqs(&delete(store, "s", &[0, 1, 2]).await.messages), [1]);
    assert_eq!((newest(store, "r").await, newest(store, "nobody").await), (2, 0));
    prune(store, Retention::new(None, Some(0))).await;
    assert_eq!(append(store, deletion("r", &[1])).await, Err(AppendError::NotFound));
    assert_eq!(seq_of(store, message("r", "ana", "next")).await, 3);
}

/// The id of a deleted message is still recognised. Its text decides whether a repetition is a
/// duplicate, although the store does not have the text any more.
pub async fn the_id_of_a_deleted_message_decides_by_its_text(history: History) {
    let store = &*history.store;
    seq_of(store, idempotent_message("r", "ana", "hello", "a")).await;
    seq_of(store, idempotent_message("r", "bob", "hello", "a")).await;
    let event = delete(store, "r", &[1]).await;
    let other = append(store, idempotent_message("r", "ana", "other", "a")).await;
    assert_eq!(other, Err(AppendError::IdReused));
    let repeated = duplicate(store, idempotent_message("r", "ana", "hello", "a")).await;
    assert_eq!(repeated, event.messages[0]);
    assert_eq!(seq_of(store, message("r", "ana", "next")).await, 4);
}

/// `changed` finds the messages by the number of the last event that has changed them.
pub async fn changed_messages_are_found_by_the_events_that_changed_them(history: History) {
    let store = &*history.store;
    let changed = async |name: &str, after, limit| {
        let found = store.changed(room(name), after, limit).await.unwrap();
        (found.messages.map(|messages| seqs(&messages)), found.newest)
    };
    assert_eq!(changed("r", 0, 9).await, (Some(vec![]), 0));
    for _ in 1..=6 {
        // neighbouring rooms before and after it
        for name in ["q", "r", "s"] {
            seq_of(store, message(name, "ana", "hello")).await;
        }
    }
    assert_eq!(changed("r", 0, 9).await, (Some(vec![]), 6));
    delete(store, "q", &[1]).await;
    delete(store, "s", &[1]).await;
    delete(store, "r", &[5]).await;
    delete(store, "r", &[2, 3]).await;
    assert_eq!(seq_of(store, message("r", "ana", "hello")).await, 9);
    for after in [0, 1, 6] {
        assert_eq!(changed("r", after, 9).await, (Some(vec![2, 3, 5]), 9), "{after}");
    }
    assert_eq!(changed("r", 7, 9).await, (Some(vec![2, 3]), 9));
    for after in [8, 9, 100, u64::MAX] {
        assert_eq!(changed("r", after, 9).await, (Some(vec![]), 9), "{after}");
    }
    assert_eq!(changed("r", 0, 3).await, (Some(vec![2, 3, 5]), 9));
    assert_eq!(changed("r", 0, 2).await, (None, 9), "too many");
    let found = store.changed(room("r"), 7, 9).await.unwrap().messages.unwrap();
    assert_eq!(found, page(store, "r", Page::After { seq: 1, limit: 2 }).await.messages);
}

/// The numbers of events that are no messages are in no page, and pages say what they cover.
pub async fn events_that_are_no_messages_leave_gaps_in_pages(history: History) {
    let store = &*history.store;
    for _ in 0..4 {
        let seq = seq_of(store, message("r", "ana", "hello")).await;
        delete(store, "r", &[seq]).await;
    }
    for limit in [1, 2, 9] {
        assert_eq!(seqs(&all_after(store, "r", limit).await), [1, 3, 5, 7]);
        assert_eq!(seqs(&all_before(store, "r", limit).await), [1, 3, 5, 7]);
    }
    for (asked, found, first, last, more) in [
        (Page::After { seq: 0, limit: 2 }, vec![1, 3], 1, 3, true),
        (Page::After { seq: 4, limit: 2 }, vec![5, 7], 5, 8, false),
        (Page::After { seq: 7, limit: 2 }, vec![], 8, 8, false),
        (Page::After { seq: 8, limit: 2 }, vec![], 9, 8, false),
        (Page::After { seq: u64::MAX, limit: 2 }, vec![], 9, 8, false),
        (Page::Before { seq: u64::MAX, limit: 2 }, vec![5, 7], 5, 8, true),
        (Page::Before { seq: 5, limit: 2 }, vec![1, 3], 1, 4, false),
        (Page::Before { seq: 1, limit: 2 }, vec![], 1, 0, false),
    ] {
        let page = page(store, "r", asked).await;
        assert_eq!((seqs(&page.messages), page.first, page.last, page.more), (found, first, last, more));
        assert_eq!(page.newest, 8);
    }
}

/// Counts the messages after a position, but not those of some users.
pub async fn messages_of_others_are_counted(history: History) {
    let store = &*history.store;
    let count = async |after: u64, except: &[&str], max: usize, keep: Option<u64>| {
        let except = except.iter().map(|name| user(name)).collect();
        let counting = store.count_after(room("r"), after, except, max, Retention::new(None, keep));
        let count = counting.await.unwrap();
        (count.messages, count.newest)
    };
    assert_eq!(count(0, &[], 9, None).await, (0, 0));
    for number in 0..250 {
        seq_of(store, message("r", if number % 2 == 0 { "ana" } else { "bob" }, "hello")).await;
    }
    delete(store, "r", &[1, 2, 249]).await;
    seq_of(store, message("other", "ana", "hello")).await;
    assert_eq!(count(0, &[], 999, None).await, (247, 251));
    assert_eq!(count(0, &["ana"], 999, None).await, (124, 251));
    assert_eq!(count(0, &["ana", "bob"], 999, None).await, (0, 251));
    assert_eq!(count(0, &["ana"], 100, None).await, (100, 251));
    assert_eq!(count(246, &["ana"], 999, None).await, (2, 251));
    assert_eq!(count(248, &["cid"], 999, None).await, (1, 251), "one is deleted");
    for after in [250, 251, 9_999, u64::MAX] {
        assert_eq!(count(after, &[], 999, None).await, (0, 251), "{after}");
    }
    assert_eq!(count(0, &[], 999, Some(10)).await, (9, 251), "a deleted one is kept, too");
    assert_eq!(count(0, &[], 0, None).await.0, 0);
}

/// A page and the numbers of a room are those that retention keeps, although nothing was pruned
/// yet, and the same afterwards. Retention counts messages, not numbers.
pub async fn pages_and_numbers_follow_retention_before_it_is_carried_out(history: History) {
    let store = &*history.store;
    for _ in 0..10 {
        let seq = seq_of(store, message("r", "ana", "hello")).await;
        seq_of(store, message("r", "bob", "hello")).await;
        delete(store, "r", &[seq]).await;
    }
    let all = all_after(store, "r", 99).await;
    let counts = [100, 20, 19, 11, 10, 5, 1, 0];
    let ages = [None, Some(Duration::from_secs(3_600)), Some(Duration::ZERO)];
    // until the last message is at least one millisecond old
    while Timestamp::now() <= all[19].sent_at {
        std::thread::yield_now();
    }
    let pages = [
        Page::After { seq: 0, limit: 99 },
        Page::After { seq: 14, limit: 3 },
        Page::Before { seq: u64::MAX, limit: 99 },
        Page::Before { seq: 20, limit: 3 },
    ];
    for age in ages {
        for count in counts {
            let retention = Retention::new(age, Some(count));
            let is_empty = count == 0 || age == Some(Duration::ZERO);
            let kept = if is_empty { &[] } else { &all[20_usize.saturating_sub(count as usize)..] };
            for asked in pages {
                let found = kept_page(store, "r", asked, retention).await;
                let is_in_page = |seq: u64| match asked {
                    Page::After { seq: after, .. } => seq > after,
                    Page::Before { seq: before, .. } => seq < before,
                };
                let mut expected: Vec<_> = seqs(kept).into_iter().filter(|seq| is_in_page(*seq)).collect();
                match asked {
                    Page::After { limit, .. } => expected.truncate(limit),
                    Page::Before { limit, .. } => {
                        expected.drain(..expected.len().saturating_sub(limit));
                    }
                }
                assert_eq!(seqs(&found.messages), expected, "{retention:?} {asked:?}");
            }
            let extent = store.extent(room("r"), retention).await.unwrap();
            let oldest = if is_empty { 31 } else { kept[0].seq };
            assert_eq!(extent.newest, 30);
            // numbers without a message may come before the oldest message
            let is_right = extent.oldest == oldest || (kept.len() == 20 && extent.oldest <= oldest);
            assert!(is_right, "{retention:?} {extent:?} {oldest}");
        }
    }
    for count in counts {
        let retention = Retention::new(None, Some(count));
        let before = store.extent(room("r"), retention).await.unwrap();
        prune(store, retention).await;
        let kept = &all[20_usize.saturating_sub(count as usize)..];
        assert_eq!(seqs(&all_after(store, "r", 7).await), seqs(kept));
        assert_eq!(store.extent(room("r"), Retention::default()).await.unwrap(), before);
    }
}

/// Pages in both directions have the right messages and the right `more`.
pub async fn pages_end_at_their_limit(history: History) {
    let store = &*history.store;
    assert!(is_end(&page(store, "r", Page::After { seq: 0, limit: 10 }).await));
    assert!(is_end(&page(store, "r", Page::Before { seq: u64::MAX, limit: 10 }).await));
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
        assert!(is_end(&nothing));
    }
    for empty in [after(3, 0).await, before(4, 0).await] {
        assert!(empty.messages.is_empty() && empty.more);
        assert_eq!((empty.first, empty.last), (4, 3));
    }
    assert!(is_end(&after(25, 0).await));
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
    assert!(is_end(&page(store, "r", Page::Before { seq: 21, limit: 3 }).await));
    assert!(!page(store, "r", Page::Before { seq: 24, limit: 3 }).await.more);

    assert_eq!(seq_of(store, message("r", "ana", "hello")).await, 31);
    prune(store, Retention::new(None, Some(0))).await;
    assert_eq!(newest(store, "r").await, 31);
    assert!(is_end(&page(store, "r", Page::Before { seq: u64::MAX, limit: 3 }).await));
    assert_eq!(seq_of(store, message("r", "ana", "hello")).await, 32);
}

/// Pruning by age removes messages that are older.
pub async fn old_messages_are_pruned(history: History) {
    let store = &*history.store;
    let last = stored(store, message("r", "ana", "hello")).await;
    prune(store, Retention::new(Some(Duration::from_secs(3_600)), None)).await;
    assert_eq!(all_after(store, "r", 5).await.len(), 1);
    // until the message is at least one millisecond old
    while Timestamp::now() <= last.sent_at {
        std::thread::yield_now();
    }
    prune(store, Retention::new(Some(Duration::ZERO), None)).await;
    assert!(is_end(&page(store, "r", Page::After { seq: 0, limit: 5 }).await));
    assert_eq!(newest(store, "r").await, 1);
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
