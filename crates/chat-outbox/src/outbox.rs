//! The only writer of a socket: it writes at once what the socket accepts, and queues the rest
//! within limits.

use std::fmt;
use std::io::{self, IoSlice};
use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use chat_rooms::{BacklogBudget, FrameSink, Frames, SinkClosed};
use parking_lot::Mutex;

use crate::backlog::{Backlog, MAX_PIECES};
use crate::waker::AtomicWaker;

/// The maximum number of queued bytes of control frames, and of those accepted at once.
///
/// A ping whose pong does not fit need not be answered: a pong for the latest ping is sufficient
/// (RFC 6455, section 5.5.3).
pub const CONTROL_BYTES: usize = 512;

/// A socket that can be written to without blocking.
pub trait Transport: Send + Sync + 'static {
    /// Writes as many bytes as the socket accepts now, and returns how many that were.
    ///
    /// # Errors
    /// `WouldBlock` if the socket accepts nothing now. Any other error means that the connection
    /// has ended.
    fn try_write(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Resolves when it is worthwhile to try a write again. Only one task polls it.
    ///
    /// # Errors
    /// Any error means that the connection has ended.
    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
}

/// The writer that [`Outbox::poll_drain_into`] writes the backlog to.
///
/// Every [`Transport`] is one. A separate one is needed if only the draining task can write, for
/// example because it holds the keys of an encrypted connection. The transport then accepts nothing
/// itself.
pub trait Drain {
    /// Writes as many bytes as the writer accepts, and returns how many that were. Pending while it
    /// accepts nothing.
    ///
    /// # Errors
    /// Any error means that the connection has ended.
    fn poll_write(&mut self, cx: &mut Context<'_>, pieces: &[IoSlice<'_>]) -> Poll<io::Result<usize>>;

    /// Resolves when everything that the writer has accepted is written.
    ///
    /// # Errors
    /// Any error means that the connection has ended.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
}

impl<T: Transport> Drain for &T {
    fn poll_write(&mut self, cx: &mut Context<'_>, pieces: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.poll_writable(cx))?;
            match self.try_write(pieces) {
                Err(error) if would_block(&error) => {}
                outcome => return Poll::Ready(outcome),
            }
        }
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// The size of a backlog, or its limits: a reader whose backlog exceeds them is too slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BacklogLimits {
    /// The number of frames.
    pub frames: usize,
    /// The number of bytes.
    pub bytes: usize,
}

impl Default for BacklogLimits {
    /// 65,536 frames and 8 MiB.
    ///
    /// The memory of the backlog is shared with the other readers in the same room that wait for
    /// the same frames.
    fn default() -> Self {
        Self { frames: 65_536, bytes: 8 << 20 }
    }
}

/// What happens to queued frames when an outbox is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsent {
    /// They are written before the last frame.
    Keep,
    /// They are discarded, except for a partially written one.
    Discard,
}

/// A condition that the task that drains an outbox has to act on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// The backlog exceeded its limits, or an event could not be encoded. The backlog is discarded,
    /// and the outbox has to be closed.
    TooSlow,
    /// The socket failed, and cannot be written to any more.
    Broken,
    /// Another client asks for the name of this member: the connection should be checked.
    Probed,
    /// The outbox was closed, and its last frame is written.
    Flushed,
}

/// The bounded write queue of one socket.
///
/// Any thread may offer frames. What the socket accepts is written at once by the caller. The rest
/// is queued, within limits, until the task that owns the socket writes it in
/// [`poll_drain`](Self::poll_drain).
///
/// An outbox holds no heap memory while its backlog is empty.
pub struct Outbox<T> {
    transport: T,
    limits: BacklogLimits,
    /// The limit on this backlog and others together.
    budget: Option<Arc<BacklogBudget>>,
    /// Keeps the frames in order. Held during a non-blocking write, never across an await.
    queue: Mutex<Queue>,
    /// The task in `poll_drain`.
    drain: AtomicWaker,
}

