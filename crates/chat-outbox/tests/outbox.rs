//! Tests the outbox against a socket that accepts as much as the test allows.
#![allow(clippy::unwrap_used)]

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use chat_outbox::{BacklogLimits, Outbox, Signal, Transport, Unsent};
use chat_rooms::BacklogBudget;
use chat_rooms::{FrameSink, Frames, SinkClosed};
use futures::task::AtomicWaker;
use parking_lot::Mutex;

/// Accepts at most `capacity` bytes, and fails once it is broken.
#[derive(Default)]
struct Socket {
    wire: Mutex<Vec<u8>>,
    capacity: Mutex<usize>,
    broken: AtomicBool,
    writable: AtomicWaker,
}

impl Socket {
    fn accept(&self, bytes: usize) {
        *self.capacity.lock() += bytes;
        self.writable.wake();
    }
}

impl Transport for Socket {
    fn try_write(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        if self.broken.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        let (mut capacity, mut wire) = (self.capacity.lock(), self.wire.lock());
        let offered: Vec<u8> = pieces.iter().flat_map(|piece| piece.to_vec()).collect();
        let taken = offered.len().min(*capacity);
        wire.extend_from_slice(&offered[..taken]);
        *capacity -= taken;
        if taken == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(taken) }
    }

    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writable.register(cx.waker());
        if *self.capacity.lock() > 0 { Poll::Ready(Ok(())) } else { Poll::Pending }
    }
}

fn outbox(frames: usize, bytes: usize) -> Outbox<Socket> {
    Outbox::new(Socket::default(), BacklogLimits { frames, bytes })
}

fn frame(text: &str) -> Frames {
    Frames::one(text.into())
}

fn drain(outbox: &Outbox<Socket>) -> Poll<Signal> {
    outbox.poll_drain(&mut Context::from_waker(Waker::noop()))
}

fn wire(outbox: &Outbox<Socket>) -> String {
    String::from_utf8(outbox.transport().wire.lock().clone()).unwrap()
}

#[test]
fn a_control_frame_overtakes_but_never_lands_inside_a_frame() {
    let outbox = outbox(100, 1_000);
    outbox.transport().accept(3);
    outbox.offer(&[frame("<aaaa>"), frame("<bbbb>")]).unwrap();
    assert!(outbox.offer_control(b"(pong)"));
    assert_eq!(wire(&outbox), "<aa");
    outbox.transport().accept(5);
    assert_eq!(drain(&outbox), Poll::Pending);
    assert_eq!(wire(&outbox), "<aaaa>(p");
    assert!(outbox.offer_control(b"(ping)"));
    outbox.transport().accept(100);
    assert_eq!(drain(&outbox), Poll::Pending);
    assert_eq!(wire(&outbox), "<aaaa>(pong)(ping)<bbbb>");
}

#[test]
fn control_frames_are_bounded() {
    let outbox = outbox(100, 1_000);
    let pong = [b'p'; 127];
    let taken = (0..1_000).filter(|_| outbox.offer_control(&pong)).count();
    assert_eq!(taken, 4);
}

#[test]
fn a_failed_outbox_ends_like_one_with_a_slow_reader() {
    let outbox = outbox(100, 1_000);
    outbox.offer(&[frame("<aaaa>")]).unwrap();
    outbox.fail();
    assert_eq!(outbox.offer(&[frame("<late>")]), Err(SinkClosed));
    assert_eq!(drain(&outbox), Poll::Ready(Signal::TooSlow));
}

#[test]
fn an_outbox_over_its_limit_still_sends_the_last_frame() {
    for (frames, bytes) in [(3, 1_000), (100, 20)] {
        let outbox = outbox(frames, bytes);
        outbox.transport().accept(2);
        assert_eq!((0..100).map_while(|_| outbox.offer(&[frame("<aaaa>")]).ok()).count(), 3);
        assert_eq!(outbox.offer(&[frame("<late>")]), Err(SinkClosed));
        assert_eq!(drain(&outbox), Poll::Ready(Signal::TooSlow));
        outbox.close(frame("<bye>"), Unsent::Keep);
        assert_eq!(drain(&outbox), Poll::Pending);
        outbox.transport().accept(100);
        assert_eq!(drain(&outbox), Poll::Ready(Signal::Flushed));
        assert_eq!(wire(&outbox), "<aaaa><bye>");
    }
}

#[test]
fn a_shared_buffer_is_counted_once_until_its_last_reader_is_done() {
    let budget = Arc::new(BacklogBudget::new(1_000));
    let outboxes: Vec<_> = (0..10).map(|_| outbox(100, 1_000).within(Arc::clone(&budget))).collect();
    let shared = frame("<shared>");
    for outbox in &outboxes {
        outbox.transport().accept(2);
        outbox.offer(std::slice::from_ref(&shared)).unwrap();
    }
    drop(shared);
    assert_eq!(budget.held(), 8);
    for outbox in &outboxes[1..] {
        outbox.transport().accept(100);
        assert_eq!(drain(outbox), Poll::Pending);
        outbox.offer(&[frame("<taken at once>")]).unwrap();
    }
    assert_eq!(budget.held(), 8);
    drop(outboxes);
    assert_eq!(budget.held(), 0);
}

