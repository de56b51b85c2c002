//! The one writer of a socket: writes at once what the socket takes, keeps the rest in bounds.

use std::fmt;
use std::io::{self, IoSlice};
use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use chat_rooms::{BacklogBudget, FrameSink, Frames, SinkClosed};
use parking_lot::Mutex;

use crate::backlog::{Backlog, PIECES};
use crate::waker::AtomicWaker;

/// How many bytes of control frames may wait; more are never taken at once either. A ping that does not fit is not answered by itself: an answer to the
/// latest is enough (RFC 6455, section 5.5.3).
pub const CONTROL_BYTES: usize = 512;

/// A socket that can be written without waiting.
pub trait Transport: Send + Sync + 'static {
    /// Writes as much as it takes now, and says how many bytes that was.
    ///
    /// # Errors
    /// `WouldBlock` when it takes nothing now; anything else is its end.
    fn try_write(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Resolves when a write is worth trying again. Only one task asks.
    ///
    /// # Errors
    /// The socket's end.
    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
}

/// What the task that drains an outbox writes to. Every [`Transport`] is one. Another is needed where the transport takes nothing by itself,
/// because only that task can write: it has the keys of an encrypted connection.
pub trait Drain {
    /// Writes as much as it takes, and says how many bytes that was. Pending when it takes nothing now.
    ///
    /// # Errors
    /// The socket's end.
    fn poll_write(&mut self, cx: &mut Context<'_>, pieces: &[IoSlice<'_>]) -> Poll<io::Result<usize>>;

    /// Resolves when all it has taken is written.
    ///
    /// # Errors
    /// The socket's end.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
}

impl<T: Transport> Drain for &T {
    fn poll_write(&mut self, cx: &mut Context<'_>, pieces: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.poll_writable(cx))?;
            match self.try_write(pieces) {
                Err(error) if blocked(&error) => {}
                outcome => return Poll::Ready(outcome),
            }
        }
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// How much waits for a reader, or may wait before it is too slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BacklogLimits {
    /// Frames.
    pub frames: usize,
    /// Bytes.
    pub bytes: usize,
}

impl Default for BacklogLimits {
    /// 65,536 frames, 8 MiB. What waits is shared with the others who wait for it in the same room.
    fn default() -> Self {
        Self { frames: 65_536, bytes: 8 << 20 }
    }
}

/// What becomes of the frames that wait when a connection is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsent {
    /// They are written before the last frame.
    Keep,
    /// They are given up, but for the one that is half written.
    Discard,
}

/// What the task that drains an outbox has to act on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// The backlog went over its limits. Everything in it is given up; the outbox waits to be closed.
    TooSlow,
    /// The socket can't be written any more.
    Broken,
    /// Somebody else asks for the name of the member behind this.
    Probed,
    /// The outbox was closed, and its last frame is written.
    Flushed,
}

/// Frames on their way into one socket.
///
/// Anyone may offer frames; what the socket takes is written at once by whoever offers it, and what it does not take
/// waits, in bounds, until the task that owns the socket writes it in [`poll_drain`](Self::poll_drain). Holds no heap memory
/// while nothing waits.
pub struct Outbox<T> {
    transport: T,
    limits: BacklogLimits,
    /// What may wait here and elsewhere together.
    budget: Option<Arc<BacklogBudget>>,
    /// The order of the frames; held while a non-blocking write goes on, never across an await.
    queue: Mutex<Queue>,
    /// The task in `poll_drain`.
    drain: AtomicWaker,
}

#[derive(Debug, Default)]
struct Queue {
    backlog: Backlog,
    phase: Phase,
    /// Set by `challenge` until the draining task has seen it.
    probed: bool,
    /// How many bytes that had to wait were written in all.
    drained: u64,
    /// Whether the budget counts this outbox among those in which something waits.
    is_holder: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Takes frames.
    #[default]
    Open,
    /// Over its limits; waits to be closed.
    Overflowed,
    /// Has got its last frame.
    Closing,
    /// The socket failed.
    Broken,
}

impl<T: Transport> Outbox<T> {
    /// An empty outbox.
    pub fn new(transport: T, limits: BacklogLimits) -> Self {
        Self { transport, limits, budget: None, queue: Mutex::default(), drain: AtomicWaker::new() }
    }

