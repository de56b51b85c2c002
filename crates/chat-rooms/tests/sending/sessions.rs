//! Users with several sessions, and sessions whose connections break or are replaced.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chat_presence::{MemoryPresence, NodeId, PresenceStore};
use chat_protocol::v2::{LeftReason, NoticeLevel};
use chat_protocol::{Event, Identity};
use chat_rooms::{Engine, EventSink, Events, JoinError, Membership, Sink, SinkClosed, Subscribe};
use parking_lot::Mutex;

use crate::support::{Gate, brief, engine, guest, join, next, next_word, outgoing, room, user};

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
    let admission = engine.admit(&guest(name), &room()).await.unwrap();
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

/// Ends the stream of a session, and returns its events except those about presence.
async fn words(session: Membership, mut events: Events) -> Vec<String> {
    session.idle().await;
    drop(session);
    let mut words = Vec::new();
    while let Some(event) = events.next().await {
        let word = brief(&event);
        if !word.starts_with(['+', '-']) {
            words.push(word);
        }
    }
    words
}

async fn join_as(engine: &Engine, user: &Identity) -> (Membership, Events) {
    let (sink, events) = Sink::channel(1_000);
    (engine.join(user, &room(), Subscribe::new(sink)).await.unwrap(), events)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sessions_of_a_user_are_one_member() {
    let engine = engine(&Gate::default()).await;
    let (sink, mut bobs) = Sink::channel(1_000);
    let bob = engine.join(&guest("bob"), &room(), Subscribe::new(sink).with_lists()).await.unwrap();
    let ana = guest("ana");
    let (first, first_events) = join_as(&engine, &ana).await;
    let (second, second_events) = join_as(&engine, &ana).await;
    assert_eq!(first.member(), second.member());
    assert_eq!(engine.members(&room()).unwrap().total(), 2);
    let stranger = engine.admit(&guest("ana"), &room()).await;
    assert!(matches!(stranger, Err(JoinError::NameTaken)), "{stranger:?}");

    first.submit(outgoing("one")).await.unwrap();
    first.idle().await;
    second.submit(outgoing("two")).await.unwrap();
    second.idle().await;
    // each session receives all messages, but only the acks for its own
    let first_words = words(first, first_events).await;
    assert_eq!(first_words, ["joined@0", "ack one#1", "ana:one#1", "ana:two#2"]);
    assert!(second.is_member());
    bob.submit("three").await.unwrap();
    let second_words = words(second, second_events).await;
    assert_eq!(second_words, ["joined@0", "ana:one#1", "ack two#2", "ana:two#2", "bob:three#3"]);
    for expected in ["+bob", "+ana", "ana:one#1", "ana:two#2", "bob:three#3", "-ana"] {
        assert_eq!(next(&mut bobs).await, expected);
    }
    assert!(!engine.is_present(&room(), ana.username()).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kick_removes_all_sessions_of_a_user() {
    let engine = engine(&Gate::default()).await;
    let ana = guest("ana");
    let (first, first_events) = join_as(&engine, &ana).await;
    let (second, second_events) = join_as(&engine, &ana).await;
    assert!(engine.kick(&room(), ana.username()));
    assert!(first.was_removed() && second.was_removed());
    assert!(engine.members(&room()).is_none());
    for (session, events) in [(first, first_events), (second, second_events)] {
        assert_eq!(words(session, events).await, ["joined@0", "left"]);
    }
    let (again, _) = join_as(&engine, &ana).await;
    assert!(again.is_member());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_session_with_lists_receives_the_entry_of_its_member() {
    let engine = engine(&Gate::default()).await;
    let ana = guest("ana");
    let (first, mut firsts) = join_as(&engine, &ana).await;
    let (sink, mut events) = Sink::channel(1_000);
    let second = engine.join(&ana, &room(), Subscribe::new(sink).with_lists()).await.unwrap();
    assert_eq!(next(&mut events).await, "+ana");
    let (bob, _bobs) = join(&engine, "bob").await;
    assert_eq!(next(&mut events).await, "+bob");
    drop(second);
    first.idle().await;
    assert_eq!(next_word(&mut firsts).await, "joined@0");
    assert_eq!(engine.members(&room()).unwrap().total(), 2);
    drop((first, bob));
}

/// The user joins again while its last session waits for a message to be stored: the others see
/// nobody leave.
#[tokio::test(flavor = "multi_thread")]
async fn a_user_that_rejoins_before_it_has_left_stays() {
    let gate = Gate::default();
    let engine = engine(&gate).await;
    let (sink, mut bobs) = Sink::channel(1_000);
    let _bob = engine.join(&guest("bob"), &room(), Subscribe::new(sink).with_lists()).await.unwrap();
    let ana = guest("ana");
    let (first, _firsts) = join_as(&engine, &ana).await;
    first.idle().await;
    gate.shut();
    first.submit(outgoing("mine")).await.unwrap();
    drop(first);
    let (second, _seconds) = join_as(&engine, &ana).await;
    gate.open();
    second.submit(outgoing("more")).await.unwrap();
    second.idle().await;
    drop(second);
    for expected in ["+bob", "+ana", "ana:mine#1", "ana:more#2", "-ana"] {
        assert_eq!(next(&mut bobs).await, expected);
    }
}

/// One connection leaves and joins again while its message is in flight: it receives the events of
/// one session after the other, and each message once.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_rejoins_with_a_message_in_flight_receives_each_event_once() {
    let gate = Gate::default();
    let engine = engine(&gate).await;
    let (other, _others) = join_as(&engine, &guest("bob")).await;
    let ana = guest("ana");
    let (sink, mut events) = Sink::channel(1_000);
    let (beside, _besides) = join_as(&engine, &ana).await;
    let first = engine.join(&ana, &room(), Subscribe::new(sink.clone())).await.unwrap();
    first.idle().await;
    gate.shut();
    first.submit(outgoing("mine")).await.unwrap();
    first.leave_with_reason(LeftReason::Asked, None);
    let second = engine.join(&ana, &room(), Subscribe::new(sink)).await.unwrap();
    gate.open();
    second.idle().await;
    other.submit(outgoing("hi")).await.unwrap();
    for expected in ["joined@0", "left", "joined@0", "ana:mine#1", "bob:hi#2"] {
        assert_eq!(next_word(&mut events).await, expected);
    }
    assert_eq!(engine.members(&room()).unwrap().total(), 2);
    drop((beside, second));
}

/// A session that was admitted beside another one, which has left when it joins.
#[tokio::test(flavor = "multi_thread")]
async fn an_admission_outlives_the_session_beside_which_it_was_made() {
    let store = MemoryPresence::new(NodeId::new("here"));
    let other_node = store.for_node(NodeId::new("there"));
    let engine = Engine::builder(store).start().await.unwrap();
    let ana = guest("ana");
    let (first, _firsts) = join_as(&engine, &ana).await;
    let admission = engine.admit(&ana, &room()).await.unwrap();
    drop(first);
    assert!(engine.members(&room()).is_none());
    assert!(engine.is_present(&room(), ana.username()).await.unwrap(), "the name is still reserved");
    let (sink, _events) = Sink::channel(1_000);
    let (second, _) = admission.join(Subscribe::new(sink)).await.unwrap();
    // whenever the record of the first session is removed, that of the second one stays
    let (bob, _bobs) = join(&engine, "bob").await;
    drop(bob);
    while other_node.members(room()).await.unwrap().len() > 1 {
        tokio::task::yield_now().await;
    }
    assert_eq!(other_node.members(room()).await.unwrap(), [(**second.member()).clone()]);
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
    let _bob = engine.join(&guest("bob"), &room(), Subscribe::new(sink).with_lists()).await.unwrap();
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
