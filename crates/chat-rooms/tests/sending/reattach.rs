//! Memberships whose connections break, are replaced or reattach concurrently.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chat_protocol::Event;
use chat_protocol::v2::{LeftReason, NoticeLevel, Since};
use chat_rooms::{Engine, EventSink, Membership, ReadError, SendWindow, Sink, SinkClosed, Subscribe};
use parking_lot::Mutex;

use crate::support::{Gate, brief, engine, join, next, next_word, outgoing, room, user};

/// A sink that accepts everything until it is closed.
#[derive(Default)]
struct ClosableSink {
    is_closed: AtomicBool,
}

impl EventSink for ClosableSink {
    fn offer(&self, _: &Arc<Event>) -> Result<(), SinkClosed> {
        if self.is_closed.load(Ordering::SeqCst) { Err(SinkClosed) } else { Ok(()) }
    }
}

async fn join_with(engine: &Engine, name: &str, sink: Sink) -> Membership {
    let admission = engine.admit(&room(), &user(name)).await.unwrap();
    admission.join(Subscribe::new(sink)).await.unwrap().0
}

/// Makes a member whose sink closes while it has a message in flight to the store. The name is free
/// when this returns.
async fn removed_with_message_in_flight(
    engine: &Engine,
    gate: &Gate,
    sink: &Arc<ClosableSink>,
) -> Membership {
    let ana = join_with(engine, "ana", Sink::Events(sink.clone())).await;
    ana.idle().await;
    gate.shut();
    ana.submit(outgoing("mine")).await.unwrap();
    sink.is_closed.store(true, Ordering::SeqCst);
    engine.notice(&room(), NoticeLevel::Info, "delivering this finds the sink closed");
    while engine.is_present(&room(), &user("ana")).await.unwrap() {
        tokio::task::yield_now().await;
    }
    ana
}