#[derive(Debug, Default)]
struct Queue {
    backlog: Backlog,
    phase: Phase,
    /// Set by `probe` until the draining task has seen it.
    probed: bool,
    /// The total number of queued bytes that were written.
    drained: u64,
    /// Whether the budget counts this outbox as one with a backlog.
    is_holder: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Accepts frames.
    #[default]
    Open,
    /// Over its limits, and to be closed.
    Overflowed,
    /// Has its last frame.
    Closing,
    /// The socket failed.
    Broken,
}

impl<T: Transport> Outbox<T> {
    /// Creates an empty outbox.
    pub fn new(transport: T, limits: BacklogLimits) -> Self {
        Self { transport, limits, budget: None, queue: Mutex::default(), drain: AtomicWaker::new() }
    }

    /// Limits the backlog together with those of all other outboxes of `budget`. Has to be called
    /// before anything is offered.
    #[must_use]
    pub fn within(mut self, budget: Arc<BacklogBudget>) -> Self {
        self.budget = Some(budget);
        self
    }

    /// Creates an outbox in which the bytes `first` are queued already. Everything that is offered
    /// is written after them, including control frames.
    pub fn with_initial(first: &[u8], transport: T, limits: BacklogLimits) -> Self {
        let outbox = Self::new(transport, limits);
        outbox.queue.lock().backlog.push_control(first, 0);
        outbox
    }

    /// Returns the socket.
    pub fn transport(&self) -> &T {
        &self.transport
    }

    /// Returns the limits of the backlog.
    pub fn limits(&self) -> BacklogLimits {
        self.limits
    }

    /// Returns the size of the backlog, without control frames and replies.
    pub fn backlog(&self) -> BacklogLimits {
        let queue = self.queue.lock();
        BacklogLimits { frames: queue.backlog.frames(), bytes: queue.backlog.bytes() }
    }

    /// Returns the number of queued bytes of replies.
    pub fn queued_reply_bytes(&self) -> usize {
        self.queue.lock().backlog.reply_bytes()
    }

    /// Returns the total number of queued bytes that were written. While the backlog is not empty
    /// and this number does not change, the reader reads nothing.
    pub fn drained_bytes(&self) -> u64 {
        self.queue.lock().drained
    }

    /// Offers whole control frames, which overtake queued frames.
    ///
    /// Returns `false` if they do not fit into the limit [`CONTROL_BYTES`]; none of them is
    /// accepted in that case. Once the outbox accepts no more frames, control frames are discarded
    /// and this returns `true`.
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

    /// Queues one last frame, whatever the limits. Nothing is accepted after it.
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

    /// Writes the backlog as the socket accepts it, until there is something to act on. Pending
    /// while the backlog is empty.
    ///
    /// Only one task may poll it. If it is not polled again, nothing is lost.
    pub fn poll_drain(&self, cx: &mut Context<'_>) -> Poll<Signal> {
        self.poll_drain_into(cx, &mut &self.transport)
    }

    /// Writes the backlog to `drain` as [`poll_drain`](Self::poll_drain) does to the socket, for a
    /// transport that accepts nothing itself. `drain` has to be the same each time.
    pub fn poll_drain_into(&self, cx: &mut Context<'_>, drain: &mut impl Drain) -> Poll<Signal> {
        self.drain.register(cx.waker());
        loop {
            // locked again for every write, so that threads that offer frames do not wait for all
            // of them
            let mut queue = self.queue.lock();
            if mem::take(&mut queue.probed) {
                return Poll::Ready(Signal::Probed);
            }
            let phase = queue.phase;
            match phase {
                Phase::Overflowed => return Poll::Ready(Signal::TooSlow),
                Phase::Broken => return Poll::Ready(Signal::Broken),
                Phase::Open | Phase::Closing if !queue.backlog.is_empty() => {
                    ready!(self.poll_write_backlog(cx, &mut queue, drain));
                }
                Phase::Open | Phase::Closing => match ready!(drain.poll_flush(cx)) {
                    Ok(()) if phase == Phase::Closing => return Poll::Ready(Signal::Flushed),
                    Ok(()) => return Poll::Pending,
                    Err(_) => queue.phase = Phase::Broken,
                },
            }
        }
    }

