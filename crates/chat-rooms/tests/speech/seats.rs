//! Whose seat it is, when a connection breaks, is exchanged, or comes back, all at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chat_protocol::Event;
use chat_protocol::v2::{LeftReason, NoticeLevel, Since};
use chat_rooms::{Engine, EventSink, Membership, ReadError, SendWindow, Sink, SinkClosed, Subscribe};
use parking_lot::Mutex;

use crate::support::{Gate, brief, engine, join, next, next_word, outgoing, room, user};

/// A line that takes everything until it breaks.
#[derive(Default)]
struct Line {
    is_broken: AtomicBool,
}

impl EventSink for Line {
    fn offer(&self, _: &Arc<Event>) -> Result<(), SinkClosed> {
        if self.is_broken.load(Ordering::SeqCst) { Err(SinkClosed) } else { Ok(()) }
    }
}

async fn join_by(engine: &Engine, name: &str, outlet: Sink) -> Membership {
    let seat = engine.admit(&room(), &user(name)).await.unwrap();
    seat.join(Subscribe::new(outlet)).await.unwrap().0
}

/// Somebody with something on its way to the store whose line breaks; the name is free when this returns.
async fn put_out_with_words_on_the_way(engine: &Engine, gate: &Gate, line: &Arc<Line>) -> Membership {
    let ana = join_by(engine, "ana", Sink::Events(line.clone())).await;
    ana.idle().await;
    gate.shut();
    ana.submit(outgoing("mine")).await.unwrap();
    line.is_broken.store(true, Ordering::SeqCst);
    engine.notice(&room(), NoticeLevel::Info, "whatever is told finds out");
    while engine.is_present(&room(), &user("ana")).await.unwrap() {
        tokio::task::yield_now().await;
    }
    ana
}

fn everything(engine: &Engine, outlet: Sink) -> Subscribe {
    Subscribe::new(outlet).since(Since { epoch: engine.epoch(), seq: 0 })
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_about_to_leave_behind_its_last_words_cannot_come_again() {
    let gate = Gate::default();
    let engine = engine(&gate).await;
    let (_bob, mut bobs) = join(&engine, "bob").await;
    let mut ana = put_out_with_words_on_the_way(&engine, &gate, &Arc::default()).await;
    let (outlet, mut events) = Sink::channel(1_000);
    let again = ana.reattach(everything(&engine, outlet), &SendWindow::default()).await;
    assert!(matches!(again, Err(ReadError::NotAMember)), "{again:?}");
    assert!(events.next().await.is_none());
    gate.open();
    while next_word(&mut bobs).await != "ana:mine#1" {}
    assert!(!ana.is_in());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_somebody_has_taken_is_not_taken_back() {
    let gate = Gate::default();
    let engine = engine(&gate).await;
    let mut ana = put_out_with_words_on_the_way(&engine, &gate, &Arc::default()).await;
    let (stranger, mut strangers) = join(&engine, "ana").await;
    let (outlet, _events) = Sink::channel(1_000);
    let again = ana.reattach(everything(&engine, outlet), &SendWindow::default()).await;
    assert!(matches!(again, Err(ReadError::NotAMember)), "{again:?}");
    gate.open();
    while next_word(&mut strangers).await != "ana:mine#1" {}
    assert!(stranger.is_in() && !ana.is_in());
    assert_eq!(engine.members(&room()).unwrap().total(), 1);
}

/// Told that it breaks at the moment in which its seat is given to another line.
#[tokio::test(flavor = "multi_thread")]
async fn a_seat_that_was_taken_over_is_not_put_out_for_the_line_before() {
    struct Breaks(AtomicBool);
    impl EventSink for Breaks {
        fn offer(&self, _: &Arc<Event>) -> Result<(), SinkClosed> {
            self.0.store(true, Ordering::SeqCst);
            Err(SinkClosed)
        }
    }
    let engine = engine(&Gate::default()).await;
    for _ in 0..3_000 {
        let (outlet, _first) = Sink::channel(100);
        let mut ana = join_by(&engine, "ana", outlet).await;
        let line = Arc::new(Breaks(AtomicBool::new(false)));
        let window = SendWindow::default();
        ana.reattach(Subscribe::new(Sink::Events(line.clone())), &window).await.unwrap();
        while !line.0.load(Ordering::SeqCst) {
            std::hint::spin_loop();
        }
        let (outlet, mut second) = Sink::channel(100);
        if ana.reattach(Subscribe::new(outlet), &window).await.is_ok() {
            // whoever was told that it is in is in
            ana.idle().await;
            assert_eq!(next_word(&mut second).await, "joined@0");
            assert!(ana.is_in());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[expect(
    clippy::await_holding_lock,
    reason = "whoever waits for it has left the runtime's workers to the others"
)]
async fn the_answer_to_a_leave_comes_before_the_answer_to_the_next_join() {
    /// Waits for as long as it is told to: a pump that has much to do.
    #[derive(Default)]
    struct Slow(Mutex<()>);
    impl EventSink for Slow {
        fn offer(&self, _: &Arc<Event>) -> Result<(), SinkClosed> {
            // what else this worker has to do goes to another
            tokio::task::block_in_place(|| drop(self.0.lock()));
            Ok(())
        }
    }
    /// Notes the words that it is told.
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
    // as many as one pump has
    for i in 0..511 {
        others.push(join_by(&engine, &format!("a{i}"), Sink::Events(slow.clone())).await);
    }
    let ana = join_by(&engine, "ana", Sink::Events(log.clone())).await;
    let (bob, mut bobs) = join(&engine, "bob").await;
    ana.idle().await;
    let held = slow.0.lock();
    bob.submit(outgoing("one")).await.unwrap();
    ana.leave_telling(LeftReason::Asked, None);
    let ana = join_by(&engine, "ana", Sink::Events(log.clone())).await;
    bob.submit(outgoing("two")).await.unwrap();
    // where there is a second pump, it is through with all of that
    if std::thread::available_parallelism().is_ok_and(|count| count.get() > 1) {
        while next_word(&mut bobs).await != "bob:two#2" {}
    }
    drop(held);
    ana.idle().await;
    assert_eq!(*log.0.lock(), ["joined@0", "bob:one#1", "left", "joined@1", "bob:two#2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_takes_a_name_leaves_behind_what_was_said_under_it_before() {
    let gate = Gate::default();
    let engine = engine(&gate).await;
    let (outlet, mut bobs) = Sink::channel(1_000);
    let _bob = engine.join(&room(), &user("bob"), Subscribe::new(outlet).with_lists()).await.unwrap();
    let _ana = put_out_with_words_on_the_way(&engine, &gate, &Arc::default()).await;
    // two more have the name and are gone before the first one's words are stored
    for _ in 0..2 {
        drop(join(&engine, "ana").await);
    }
    gate.open();
    let mut told = Vec::new();
    while !told.ends_with(&["ana:mine#1".to_owned(), "-ana".to_owned()]) {
        let word = next(&mut bobs).await;
        if !word.starts_with("Notice") {
            told.push(word);
        }
    }
    assert_eq!(told, ["+bob", "+ana", "-ana", "+ana", "-ana", "+ana", "ana:mine#1", "-ana"]);
    assert_eq!(engine.members(&room()).unwrap().total(), 1);
}