fn subscribe_since_start(engine: &Engine, sink: Sink) -> Subscribe {
    Subscribe::new(sink).since(Since { epoch: engine.epoch(), seq: 0 })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_member_with_a_message_in_flight_cannot_reattach() {
    let gate = Gate::default();
    let engine = engine(&gate).await;
    let (_bob, mut bobs) = join(&engine, "bob").await;
    let mut ana = removed_with_message_in_flight(&engine, &gate, &Arc::default()).await;
    let (sink, mut events) = Sink::channel(1_000);
    let result = ana.reattach(subscribe_since_start(&engine, sink), &SendWindow::default()).await;
    assert!(matches!(result, Err(ReadError::NotAMember)), "{result:?}");
    assert!(events.next().await.is_none());
    gate.open();
    while next_word(&mut bobs).await != "ana:mine#1" {}
    assert!(!ana.is_member());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_member_cannot_reattach_after_its_name_was_taken() {
    let gate = Gate::default();
    let engine = engine(&gate).await;
    let mut ana = removed_with_message_in_flight(&engine, &gate, &Arc::default()).await;
    let (successor, mut events) = join(&engine, "ana").await;
    let (sink, _events) = Sink::channel(1_000);
    let result = ana.reattach(subscribe_since_start(&engine, sink), &SendWindow::default()).await;
    assert!(matches!(result, Err(ReadError::NotAMember)), "{result:?}");
    gate.open();
    while next_word(&mut events).await != "ana:mine#1" {}
    assert!(successor.is_member() && !ana.is_member());
    assert_eq!(engine.members(&room()).unwrap().total(), 1);
}

/// The old sink closes at the moment at which the membership moves to another one.
#[tokio::test(flavor = "multi_thread")]
async fn a_reattached_member_is_not_removed_for_its_old_sink() {
    struct AlwaysClosed(AtomicBool);
    impl EventSink for AlwaysClosed {
        fn offer(&self, _: &Arc<Event>) -> Result<(), SinkClosed> {
            self.0.store(true, Ordering::SeqCst);
            Err(SinkClosed)
        }
    }
    let engine = engine(&Gate::default()).await;
    for _ in 0..3_000 {
        let (sink, _first) = Sink::channel(100);
        let mut ana = join_with(&engine, "ana", sink).await;
        let closed = Arc::new(AlwaysClosed(AtomicBool::new(false)));
        let window = SendWindow::default();
        ana.reattach(Subscribe::new(Sink::Events(closed.clone())), &window).await.unwrap();
        while !closed.0.load(Ordering::SeqCst) {
            std::hint::spin_loop();
        }
        let (sink, mut second) = Sink::channel(100);
        if ana.reattach(Subscribe::new(sink), &window).await.is_ok() {
            // a member that received `Joined` is in the room
            ana.idle().await;
            assert_eq!(next_word(&mut second).await, "joined@0");
            assert!(ana.is_member());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[expect(
    clippy::await_holding_lock,
    reason = "the tasks that wait for the lock use block_in_place, so other tasks still run"
)]
async fn the_reply_to_a_leave_precedes_the_reply_to_the_next_join() {
    /// A sink that blocks while the lock is held, like a busy pump.
    #[derive(Default)]
    struct Slow(Mutex<()>);
    impl EventSink for Slow {
        fn offer(&self, _: &Arc<Event>) -> Result<(), SinkClosed> {
            // other tasks of this worker move to another one
            tokio::task::block_in_place(|| drop(self.0.lock()));
            Ok(())
        }
    }
    /// Records events that are not about presence.
    #[derive(Default)]
    struct Log(Mutex<Vec<String>>);
    impl EventSink for Log {
        fn offer(&self, event: &Arc<Event>) -> Result<(), SinkClosed> {
            let word = brief(event);
            if !word.starts_with(['+', '-']) {
                self.0.lock().push(word);
            }
            Ok(())
        }
    }
    let engine = engine(&Gate::default()).await;
    let (slow, log) = (Arc::new(Slow::default()), Arc::new(Log::default()));
    let mut others = Vec::new();
    // as many members as one pump serves
    for i in 0..511 {
        others.push(join_with(&engine, &format!("a{i}"), Sink::Events(slow.clone())).await);
    }
    let ana = join_with(&engine, "ana", Sink::Events(log.clone())).await;
    let (bob, mut bobs) = join(&engine, "bob").await;
    ana.idle().await;
    let held = slow.0.lock();
    bob.submit(outgoing("one")).await.unwrap();
    ana.leave_with_reason(LeftReason::Asked, None);
    let ana = join_with(&engine, "ana", Sink::Events(log.clone())).await;
    bob.submit(outgoing("two")).await.unwrap();
    // if there is a second pump, it has finished with all of this
    if std::thread::available_parallelism().is_ok_and(|count| count.get() > 1) {
        while next_word(&mut bobs).await != "bob:two#2" {}
    }
    drop(held);
    ana.idle().await;
    assert_eq!(*log.0.lock(), ["joined@0", "bob:one#1", "left", "joined@1", "bob:two#2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_holder_of_a_name_leaves_after_earlier_messages_under_that_name() {
    let gate = Gate::default();
    let engine = engine(&gate).await;
    let (sink, mut bobs) = Sink::channel(1_000);
    let _bob = engine.join(&room(), &user("bob"), Subscribe::new(sink).with_lists()).await.unwrap();
    let _ana = removed_with_message_in_flight(&engine, &gate, &Arc::default()).await;
    // two more members take the name and leave before the first one's message is stored
    for _ in 0..2 {
        drop(join(&engine, "ana").await);
    }
    gate.open();
    let mut received = Vec::new();
    while !received.ends_with(&["ana:mine#1".to_owned(), "-ana".to_owned()]) {
        let word = next(&mut bobs).await;
        if !word.starts_with("Notice") {
            received.push(word);
        }
    }
    assert_eq!(received, ["+bob", "+ana", "-ana", "+ana", "-ana", "+ana", "ana:mine#1", "-ana"]);
    assert_eq!(engine.members(&room()).unwrap().total(), 1);
}
