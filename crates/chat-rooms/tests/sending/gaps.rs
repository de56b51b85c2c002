//! Events that the store has, and that no result of an append has.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use chat_history::{
    AppendError, Changed, Durability, Extent, HistoryError, HistoryStore, MemoryHistory, NewEvent,
    OnAppended, Retention, delegate_history,
};
use chat_presence::{MemoryPresence, NodeId};
use chat_protocol::{DeletedBy, Event, MayPost, RoomName, RoomSettings, Since};
use chat_rooms::{Engine, Outgoing, React, Resync, Sink, Subscribe};
use futures::future::{BoxFuture, FutureExt, ready};
use tokio::sync::Mutex;
use tokio::time::sleep;

use crate::support::{guest, join, next, next_word, outgoing, room};

/// Stores everything, but reports some failures, as can happen with a disk.
#[derive(Debug, Clone, Default)]
struct FalseFailure {
    inner: Arc<MemoryHistory>,
    /// How many of the next appends seem to fail.
    appends: Arc<AtomicU32>,
    /// How many of the next reads fail.
    reads: Arc<AtomicU32>,
    /// Holds back the answers of the reads of numbers.
    answers: Arc<Mutex<()>>,
}

fn failure() -> HistoryError {
    HistoryError::other("on purpose")
}

/// Whether one of the remaining failures is due.
fn is_due(remaining: &AtomicU32) -> bool {
    remaining.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |count| count.checked_sub(1)).is_ok()
}

impl HistoryStore for FalseFailure {
    fn durability(&self) -> Durability {
        Durability::Disk
    }

    fn append(&self, event: NewEvent, on_appended: OnAppended) {
        let fails = is_due(&self.appends);
        let report = move |outcome| {
            on_appended(if fails { Err(AppendError::Unavailable(failure())) } else { outcome });
        };
        self.inner.append(event, Box::new(report));
    }

    fn extent(&self, room: RoomName, retention: Retention) -> BoxFuture<'_, Result<Extent, HistoryError>> {
        async move {
            let extent = self.inner.extent(room, retention).await;
            drop(self.answers.lock().await);
            extent
        }
        .boxed()
    }

    fn changed(
        &self,
        room: RoomName,
        after: u64,
        limit: usize,
    ) -> BoxFuture<'_, Result<Changed, HistoryError>> {
        if is_due(&self.reads) {
            return ready(Err(failure())).boxed();
        }
        self.inner.changed(room, after, limit)
    }

    delegate_history! { inner: epoch settings page own_reactions public_rooms mentions_after prune check }
}

async fn engine(store: &FalseFailure) -> Engine {
    let builder = Engine::builder(MemoryPresence::new(NodeId::new("here")));
    builder.history(store.clone()).start().await.unwrap()
}

