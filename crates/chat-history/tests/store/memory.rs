//! The limits of the memory store.

use chat_history::conformance::delete_all;
use chat_history::conformance::helpers::{
    all_after, duplicate, idempotent_message, is_end, message, newest, page, prune, seq_of, seqs, user,
};
use chat_history::{HistoryStore, MemoryHistory, Page, Retention};

#[tokio::test(flavor = "multi_thread")]
async fn the_rooms_with_the_oldest_append_are_forgotten_but_not_their_numbers() {
    const ROOMS: usize = 100;
    let store = MemoryHistory::new();
    let body = "x".repeat(100 << 10);
    for i in 0..ROOMS {
        for _ in 0..=i % 9 {
            seq_of(&store, message(&format!("r{i}"), "ana", &body)).await;
        }
        // never the room with the oldest append
        seq_of(&store, message("busy", "ana", "hello")).await;
        seq_of(&store, message("busy", "ana", "hello")).await;
    }
    // everything fits so far; this does not
    for i in 0..ROOMS {
        for _ in 0..9 {
            seq_of(&store, message(&format!("s{i}"), "ana", &body)).await;
        }
        seq_of(&store, message("busy", "ana", "hello")).await;
    }
    assert!(is_end(&page(&store, "r0", Page::After { seq: 0, limit: 9 }).await));
    assert_eq!(all_after(&store, "s99", 100).await.len(), 9);
    assert_eq!(all_after(&store, "busy", 200).await.len(), 3 * ROOMS);
    assert_eq!(newest(&store, "busy").await, 3 * ROOMS as u64);

    // the messages are gone, but the numbers continue without a gap
    for (name, last) in [("r2", 3), ("r8", 9)] {
        assert_eq!(newest(&store, name).await, last);
        assert_eq!(seq_of(&store, message(name, "ana", "back")).await, last + 1);
        assert_eq!(seqs(&all_after(&store, name, 9).await), [last + 1]);
    }
    assert_eq!(seq_of(&store, message("new", "ana", "hello")).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_number_is_used_twice_even_with_too_many_rooms() {
    const ROOMS: usize = 400_000;
    let store = MemoryHistory::new();
    for _ in 0..3 {
        seq_of(&store, message("first", "ana", "hello")).await;
    }
    for i in 0..ROOMS {
        store.append(
            message(&format!("r{i}"), "ana", "").into(),
            Box::new(|outcome| assert!(outcome.is_ok())),
        );
    }
    let seq = seq_of(&store, message("first", "ana", "back")).await;
    assert!(seq > 3, "{seq}");
    assert_eq!(newest(&store, "first").await, seq);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_keeps_its_newest_messages() {
    let store = MemoryHistory::new();
    for _ in 0..1_500 {
        seq_of(&store, message("r", "ana", "hello")).await;
    }
    let kept = all_after(&store, "r", 300).await;
    assert_eq!(seqs(&kept), (501..=1_500).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_id_of_a_deleted_message_goes_with_the_message() {
    let history = MemoryHistory::new();
    let first = idempotent_message("r", "ana", "hello", "a");
    assert_eq!(seq_of(&history, first.clone()).await, 1);
    assert_eq!(delete_all(&history, &history.user_messages(), user("ana")).await, ["r:1"]);
    duplicate(&history, first.clone()).await;
    prune(&history, Retention::new(None, Some(0))).await;
    assert_eq!(seq_of(&history, first).await, 3);
}
