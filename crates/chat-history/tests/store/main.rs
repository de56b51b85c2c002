//! One suite over every store: what `HistoryStore` promises. And beside it what one of them promises beyond that.
#![allow(clippy::unwrap_used)]

mod memory;
mod model;
mod sqlite;
mod support;
mod users;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chat_history::{AppendError, HistoryStore, Messages, Page, Retention};
use chat_protocol::v2::PAGE_BYTES;
use chat_protocol::{Content, Timestamp, Username};
use futures::future::join_all;

use self::support::{
    Outcome, Under, all_after, all_before, append, body, id, page, room, say, say_once, seq_of, seqs,
};

async fn numbers_begin_at_one_in_each_room(under: Under) {
    let store = &*under.store;
    for seq in 1..=3 {
        assert_eq!(seq_of(store, say("r", "ana", "hello")).await, seq);
        assert_eq!(seq_of(store, say("世界", "ana", "hello")).await, seq);
        assert_eq!(store.newest(room("r")).await.unwrap(), seq);
    }
    assert_eq!(store.newest(room("nobody")).await.unwrap(), 0);
}

async fn a_message_is_read_as_it_was_told(under: Under) {
    let store = &*under.store;
    let before = Timestamp::now();
    let texts = ["hello", "", "\0 and \r\n\u{2028}", "世界 🦀", &"x".repeat(100_000)];
    for (i, text) in texts.into_iter().enumerate() {
        let new = say_once("r", "mia", text, &format!("id-{i}"));
        let told = append(store, new.clone()).await.unwrap().message;
        let content = Content::Said { id: new.id, from: new.from, body: new.body };
        assert_eq!((&told.room, &told.content), (&room("r"), &content));
        assert!(told.sent_at >= before && told.sent_at <= Timestamp::now());
        let last = page(store, "r", Page::Before { seq: u64::MAX, limit: 1 }).await.messages;
        assert_eq!(last, [told]);
    }
}

async fn answers_come_in_the_order_of_the_numbers(under: Under) {
    const THREADS: usize = 8;
    const EACH: usize = 300;
    const ROOMS: usize = 7;
    let told: Arc<Mutex<Vec<Outcome>>> = Arc::default();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (store, told) = (&under.store, &told);
            scope.spawn(move || {
                for i in 0..EACH {
                    let message = say(&format!("r{}", i % ROOMS), &format!("user-{thread}"), &format!("{i}"));
                    let told = Arc::clone(told);
                    store.append(message, Box::new(move |outcome| told.lock().unwrap().push(outcome)));
                }
            });
        }
    });
    // answered behind all that was taken in before
    for i in 0..ROOMS {
        append(&*under.store, say(&format!("r{i}"), "last", "")).await.unwrap();
    }
    let told = std::mem::take(&mut *told.lock().unwrap());
    assert_eq!(told.len(), THREADS * EACH);
    let mut newest = HashMap::<_, u64>::new();
    let mut said = HashMap::<_, usize>::new();
    for outcome in told {
        let message = outcome.unwrap().message;
        let seq = newest.entry(message.room.clone()).or_default();
        *seq += 1;
        assert_eq!(message.seq, *seq);
        let Content::Said { from, body, .. } = &message.content else { panic!("{message:?}") };
        let i = body.parse().unwrap();
        let before = said.insert((message.room.clone(), from.clone()), i);
        assert!(before.is_none_or(|before| before < i));
    }
    for i in 0..ROOMS {
        let name = format!("r{i}");
        assert_eq!(under.store.newest(room(&name)).await.unwrap(), newest[&room(&name)] + 1);
        let all = all_after(&*under.store, &name, 200).await;
        assert_eq!(seqs(&all), (1..=newest[&room(&name)] + 1).collect::<Vec<_>>());
    }
}

async fn the_same_id_again_is_the_same_message(under: Under) {
    let store = &*under.store;
    let first = append(store, say_once("r", "ana", "hello", "a")).await.unwrap();
    seq_of(store, say("r", "bob", "in between")).await;
    for _ in 0..3 {
        let again = append(store, say_once("r", "ana", "hello", "a")).await.unwrap();
        assert!(again.again && again.missed.is_empty());
        assert_eq!(again.message, first.message);
        let other = append(store, say_once("r", "ana", "something else", "a")).await;
        assert_eq!(other, Err(AppendError::IdReused));
    }
    assert_eq!(seq_of(store, say_once("r", "bob", "hello", "a")).await, 3);
    assert_eq!(seq_of(store, say_once("r", "ana", "hello", "A")).await, 4);
    assert_eq!(seq_of(store, say_once("s", "ana", "hello", "a")).await, 1);
    assert_eq!(store.newest(room("r")).await.unwrap(), 4);
}

async fn the_same_id_is_recognised_at_once(under: Under) {
    let store = &*under.store;
    let bodies = ["hello", "hello", "other", "hello"];
    let answers = join_all(bodies.map(|body| append(store, say_once("r", "ana", body, "a")))).await;
    let told: Vec<_> =
        answers.into_iter().map(|answer| answer.map(|told| (told.message.seq, told.again))).collect();
    assert_eq!(told, [Ok((1, false)), Ok((1, true)), Err(AppendError::IdReused), Ok((1, true))]);
    assert_eq!(seq_of(store, say("r", "ana", "next")).await, 2);
}

async fn an_id_that_the_server_made_is_no_claim(under: Under) {
    let store = &*under.store;
    let message = say("r", "ana", "hello");
    assert_eq!(seq_of(store, message.clone()).await, 1);
    assert_eq!(seq_of(store, message.clone()).await, 2);
    let own = chat_history::NewMessage { once: true, ..message };
    assert_eq!(seq_of(store, own).await, 3);
}