fn with_id(id: &str) -> Outgoing {
    Outgoing { id: Some(id.parse().unwrap()), ..outgoing(id) }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_failed_commit_stored_is_delivered_before_the_next_event() {
    for retries in [true, false] {
        let store = FalseFailure::default();
        let engine = engine(&store).await;
        let (ana, mut anas) = join(&engine, "ana").await;
        let (bob, mut bobs) = join(&engine, "bob").await;
        let (sink, mut cids) = Sink::channel(1_000);
        let _cid = engine.join(&guest("cid"), &room(), Subscribe::new(sink).with_lists()).await.unwrap();
        store.appends.store(1, Ordering::SeqCst);
        ana.submit(with_id("one")).await.unwrap();
        assert_eq!(next_word(&mut anas).await, "joined@0");
        assert_eq!(next_word(&mut anas).await, "!StoreUnavailable one");
        if retries {
            ana.submit(with_id("one")).await.unwrap();
            for expected in ["ack one#1", "sync 1..1 #1"] {
                assert_eq!(next_word(&mut anas).await, expected);
            }
        } else {
            bob.submit(outgoing("two")).await.unwrap();
            for expected in ["sync 1..1 #1", "bob:two#2"] {
                assert_eq!(next_word(&mut anas).await, expected);
            }
        }
        assert_eq!(next_word(&mut bobs).await, "joined@0");
        let mut word = next_word(&mut bobs).await;
        while word.starts_with("ack") {
            word = next_word(&mut bobs).await;
        }
        assert_eq!(word, "sync 1..1 #1", "bob receives it, too");
        // who receives lists receives the messages
        assert_eq!(next_word(&mut cids).await, "ana:one#1");
        // and the stream goes on
        ana.submit(outgoing("last")).await.unwrap();
        let last = if retries { "ana:last#2" } else { "ana:last#3" };
        while next_word(&mut bobs).await != last {}
        while next_word(&mut cids).await != last {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_that_seemed_to_fail_is_delivered() {
    let store = FalseFailure::default();
    let engine = engine(&store).await;
    let (ana, mut anas) = join(&engine, "ana").await;
    ana.send("one").await.unwrap();
    store.appends.store(1, Ordering::SeqCst);
    assert!(engine.delete_messages(&room(), &[1], DeletedBy::Operator).await.is_err());
    assert_eq!(engine.delete_messages(&room(), &[1], DeletedBy::Operator).await.unwrap(), 0);
    ana.send("two").await.unwrap();
    while next(&mut anas).await != "sync 2..2 #1" {}
}

/// The room finds out by itself: nothing else may happen for a long time.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_failed_commit_stored_is_delivered_although_nothing_follows() {
    let store = FalseFailure::default();
    let engine = engine(&store).await;
    let (ana, mut anas) = join(&engine, "ana").await;
    store.appends.store(1, Ordering::SeqCst);
    assert!(ana.send("one").await.is_err());
    while next(&mut anas).await != "sync 1..1 #1" {}
    store.appends.store(1, Ordering::SeqCst);
    assert!(engine.delete_messages(&room(), &[1], DeletedBy::Operator).await.is_err());
    while next(&mut anas).await != "sync 2..2 #1" {}
}

/// The answer to the room's question is older than the second failure.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_fails_while_the_room_asks_is_delivered() {
    let store = FalseFailure::default();
    let engine = engine(&store).await;
    let (ana, mut anas) = join(&engine, "ana").await;
    store.appends.store(1, Ordering::SeqCst);
    assert!(ana.send(outgoing("one")).await.is_err());
    let answer = store.answers.lock().await;
    // the room asks half a second after the failure
    sleep(Duration::from_secs(1)).await;
    store.appends.store(1, Ordering::SeqCst);
    assert!(ana.send(outgoing("two")).await.is_err());
    drop(answer);
    while next(&mut anas).await != "sync 1..1 #1" {}
    while next(&mut anas).await != "sync 2..2 #2" {}
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gap_is_read_again_after_a_failure() {
    let store = FalseFailure::default();
    let engine = engine(&store).await;
    let (ana, mut anas) = join(&engine, "ana").await;
    store.appends.store(1, Ordering::SeqCst);
    store.reads.store(2, Ordering::SeqCst);
    assert!(ana.send("one").await.is_err());
    ana.send("two").await.unwrap();
    while next(&mut anas).await != "sync 1..1 #1" {}
}

/// If the gap is too much for one event, the members are told to ask, and asking works.
#[tokio::test(flavor = "multi_thread")]
async fn a_gap_that_is_too_large_is_resynced() {
    const MISSED: u64 = 1_100;
    let store = FalseFailure::default();
    let engine = engine(&store).await;
    let (ana, mut anas) = join(&engine, "ana").await;
    store.appends.store(MISSED as u32, Ordering::SeqCst);
    for _ in 0..MISSED {
        assert!(ana.send("lost?").await.is_err());
    }
    ana.send("last").await.unwrap();
    let last = MISSED + 1;
    let expected = format!("sync 1..{MISSED} ?");
    while next(&mut anas).await != expected {}
    let since = Since { epoch: engine.epoch(), seq: 500 };
    ana.resync(Resync::new(since)).await.unwrap();
    while next(&mut anas).await != format!("joined@{last}") {}
}

/// A change of the settings seems to fail, but is stored: the room learns of it when the store
/// hands back the next message.
#[tokio::test(flavor = "multi_thread")]
async fn settings_that_a_failed_commit_stored_hold() {
    let store = FalseFailure::default();
    let engine = engine(&store).await;
    let (ana, mut anas) = join(&engine, "ana").await;
    assert_eq!(next_word(&mut anas).await, "joined@0");
    store.appends.store(1, Ordering::SeqCst);
    let settings = RoomSettings::default().post(MayPost::Accounts);
    engine.configure(&room(), settings.clone()).await.unwrap_err();
    ana.submit(with_id("one")).await.unwrap();
    // the settings are read at once, and the numbers a little later
    let mut words = [next_word(&mut anas).await, next_word(&mut anas).await];
    words.sort_unstable();
    assert_eq!(words, ["!Forbidden one", "sync 1..1"]);
    assert_eq!(*engine.settings(&room()).await.unwrap(), settings);
    assert!(!engine.configure(&room(), settings).await.unwrap(), "it is stored");
    assert!(engine.configure(&room(), RoomSettings::default()).await.unwrap());
    assert_eq!(next_word(&mut anas).await, "settings@2");
    ana.submit(with_id("one")).await.unwrap();
    for expected in ["ack one#3", "ana:one#3"] {
        assert_eq!(next_word(&mut anas).await, expected);
    }
}

/// A session has to ask by itself which of the reactions in a gap are its own.
#[tokio::test(flavor = "multi_thread")]
async fn a_gap_with_reactions_is_not_sent_to_all() {
    let store = FalseFailure::default();
    let engine = engine(&store).await;
    let (ana, mut anas) = join(&engine, "ana").await;
    let (sink, mut cids) = Sink::channel(1_000);
    let _cid = engine.join(&guest("cid"), &room(), Subscribe::new(sink).with_lists()).await.unwrap();
    ana.submit(outgoing("one")).await.unwrap();
    words(&mut anas, &["joined@0", "ack one#1", "ana:one#1"]).await;
    store.appends.store(2, Ordering::SeqCst);
    ana.submit_react(React::add(1, ":+1:".parse().unwrap())).await.unwrap();
    ana.submit(outgoing("two")).await.unwrap();
    words(&mut anas, &["!StoreUnavailable -", "!StoreUnavailable two"]).await;
    ana.submit(outgoing("three")).await.unwrap();
    words(&mut anas, &["ack three#4", "sync 2..3 ?", "ana:three#4"]).await;
    // with lists, the messages come
    words(&mut cids, &["ana:one#1", "ana:two#3", "ana:three#4"]).await;
    ana.resync(Resync::new(Since { epoch: engine.epoch(), seq: 1 })).await.unwrap();
    let Event::Joined(joined) = &*anas.next().await.unwrap() else { panic!("a snapshot") };
    assert_eq!(joined.mine, [(1, vec![":+1:".parse().unwrap()])].into());
    assert_eq!(joined.changed.as_ref().unwrap()[0].seq, 1);
}

async fn words(events: &mut chat_rooms::Events, expected: &[&str]) {
    for word in expected {
        assert_eq!(next_word(events).await, *word);
    }
}
