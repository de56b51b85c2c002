//! A socket whose reader reads at random, and the draining of the outbox in front of it.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::task::{Context, Poll};

use chat_outbox::{Outbox, Signal, Transport, Unsent};
use chat_rooms::Frames;
use futures::task::AtomicWaker;
use parking_lot::Mutex;
use shuttle::rand::{Rng, thread_rng};

#[derive(Default)]
pub(crate) struct Socket {
    state: Mutex<State>,
    /// The draining task, while the socket accepts nothing.
    writable: AtomicWaker,
    /// The task that waits for something to be written.
    written: AtomicWaker,
}

#[derive(Default)]
struct State {
    wire: Vec<u8>,
    /// How many bytes the socket accepts now.
    capacity: usize,
    is_broken: bool,
}

impl Socket {
    pub(crate) fn accept(&self, bytes: usize) {
        self.state.lock().capacity += bytes;
        self.writable.wake();
    }

    /// Reads a little now and then, and everything in the end.
    pub(crate) fn read_at_random(&self) {
        for _ in 0..thread_rng().gen_range(0..6) {
            self.accept(thread_rng().gen_range(1..9));
        }
        self.accept(1_000);
    }

    pub(crate) fn break_down(&self) {
        self.state.lock().is_broken = true;
        self.writable.wake();
    }

    /// The frames on the wire, which end with `;`.
    pub(crate) fn frames(&self) -> Vec<String> {
        let wire = String::from_utf8(self.state.lock().wire.clone()).unwrap();
        assert!(wire.is_empty() || wire.ends_with(';'), "half a frame: {wire}");
        wire.split_terminator(';').map(str::to_owned).collect()
    }

    /// Waits until `bytes` bytes are on the wire. For one task.
    pub(crate) async fn has_written(&self, bytes: usize) {
        poll_fn(|cx| {
            self.written.register(cx.waker());
            if self.state.lock().wire.len() >= bytes { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

impl Transport for Socket {
    fn try_write(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut state = self.state.lock();
        if state.is_broken {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        let before = state.wire.len();
        for piece in pieces {
            let taken = piece.len().min(state.capacity);
            state.wire.extend_from_slice(&piece[..taken]);
            state.capacity -= taken;
        }
        let taken = state.wire.len() - before;
        drop(state);
        self.written.wake();
        if taken == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(taken) }
    }

    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writable.register(cx.waker());
        let state = self.state.lock();
        if state.is_broken || state.capacity > 0 { Poll::Ready(Ok(())) } else { Poll::Pending }
    }
}

/// The result of draining an outbox to its end.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Drained {
    pub(crate) was_too_slow: bool,
    pub(crate) was_broken: bool,
    pub(crate) probes: usize,
}

/// Drains until the last frame is written, as a connection does: a reader that is too slow receives
/// its last frame as well.
pub(crate) async fn drain(outbox: &Outbox<Socket>) -> Drained {
    let mut drained = Drained::default();
    loop {
        match poll_fn(|cx| outbox.poll_drain(cx)).await {
            Signal::Probed => drained.probes += 1,
            Signal::TooSlow => {
                drained.was_too_slow = true;
                outbox.close(frame("slow"), Unsent::Keep);
            }
            Signal::Broken => {
                drained.was_broken = true;
                return drained;
            }
            Signal::Flushed => return drained,
        }
    }
}

pub(crate) fn frame(name: &str) -> Frames {
    Frames::one(format!("{name};").into_bytes())
}

/// The frames of one thread, in the order in which they were written.
pub(crate) fn frames_of(name: char, frames: &[String]) -> Vec<String> {
    frames.iter().filter(|frame| frame.starts_with(name)).cloned().collect()
}
