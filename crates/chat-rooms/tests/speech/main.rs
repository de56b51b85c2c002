//! What is said, on its way through a history store that is slow, or fails.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod seats;
mod support;

use std::sync::Arc;
use std::time::Duration;

use chat_history::{
    AppendError, Durability, HistoryError, HistoryStore, MemoryHistory, Messages, NewMessage, OnAppended,
    Page, Retention,
};
use chat_presence::{MemoryPresence, NodeId};
use chat_protocol::v2::{ErrorCode, LeftReason, ServerFrame, Since, StoredMessage};
use chat_protocol::{Epoch, Event, Message, RoomName, Timestamp};
use chat_rooms::{Engine, JoinOptions, Outgoing, Outlet, SendWindow};
use futures::FutureExt;
use futures::future::BoxFuture;
use parking_lot::Mutex;

use support::{Gate, brief, engine, join, next, next_word, outgoing, room, user};

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_acked_or_told_before_it_is_stored() {
    let gate = Gate::default();
    let engine = engine(&gate).await;
    let (ana, mut anas) = join(&engine, "ana").await;
    let (_bob, mut bobs) = join(&engine, "bob").await;
    gate.shut();
    ana.send(outgoing("one")).await.unwrap();
    ana.send(outgoing("two")).await.unwrap();
    assert_eq!(gate.waiting(), 2);
    assert_eq!(next(&mut anas).await, "joined@0");
    assert_eq!(next(&mut anas).await, "+bob", "the room goes on meanwhile, and nothing else came");
    assert!(anas.next().now_or_never().is_none());
    gate.open();
    for expected in ["ack one#1", "ana:one#1", "ack two#2", "ana:two#2"] {
        assert_eq!(next_word(&mut anas).await, expected);
    }
    for expected in ["joined@0", "ana:one#1", "ana:two#2"] {
        assert_eq!(next_word(&mut bobs).await, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_stored_is_told_to_its_sender_alone() {
    let gate = Gate::default();
    let engine = engine(&gate).await;
    let (ana, mut anas) = join(&engine, "ana").await;
    let (_bob, mut bobs) = join(&engine, "bob").await;
    gate.shut();
    ana.send(outgoing("lost")).await.unwrap();
    gate.fail();
    gate.open();
    ana.send(outgoing("kept")).await.unwrap();
    for expected in ["joined@0", "!StoreUnavailable lost", "ack kept#1", "ana:kept#1"] {
        assert_eq!(next_word(&mut anas).await, expected);
    }
    for expected in ["joined@0", "ana:kept#1"] {
        assert_eq!(next_word(&mut bobs).await, expected);
    }
    ana.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leave_comes_after_what_was_said_and_the_name_is_free_at_once() {
    let gate = Gate::default();
    let engine = engine(&gate).await;
    let (outlet, mut bobs) = Outlet::channel(1_000);
    let _bob = engine.join(&room(), &user("bob"), outlet).await.unwrap();
    assert_eq!(next(&mut bobs).await, "+bob");
    for (seq, graceful) in [(1, true), (2, false)] {
        let (ana, mut anas) = join(&engine, "ana").await;
        gate.shut();
        ana.send(outgoing("last words")).await.unwrap();
        if graceful {
            ana.leave_telling(LeftReason::Asked, None);
        } else {
            drop(ana);
        }
        assert!(!engine.is_present(&room(), &user("ana")).await.unwrap(), "the name is free");
        assert_eq!(engine.members(&room()).unwrap().total(), 2, "and its holder is not gone yet");
        gate.open();
        for expected in ["+ana", &format!("ana:last words#{seq}"), "-ana"] {
            assert_eq!(next(&mut bobs).await, expected);
        }
        if graceful {
            assert_eq!(next_word(&mut anas).await, "joined@0");
            for expected in ["ack last words#1", "ana:last words#1", "left"] {
                assert_eq!(next_word(&mut anas).await, expected);
            }
        }
        while anas.next().await.is_some() {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_may_come_under_a_name_whose_last_words_are_still_on_their_way() {
    let gate = Gate::default();
    let engine = engine(&gate).await;
    let (outlet, mut watching) = Outlet::channel(1_000);
    let _watching = engine.join(&room(), &user("watching"), outlet).await.unwrap();
    let (ana, mut first) = join(&engine, "ana").await;
    gate.shut();
    ana.send(outgoing("late")).await.unwrap();
    ana.leave_telling(LeftReason::Asked, None);
    let (again, mut second) = join(&engine, "ana").await;
    gate.open();
    again.send(outgoing("here")).await.unwrap();
    for expected in ["joined@0", "left"] {
        assert_eq!(next_word(&mut first).await, expected);
    }
    for expected in ["joined@0", "ana:late#1", "ack here#2", "ana:here#2"] {
        assert_eq!(next_word(&mut second).await, expected);
    }
    let mut order = Vec::new();
    while order.len() < 6 {
        order.push(next(&mut watching).await);
    }
    assert_eq!(order, ["+watching", "+ana", "-ana", "+ana", "ana:late#1", "ana:here#2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_everyone_left_is_kept_until_the_last_words_are_stored() {
    let gate = Gate::default();
    let engine = engine(&gate).await;
    let (ana, _events) = join(&engine, "ana").await;
    gate.shut();
    ana.send(outgoing("one")).await.unwrap();
    drop(ana);
    assert_eq!(engine.room_count(), 1);
    gate.open();
    assert_eq!(engine.room_count(), 0);
    let (_bob, mut bobs) = join(&engine, "bob").await;
    assert_eq!(next(&mut bobs).await, "joined@1", "the room's numbers go on");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_failed_commit_had_stored_is_told_before_what_comes_next() {
    /// Stores the first message and says that it has not, as a disk may.
    #[derive(Debug, Default)]
    struct Lies {
        inner: MemoryHistory,
        missed: Mutex<Option<Arc<Message>>>,
    }
    impl HistoryStore for Lies {
        fn epoch(&self) -> Epoch {
            self.inner.epoch()
        }
        fn durability(&self) -> Durability {
            Durability::Disk
        }
        fn append(&self, message: NewMessage, told: OnAppended) {
            let (sender, receiver) = std::sync::mpsc::channel();
            self.inner.append(message, Box::new(move |done| sender.send(done).unwrap()));
            let appended = receiver.recv().unwrap().unwrap();
            let mut missed = self.missed.lock();
            if appended.message.seq == 1 && !appended.duplicate {
                *missed = Some(appended.message);
                drop(missed);
                return told(Err(AppendError::Unavailable(HistoryError::other("on purpose"))));
            }
            let missed = missed.take().into_iter().collect();
            told(Ok(appended.with_recovered(missed)));
        }
        fn newest(&self, room: RoomName) -> BoxFuture<'_, Result<u64, HistoryError>> {
            self.inner.newest(room)
        }
        fn page(&self, room: RoomName, page: Page) -> BoxFuture<'_, Result<Messages, HistoryError>> {
            self.inner.page(room, page)
        }
        fn prune(&self, retention: Retention) -> BoxFuture<'_, Result<bool, HistoryError>> {
            self.inner.prune(retention)
        }
        fn check(&self) -> BoxFuture<'_, Result<(), HistoryError>> {
            self.inner.check()
        }
    }
    for retries in [true, false] {
        let mut builder = Engine::builder(MemoryPresence::new(NodeId::new("here")));
        builder.history(Lies::default());
        let engine = builder.start().await.unwrap();
        let (ana, mut anas) = join(&engine, "ana").await;
        let (bob, mut bobs) = join(&engine, "bob").await;
        let once = Outgoing { id: Some("id".parse().unwrap()), ..outgoing("one") };
        ana.send(once.clone()).await.unwrap();
        if retries {
            ana.send(once).await.unwrap();
        } else {
            bob.send(outgoing("two")).await.unwrap();
        }
        let expected: &[&str] = if retries {
            &["joined@0", "!StoreUnavailable one", "ack one#1", "ana:one#1"]
        } else {
            &["joined@0", "!StoreUnavailable one", "ana:one#1", "bob:two#2"]
        };
        for expected in expected {
            assert_eq!(next_word(&mut anas).await, *expected);
        }
        for expected in ["joined@0", "ana:one#1"] {
            assert_eq!(next_word(&mut bobs).await, expected, "nobody misses it");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_has_so_much_on_its_way_and_no_more() {
    let gate = Gate::default();
    let engine = engine(&gate).await;
    let window = SendWindow::new(3, 1 << 20);
    let (outlet, _events) = Outlet::channel(1_000);
    let seat = engine.admit(&room(), &user("ana")).await.unwrap().with_window(&window);
    let (ana, _) = seat.join(outlet, JoinOptions::default()).await.unwrap();
    let (bob, _bobs) = join(&engine, "bob").await;
    gate.shut();
    for _ in 0..3 {
        ana.send("x").now_or_never().expect("there is room").unwrap();
    }
    assert!(ana.send("x").now_or_never().is_none(), "it waits");
    assert_eq!(gate.waiting(), 3, "given up, nothing was said");
    bob.send("x").now_or_never().expect("the window is ana's alone").unwrap();
    gate.open();
    ana.send("x").await.unwrap();
    ana.settled().await;
    assert!(window.is_open());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_goes_on_by_another_outlet_where_it_left_off() {
    let gate = Gate::default();
    let engine = engine(&gate).await;
    let (mut ana, mut first) = join(&engine, "ana").await;
    let (bob, mut bobs) = join(&engine, "bob").await;
    bob.send(outgoing("one")).await.unwrap();
    assert_eq!(next_word(&mut first).await, "joined@0");
    assert_eq!(next_word(&mut first).await, "bob:one#1");
    gate.shut();
    ana.send(outgoing("mine")).await.unwrap();
    ana.park();
    gate.open();
    bob.send(outgoing("two")).await.unwrap();
    let since = Some(Since { epoch: engine.epoch(), seq: 1 });
    let (outlet, mut second) = Outlet::channel(1_000);
    let options = JoinOptions { since, ..JoinOptions::default() };
    ana.rejoin(outlet, options, &SendWindow::default()).await.unwrap();
    let Event::Told(frame) = &*second.next().await.unwrap() else { unreachable!() };
    let ServerFrame::Joined(joined) = &**frame else { unreachable!() };
    assert!(joined.recovered);
    let missed: Vec<u64> = joined.messages.iter().map(StoredMessage::seq).collect();
    assert!(missed.iter().copied().eq(2..=joined.seq));
    ana.send(outgoing("three")).await.unwrap();
    let mut last = joined.seq;
    loop {
        let word = next_word(&mut second).await;
        assert!(!word.starts_with("ack mine"), "an answer to the earlier outlet does not reach this one");
        if word.starts_with("ack ") {
            assert_eq!(word, "ack three#4");
            continue;
        }
        last += 1;
        assert!(word.ends_with(&format!("#{last}")), "{word}");
        if last == 4 {
            break;
        }
    }
    while first.next().await.is_some() {}
    let seen: Vec<_> =
        std::iter::from_fn(|| bobs.next().now_or_never().flatten()).map(|e| brief(&e)).collect();
    assert!(seen.iter().all(|event| !event.contains("-ana") && !event.contains("+ana")), "{seen:?}");
    assert!(ana.refuse(ErrorCode::Forbidden, "no", Some("x".parse().unwrap())).is_ok());
    assert_eq!(next_word(&mut second).await, "!Forbidden x");
}

/// A message from before retention was set has an honest time.
#[tokio::test(flavor = "multi_thread")]
async fn old_messages_go_when_that_is_asked_for() {
    let gate = Gate::default();
    let mut builder = Engine::builder(MemoryPresence::new(NodeId::new("here")));
    builder.history(gate.clone());
    builder.retention(Retention::new(None, Some(2)));
    let told =
        |body: &str| NewMessage::new(room(), user("ana"), body, body.parse().unwrap()).idempotent(true);
    for body in ["1", "2", "3", "4"] {
        gate.append(told(body), Box::new(|done| assert!(done.unwrap().message.sent_at > Timestamp(0))));
    }
    let _engine = builder.start().await.unwrap();
    let kept = async || gate.page(room(), Page::After { seq: 0, limit: 10 }).await.unwrap().messages.len();
    let pruned = async {
        while kept().await != 2 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), pruned).await.expect("the pruner runs");
}