    fn poll_write_backlog(
        &self,
        cx: &mut Context<'_>,
        queue: &mut Queue,
        drain: &mut impl Drain,
    ) -> Poll<()> {
        let mut pieces = [IoSlice::new(&[]); MAX_PIECES];
        let count = queue.backlog.next(&mut pieces);
        match ready!(drain.poll_write(cx, &pieces[..count])) {
            Ok(written) => {
                queue.backlog.advance(written);
                queue.drained += written as u64;
                self.update_budget(queue);
            }
            Err(_) => queue.phase = Phase::Broken,
        }
        Poll::Ready(())
    }

    /// Writes to the socket at once. `None` if it failed.
    fn write_now(&self, queue: &mut Queue, pieces: &[IoSlice<'_>]) -> Option<usize> {
        match self.transport.try_write(pieces) {
            Ok(written) => Some(written),
            Err(error) if would_block(&error) => Some(0),
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

    /// Accepts frames: writes what the socket accepts at once, and queues the rest.
    fn accept(&self, queue: &mut Queue, frames: &[Frames]) -> Result<(), SinkClosed> {
        let mut written = 0;
        if queue.backlog.is_empty() {
            let mut pieces = [IoSlice::new(&[]); MAX_PIECES];
            for (piece, frames) in pieces.iter_mut().zip(frames) {
                *piece = IoSlice::new(frames.as_bytes());
            }
            written = self.write_now(queue, &pieces[..frames.len().min(MAX_PIECES)]).ok_or(SinkClosed)?;
        }
        for frames in frames {
            let written_of_these = written.min(frames.as_bytes().len());
            written -= written_of_these;
            queue.backlog.push(frames.clone(), written_of_these);
            if let Some(budget) = &self.budget
                && written_of_these < frames.as_bytes().len()
            {
                frames.charge(budget);
            }
        }
        self.update_budget(queue);
        if self.is_over_limits(&queue.backlog) {
            queue.backlog.discard();
            self.update_budget(queue);
            queue.phase = Phase::Overflowed;
            return Err(SinkClosed);
        }
        Ok(())
    }

    fn is_over_limits(&self, backlog: &Backlog) -> bool {
        let total = backlog.bytes() + backlog.reply_bytes();
        backlog.frames() > self.limits.frames
            || backlog.bytes() > self.limits.bytes
            || (total > 0 && self.budget.as_ref().is_some_and(|budget| budget.is_exceeded_by(total)))
    }

    /// Tells the budget whether this outbox has a backlog.
    fn update_budget(&self, queue: &mut Queue) {
        let has_backlog = queue.backlog.bytes() + queue.backlog.reply_bytes() > 0;
        if has_backlog != queue.is_holder
            && let Some(budget) = &self.budget
        {
            queue.is_holder = has_backlog;
            if has_backlog { budget.add_holder() } else { budget.remove_holder() }
        }
    }
}

fn would_block(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

impl<T: Transport> FrameSink for Outbox<T> {
    fn offer(&self, frames: &[Frames]) -> Result<(), SinkClosed> {
        let mut queue = self.queue.lock();
        if queue.phase != Phase::Open {
            return Err(SinkClosed);
        }
        let accepted = self.accept(&mut queue, frames);
        self.wake_unless_idle(&queue);
        accepted
    }

    /// Ends the outbox as if its reader were too slow: a client that reconnects asks for what it
    /// missed.
    fn fail(&self) {
        let mut queue = self.queue.lock();
        if queue.phase == Phase::Open {
            queue.backlog.discard();
            self.update_budget(&mut queue);
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
