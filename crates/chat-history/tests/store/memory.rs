//! What the memory store does when it has no room for more.

use chat_history::{HistoryStore, MemoryHistory, Messages, Page};

use super::support::{all_after, page, room, say, seq_of, seqs};

#[tokio::test(flavor = "multi_thread")]
async fn rooms_that_were_silent_for_longest_are_forgotten_whole_and_their_numbers_go_on() {
    const ROOMS: usize = 100;
    let store = MemoryHistory::new();
    let body = "x".repeat(100 << 10);
    for i in 0..ROOMS {
        for _ in 0..=i % 9 {
            seq_of(&store, say(&format!("r{i}"), "ana", &body)).await;
        }
        // this one is never silent for long
        seq_of(&store, say("busy", "ana", "hello")).await;
        seq_of(&store, say("busy", "ana", "hello")).await;
    }
    // so far it all fits; this is more than the rest can stay beside
    for i in 0..ROOMS {
        for _ in 0..9 {
            seq_of(&store, say(&format!("s{i}"), "ana", &body)).await;
        }
        seq_of(&store, say("busy", "ana", "hello")).await;
    }
    assert_eq!(page(&store, "r0", Page::After { seq: 0, limit: 9 }).await, Messages::default());
    assert_eq!(all_after(&store, "s99", 100).await.len(), 9);
    assert_eq!(all_after(&store, "busy", 200).await.len(), 3 * ROOMS);
    assert_eq!(store.newest(room("busy")).await.unwrap(), 3 * ROOMS as u64);

    // what they said is gone, and nobody who is still there sees a hole
    for (name, newest) in [("r2", 3), ("r8", 9)] {
        assert_eq!(store.newest(room(name)).await.unwrap(), newest);
        assert_eq!(seq_of(&store, say(name, "ana", "back")).await, newest + 1);
        assert_eq!(seqs(&all_after(&store, name, 9).await), [newest + 1]);
    }
    assert_eq!(seq_of(&store, say("new", "ana", "hello")).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_more_rooms_than_it_can_count_no_number_comes_twice() {
    const ROOMS: usize = 400_000;
    let store = MemoryHistory::new();
    for _ in 0..3 {
        seq_of(&store, say("first", "ana", "hello")).await;
    }
    for i in 0..ROOMS {
        store.append(say(&format!("r{i}"), "ana", ""), Box::new(|outcome| assert!(outcome.is_ok())));
    }
    let seq = seq_of(&store, say("first", "ana", "back")).await;
    assert!(seq > 3, "{seq}");
    assert_eq!(store.newest(room("first")).await.unwrap(), seq);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_keeps_its_newest() {
    let store = MemoryHistory::new();
    for _ in 0..1_500 {
        seq_of(&store, say("r", "ana", "hello")).await;
    }
    let kept = all_after(&store, "r", 300).await;
    assert_eq!(seqs(&kept), (501..=1_500).collect::<Vec<_>>());
}
