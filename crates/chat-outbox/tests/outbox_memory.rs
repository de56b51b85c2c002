//! An outbox holds no heap memory while its backlog is empty. This test is alone in its file,
//! because the allocator counts for the whole process.
#![allow(clippy::unwrap_used)]

use std::io::{self, IoSlice};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use chat_outbox::{BacklogLimits, Outbox, Transport};
use chat_rooms::{FrameSink, Frames};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

/// A socket that accepts `capacity` more bytes.
struct Socket {
    capacity: AtomicUsize,
}

impl Transport for Socket {
    fn try_write(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        let offered: usize = pieces.iter().map(|piece| piece.len()).sum();
        let taken = offered.min(self.capacity.load(Ordering::Relaxed));
        if taken == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.capacity.fetch_sub(taken, Ordering::Relaxed);
        Ok(taken)
    }

    fn poll_writable(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.capacity.load(Ordering::Relaxed) {
            0 => Poll::Pending,
            _ => Poll::Ready(Ok(())),
        }
    }
}

#[test]
fn an_idle_outbox_holds_no_heap_memory() {
    let _profiler = dhat::Profiler::builder().testing().build();
    let frames: Vec<Frames> = (0..100).map(|_| Frames::one(vec![b'x'; 1_000])).collect();
    let outbox = Outbox::new(Socket { capacity: AtomicUsize::new(usize::MAX) }, BacklogLimits::default());
    let idle = dhat::HeapStats::get();

    frames.iter().for_each(|frame| outbox.offer(std::slice::from_ref(frame)).unwrap());
    let written = dhat::HeapStats::get();
    assert_eq!(
        written.total_blocks, idle.total_blocks,
        "a write that the socket accepts at once allocates nothing"
    );

    outbox.transport().capacity.store(1_500, Ordering::Relaxed);
    frames.iter().for_each(|frame| outbox.offer(std::slice::from_ref(frame)).unwrap());
    assert!(outbox.offer_control(b"ping"));
    assert_eq!(outbox.backlog().bytes, 98_500);
    assert!(dhat::HeapStats::get().curr_bytes > idle.curr_bytes);

    outbox.transport().capacity.store(usize::MAX, Ordering::Relaxed);
    assert_eq!(outbox.poll_drain(&mut Context::from_waker(Waker::noop())), Poll::Pending);
    assert_eq!(outbox.backlog().bytes, 0);
    assert_eq!(dhat::HeapStats::get().curr_bytes, idle.curr_bytes);
}