    /// The same, with a bound on what waits in all the outboxes of a budget together. To be set before anything is offered.
    #[must_use]
    pub fn within(mut self, budget: Arc<BacklogBudget>) -> Self {
        self.budget = Some(budget);
        self
    }

    /// An outbox in which these bytes wait already: whatever is offered comes behind them, control frames too.
    pub fn beginning_with(first: &[u8], transport: T, limits: BacklogLimits) -> Self {
        let outbox = Self::new(transport, limits);
        outbox.queue.lock().backlog.push_control(first, 0);
        outbox
    }

    /// The socket.
    pub fn transport(&self) -> &T {
        &self.transport
    }

    /// How much may wait.
    pub fn limits(&self) -> BacklogLimits {
        self.limits
    }

    /// What waits for the reader, control frames and answers not counted.
    pub fn backlog(&self) -> BacklogLimits {
        let queue = self.queue.lock();
        BacklogLimits { frames: queue.backlog.frames(), bytes: queue.backlog.bytes() }
    }

    /// How many bytes of answers wait.
    pub fn queued_reply_bytes(&self) -> usize {
        self.queue.lock().backlog.reply_bytes()
    }

    /// How many bytes that had to wait were written in all. While some wait and this stands still, the reader takes nothing.
    pub fn drained_bytes(&self) -> u64 {
        self.queue.lock().drained
    }

    /// Takes whole control frames, which overtake what waits. False when they do not fit: nothing of them is taken then.
    /// They are given up when the outbox is closed.
    pub fn offer_control(&self, frames: &[u8]) -> bool {
        let mut queue = self.queue.lock();
        if queue.phase != Phase::Open {
            return true;
        }
        if queue.backlog.control_bytes() + frames.len() > CONTROL_BYTES {
            return false;
        }
        let written = if queue.backlog.is_empty() {
            self.write_now(&mut queue, &[IoSlice::new(frames)])
        } else {
            Some(0)
        };
        if let Some(written) = written {
            queue.backlog.push_control(frames, written);
        }
        self.wake_unless_idle(&queue);
        true
    }

    /// Takes one last frame, whatever waits and whatever the limits. Nothing is taken after it.
    pub fn close(&self, last: Frames, unsent: Unsent) {
        let mut queue = self.queue.lock();
        if matches!(queue.phase, Phase::Closing | Phase::Broken) {
            return;
        }
        if unsent == Unsent::Discard {
            queue.backlog.discard();
        }
        queue.backlog.push(last, 0);
        queue.phase = Phase::Closing;
        drop(queue);
        self.drain.wake();
    }

    /// Writes what waits whenever the socket takes it, until there is something to act on. Pending while nothing waits.
    /// Only one task may poll it. Nothing is lost by not polling it again.
    pub fn poll_drain(&self, cx: &mut Context<'_>) -> Poll<Signal> {
        self.poll_drain_into(cx, &mut &self.transport)
    }

    /// The same for a transport that takes nothing by itself: what waits is written to `drain`, which has to be the same each time.
    pub fn poll_drain_into(&self, cx: &mut Context<'_>, drain: &mut impl Drain) -> Poll<Signal> {
        self.drain.register(cx.waker());
        loop {
            // taken anew for every write, or whoever offers would wait for all of them
            let mut queue = self.queue.lock();
            if mem::take(&mut queue.probed) {
                return Poll::Ready(Signal::Probed);
            }
            let phase = queue.phase;
            match phase {
                Phase::Overflowed => return Poll::Ready(Signal::TooSlow),
                Phase::Broken => return Poll::Ready(Signal::Broken),
                Phase::Open | Phase::Closing if !queue.backlog.is_empty() => {
                    ready!(self.poll_write_waiting(cx, &mut queue, drain));
                }
                Phase::Open | Phase::Closing => match ready!(drain.poll_flush(cx)) {
                    Ok(()) if phase == Phase::Closing => return Poll::Ready(Signal::Flushed),
                    Ok(()) => return Poll::Pending,
                    Err(_) => queue.phase = Phase::Broken,
                },
            }
        }
    }

