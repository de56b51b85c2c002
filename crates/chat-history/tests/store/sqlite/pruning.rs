//! Pruning in small steps.

use std::time::Duration;

use chat_history::conformance::helpers::{all_after, all_before, append, message, page, seq_of, seqs};
use chat_history::{HistoryStore, Page, Retention};
use futures::future::join_all;

use crate::support::File;

#[tokio::test(flavor = "multi_thread")]
async fn messages_are_pruned_in_small_steps_fairly() {
    let file = File::new();
    let (database, store) = file.open().await;
    let names: Vec<String> = (0..10).map(|i| format!("r{i}")).collect();
    let appends = names.iter().flat_map(|name| {
        let count = if name == "r0" { 2_000 } else { 20 };
        (0..count).map(move |_| message(name, "ana", "hello"))
    });
    join_all(appends.map(|message| append(&store, message))).await;
    let left = || file.number("(SELECT count(*) FROM messages)");
    let retention = Retention::new(None, Some(10));
    let mut before = left();
    assert_eq!(before, 2_180);
    for step in 0.. {
        let more = store.prune(retention).await.unwrap();
        let now = left();
        assert!(before - now <= 500, "{before} {now}");
        before = now;
        if step == 0 {
            for name in &names[1..] {
                assert_eq!(seqs(&all_after(&store, name, 20).await), (11..=20).collect::<Vec<_>>());
            }
        }
        // a page read between two steps is complete
        let newest = page(&store, "r0", Page::Before { seq: u64::MAX, limit: 10 }).await;
        assert_eq!(seqs(&newest.messages), (1_991..=2_000).collect::<Vec<_>>());
        assert_eq!(newest.more, all_before(&store, "r0", 200).await.len() > 10);
        if !more {
            break;
        }
        assert!(step < 100);
    }
    assert_eq!(before, 100);
    assert!(!store.prune(retention).await.unwrap());
    database.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_rooms_are_pruned_in_steps() {
    const ROOMS: i64 = 1_000;
    let file = File::new();
    let (database, store) = file.open().await;
    join_all((0..ROOMS * 2).map(|i| append(&store, message(&format!("r{}", i % ROOMS), "ana", "hello"))))
        .await;
    file.execute(&format!("UPDATE messages SET sent_at = 0 WHERE place & {} = 1", (1_i64 << 40) - 1));
    let retention = Retention::new(Some(Duration::from_secs(3_600)), Some(5));
    while store.prune(retention).await.unwrap() {}
    assert_eq!(file.number("(SELECT count(*) FROM messages)"), ROOMS);
    assert_eq!(file.number("(SELECT count(*) FROM rooms WHERE first_seq = 2)"), ROOMS);
    // pruned rooms continue their numbers
    assert_eq!(seq_of(&store, message("r7", "ana", "hello")).await, 3);
    database.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_of_pruning_is_limited_in_bytes() {
    let file = File::new();
    let (database, store) = file.open().await;
    let long = "x".repeat(512 << 10);
    join_all((0..12).map(|_| append(&store, message("r", "ana", &long)))).await;
    let none = Retention::new(None, Some(0));
    assert!(store.prune(none).await.unwrap());
    assert_eq!(file.number("(SELECT count(*) FROM messages)"), 8);
    while store.prune(none).await.unwrap() {}
    assert_eq!(file.number("(SELECT count(*) FROM messages)"), 0);
    database.close().await;
}