#[test]
fn over_the_budget_readers_above_their_share_are_disconnected() {
    let budget = Arc::new(BacklogBudget::new(100));
    let reader = || outbox(100, 1_000).within(Arc::clone(&budget));
    let (greedy, modest, quick) = (reader(), reader(), reader());
    quick.transport().accept(1_000);
    for _ in 0..9 {
        greedy.offer(&[frame("0123456789")]).unwrap();
    }
    modest.offer(&[frame("0123456789")]).unwrap();
    assert_eq!(budget.held(), 100);
    modest.offer(&[frame("0123456789").as_reply()]).unwrap();
    quick.offer(&[frame("0123456789")]).unwrap();
    assert_eq!(budget.held(), 110, "the modest reader has less than its share of 50");
    assert_eq!(greedy.offer(&[frame("x")]), Err(SinkClosed));
    assert_eq!(drain(&greedy), Poll::Ready(Signal::TooSlow));
    assert_eq!(budget.held(), 20);
    // as the only one with a backlog, it may use the whole budget
    for _ in 0..8 {
        modest.offer(&[frame("0123456789")]).unwrap();
    }
    assert_eq!(modest.offer(&[frame("x").as_reply()]), Err(SinkClosed), "replies count as memory, too");
    assert_eq!(budget.held(), 0);
}

#[test]
fn over_twice_the_budget_every_reader_with_a_backlog_is_disconnected() {
    let budget = Arc::new(BacklogBudget::new(100));
    let mut holders = Vec::new();
    let held = loop {
        let reader = outbox(1_000, 10_000).within(Arc::clone(&budget));
        // as much as the share of a further reader allows
        if reader.offer(&[frame(&"x".repeat(100 / (holders.len() + 1)))]).is_err() {
            break budget.held();
        }
        holders.push(reader);
        assert!(budget.held() <= 200 + 100, "{}", budget.held());
    };
    assert!((101..=200).contains(&held), "{held}");
    assert!(holders.len() > 2);
    let quick = outbox(1_000, 10_000).within(Arc::clone(&budget));
    quick.transport().accept(1_000);
    quick.offer(&[frame("not affected")]).unwrap();
}

#[test]
fn closing_keeps_or_discards_the_backlog() {
    for (unsent, expected) in [(Unsent::Keep, "<aa><bb><bye>"), (Unsent::Discard, "<aa><bye>")] {
        let outbox = outbox(100, 1_000);
        outbox.transport().accept(2);
        outbox.offer(&[frame("<aa>"), frame("<bb>")]).unwrap();
        outbox.close(frame("<bye>"), unsent);
        outbox.close(frame("<twice>"), unsent);
        assert_eq!(outbox.offer(&[frame("<late>")]), Err(SinkClosed));
        outbox.transport().accept(100);
        assert_eq!(drain(&outbox), Poll::Ready(Signal::Flushed));
        assert_eq!(wire(&outbox), expected);
    }
}

#[test]
fn a_broken_socket_accepts_nothing_more() {
    let outbox = outbox(100, 1_000);
    outbox.transport().broken.store(true, Ordering::Relaxed);
    assert_eq!(outbox.offer(&[frame("<aa>")]), Err(SinkClosed));
    assert_eq!(drain(&outbox), Poll::Ready(Signal::Broken));
}

#[test]
fn a_probe_is_signalled_once() {
    let outbox = outbox(100, 1_000);
    outbox.probe();
    assert_eq!(drain(&outbox), Poll::Ready(Signal::Probed));
    assert_eq!(drain(&outbox), Poll::Pending);
}

/// Two threads offer frames while a third one drains: each thread's frames are written in order,
/// none inside another, none missing.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn concurrent_offers_and_drains_keep_frames_whole() {
    const EACH: usize = 5_000;
    let outbox = Arc::new(outbox(usize::MAX, usize::MAX));
    let draining = tokio::spawn({
        let outbox = Arc::clone(&outbox);
        async move { std::future::poll_fn(|cx| outbox.poll_drain(cx)).await }
    });
    let offering = ["a", "b"].map(|name| {
        let outbox = Arc::clone(&outbox);
        tokio::task::spawn_blocking(move || {
            for i in 0..EACH {
                outbox.offer(&[frame(&format!("{name}{i};"))]).unwrap();
                outbox.transport().accept(i % 13);
            }
        })
    });
    for offering in offering {
        offering.await.unwrap();
    }
    outbox.close(frame("end;"), Unsent::Keep);
    outbox.transport().accept(1_000_000);
    assert_eq!(draining.await.unwrap(), Signal::Flushed);

    let wire = wire(&outbox);
    for name in ["a", "b"] {
        let got: Vec<&str> = wire.split_terminator(';').filter(|frame| frame.starts_with(name)).collect();
        let expected: Vec<String> = (0..EACH).map(|i| format!("{name}{i}")).collect();
        assert_eq!(got, expected);
    }
    assert!(wire.ends_with("end;"));
}