async fn pages_end_at_their_limit(under: Under) {
    let store = &*under.store;
    assert_eq!(page(store, "r", Page::After { seq: 0, limit: 10 }).await, Messages::default());
    assert_eq!(page(store, "r", Page::Before { seq: u64::MAX, limit: 10 }).await, Messages::default());
    for i in 1..=25 {
        seq_of(store, say("r", "ana", &i.to_string())).await;
        // a neighbour on either side
        seq_of(store, say("s", "ana", "")).await;
        seq_of(store, say("q", "ana", "")).await;
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

async fn pages_end_where_their_bytes_do(under: Under) {
    let store = &*under.store;
    for _ in 0..20 {
        seq_of(store, say("r", "ana", &"x".repeat(150 << 10))).await;
    }
    let all = all_before(store, "r", 100).await;
    assert_eq!(all.last().unwrap().seq, 20);
    assert_eq!(all_after(store, "r", 100).await, all);

    // one message always fits
    seq_of(store, say("r", "ana", &"x".repeat(PAGE_BYTES * 3 / 2))).await;
    let newest = page(store, "r", Page::Before { seq: u64::MAX, limit: 100 }).await;
    assert_eq!(seqs(&newest.messages), [21]);
}

/// Prunes until nothing is left to do.
async fn prune(store: &dyn HistoryStore, retention: Retention) {
    while store.prune(retention).await.unwrap() {}
}

async fn all_but_the_newest_go(under: Under) {
    let store = &*under.store;
    for (name, count) in [("r", 30), ("s", 5), ("t", 130)] {
        for _ in 0..count {
            seq_of(store, say(name, "ana", "hello")).await;
        }
    }
    prune(store, Retention::default()).await;
    assert_eq!(all_after(store, "r", 50).await.len(), 30);

    let retention = Retention { max_count: Some(10), max_age: None };
    prune(store, retention).await;
    for (name, kept) in [("r", 21..=30), ("s", 1..=5), ("t", 121..=130)] {
        assert_eq!(seqs(&all_after(store, name, 4).await), kept.clone().collect::<Vec<_>>());
        assert_eq!(seqs(&all_before(store, name, 4).await), kept.collect::<Vec<_>>());
    }
    assert_eq!(seqs(&page(store, "r", Page::After { seq: 5, limit: 3 }).await.messages), [21, 22, 23]);
    assert_eq!(page(store, "r", Page::Before { seq: 21, limit: 3 }).await, Messages::default());
    assert!(!page(store, "r", Page::Before { seq: 24, limit: 3 }).await.more);

    assert_eq!(seq_of(store, say("r", "ana", "hello")).await, 31);
    prune(store, Retention { max_count: Some(0), max_age: None }).await;
    assert_eq!(store.newest(room("r")).await.unwrap(), 31);
    assert_eq!(page(store, "r", Page::Before { seq: u64::MAX, limit: 3 }).await, Messages::default());
    assert_eq!(seq_of(store, say("r", "ana", "hello")).await, 32);
}

async fn what_is_too_old_goes(under: Under) {
    let store = &*under.store;
    let last = append(store, say("r", "ana", "hello")).await.unwrap().message;
    let hour = Retention { max_age: Some(Duration::from_secs(3_600)), max_count: None };
    prune(store, hour).await;
    assert_eq!(all_after(store, "r", 5).await.len(), 1);
    // as old as it takes
    while Timestamp::now() <= last.sent_at {
        tokio::task::yield_now().await;
    }
    prune(store, Retention { max_age: Some(Duration::ZERO), max_count: None }).await;
    assert_eq!(page(store, "r", Page::After { seq: 0, limit: 5 }).await, Messages::default());
    assert_eq!(store.newest(room("r")).await.unwrap(), 1);
}

async fn a_working_store_would_take_a_message(under: Under) {
    under.store.check().await.unwrap();
    assert_eq!(under.store.epoch(), under.store.epoch());
}

async fn each_store_has_an_epoch_of_its_own(under: Under) {
    assert_ne!(under.store.epoch(), support::memory().await.store.epoch());
    assert_ne!(under.store.epoch(), support::sqlite().await.store.epoch());
}

async fn names_and_ids_may_be_as_long_as_they_may(under: Under) {
    let long = |count| "é".repeat(count);
    let (name, user, own) = (long(64), long(Username::MAX), long(64));
    seq_of(&*under.store, say_once(&name, &user, "hello", &own)).await;
    let found = all_after(&*under.store, &name, 1).await;
    let Content::Said { id: own_id, from, .. } = &found[0].content else { panic!("{found:?}") };
    assert_eq!((own_id, from.as_str()), (&id(&own), user.as_str()));
}

macro_rules! promises {
    ($($promise:ident)*) => {
        mod in_memory { $(#[tokio::test(flavor = "multi_thread")] async fn $promise() { super::$promise(super::support::memory().await).await; })* }
        mod in_sqlite { $(#[tokio::test(flavor = "multi_thread")] async fn $promise() { super::$promise(super::support::sqlite().await).await; })* }
    };
}

promises! {
    numbers_begin_at_one_in_each_room
    a_message_is_read_as_it_was_told
    answers_come_in_the_order_of_the_numbers
    the_same_id_again_is_the_same_message
    the_same_id_is_recognised_at_once
    an_id_that_the_server_made_is_no_claim
    pages_end_at_their_limit
    pages_end_where_their_bytes_do
    all_but_the_newest_go
    what_is_too_old_goes
    a_working_store_would_take_a_message
    each_store_has_an_epoch_of_its_own
    names_and_ids_may_be_as_long_as_they_may
}