    fn poll_write_waiting(
        &self,
        cx: &mut Context<'_>,
        queue: &mut Queue,
        drain: &mut impl Drain,
    ) -> Poll<()> {
        let mut pieces = [IoSlice::new(&[]); PIECES];
        let count = queue.backlog.next(&mut pieces);
        match ready!(drain.poll_write(cx, &pieces[..count])) {
            Ok(written) => {
                queue.backlog.advance(written);
                queue.drained += written as u64;
                self.tell_budget(queue);
            }
            Err(_) => queue.phase = Phase::Broken,
        }
        Poll::Ready(())
    }

    /// Writes without anything waiting; none when the socket failed.
    fn write_now(&self, queue: &mut Queue, pieces: &[IoSlice<'_>]) -> Option<usize> {
        match self.transport.try_write(pieces) {
            Ok(written) => Some(written),
            Err(error) if blocked(&error) => Some(0),
            Err(_) => {
                queue.phase = Phase::Broken;
                None
            }
        }
    }

    fn wake_unless_idle(&self, queue: &Queue) {
        if queue.phase != Phase::Open || !queue.backlog.is_empty() {
            self.drain.wake();
        }
    }

    /// Takes the frames in, after what was written of them at once.
    fn take(&self, queue: &mut Queue, frames: &[Frames]) -> Result<(), SinkClosed> {
        let mut written = 0;
        if queue.backlog.is_empty() {
            let mut pieces = [IoSlice::new(&[]); PIECES];
            for (piece, frames) in pieces.iter_mut().zip(frames) {
                *piece = IoSlice::new(frames.as_bytes());
            }
            written = self.write_now(queue, &pieces[..frames.len().min(PIECES)]).ok_or(SinkClosed)?;
        }
        for frames in frames {
            let of_these = written.min(frames.as_bytes().len());
            written -= of_these;
            queue.backlog.push(frames.clone(), of_these);
            if let Some(budget) = &self.budget
                && of_these < frames.as_bytes().len()
            {
                frames.charge(budget);
            }
        }
        self.tell_budget(queue);
        if self.is_too_much(&queue.backlog) {
            queue.backlog.discard();
            self.tell_budget(queue);
            queue.phase = Phase::Overflowed;
            return Err(SinkClosed);
        }
        Ok(())
    }

    fn is_too_much(&self, backlog: &Backlog) -> bool {
        let in_all = backlog.bytes() + backlog.reply_bytes();
        backlog.frames() > self.limits.frames
            || backlog.bytes() > self.limits.bytes
            || (in_all > 0 && self.budget.as_ref().is_some_and(|budget| budget.is_exceeded_by(in_all)))
    }

    /// Has the budget know whether something waits here.
    fn tell_budget(&self, queue: &mut Queue) {
        let waits = queue.backlog.bytes() + queue.backlog.reply_bytes() > 0;
        if waits != queue.is_holder
            && let Some(budget) = &self.budget
        {
            queue.is_holder = waits;
            if waits { budget.add_holder() } else { budget.remove_holder() }
        }
    }
}

fn blocked(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

impl<T: Transport> FrameSink for Outbox<T> {
    fn offer(&self, frames: &[Frames]) -> Result<(), SinkClosed> {
        let mut queue = self.queue.lock();
        if queue.phase != Phase::Open {
            return Err(SinkClosed);
        }
        let taken = self.take(&mut queue, frames);
        self.wake_unless_idle(&queue);
        taken
    }

    /// Ends as if its reader were too slow: whoever comes back asks for what was missed.
    fn fail(&self) {
        let mut queue = self.queue.lock();
        if queue.phase == Phase::Open {
            queue.backlog.discard();
            self.tell_budget(&mut queue);
            queue.phase = Phase::Overflowed;
            self.drain.wake();
        }
    }

    fn probe(&self) {
        self.queue.lock().probed = true;
        self.drain.wake();
    }
}

impl<T> Drop for Outbox<T> {
    fn drop(&mut self) {
        if let Some(budget) = &self.budget
            && self.queue.get_mut().is_holder
        {
            budget.remove_holder();
        }
    }
}

impl<T> fmt::Debug for Outbox<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox")
            .field("limits", &self.limits)
            .field("queue", &self.queue)
            .finish_non_exhaustive()
    }
}
