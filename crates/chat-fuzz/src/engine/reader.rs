//! The sinks of members: a queue of events, or an outbox on a socket that accepts a controlled
//! number of bytes. A sink may be closed only if its limits were exceeded, and must not be offered
//! anything after that.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use chat_outbox::{BacklogLimits, Outbox, Signal, Transport, Unsent};
use chat_protocol::v2::{self, ServerFrame};
use chat_protocol::{Event, MemberGroup, MemberList};
use chat_rooms::BacklogBudget;
use chat_rooms::{Encoding, EncodingId, EventSink, FrameSink, Frames, Sink, SinkClosed};
use parking_lot::Mutex;

use super::command::ReaderKind;

/// An event that a member received.
#[derive(Debug)]
pub(super) enum Received {
    /// These members joined; the list is the state after it.
    Joined(MemberGroup, Arc<MemberList>),
    /// These members left; the list is the state after it.
    Left(MemberGroup, Arc<MemberList>),
    /// The message with this number, which was deleted before it was delivered.
    DeletedMessage(u64),
    Frame(Box<ServerFrame>),
}

/// The reading side of a member's sink.
pub(super) enum Reader {
    Events(Arc<EventQueue>),
    Frames(Arc<FrameOutbox>),
}

impl Reader {
    pub(super) fn new(reads: ReaderKind, encoding: EncodingId, budget: &Arc<BacklogBudget>) -> (Self, Sink) {
        match reads {
            ReaderKind::Events { capacity } => {
                let queue = Arc::new(EventQueue { capacity, state: Mutex::default() });
                (Self::Events(Arc::clone(&queue)), Sink::Events(queue))
            }
            ReaderKind::Frames { frames, bytes } => {
                let outbox = Outbox::new(MeteredSocket::default(), BacklogLimits { frames, bytes });
                let outbox = outbox.within(Arc::clone(budget));
                let sink = Arc::new(FrameOutbox { outbox, state: Mutex::default() });
                (Self::Frames(Arc::clone(&sink)), Sink::Frames { encoding, sink })
            }
        }
    }

    fn with_state<T>(&self, read: impl FnOnce(&mut State) -> T) -> T {
        match self {
            Self::Events(queue) => read(&mut queue.state.lock().1),
            Self::Frames(sink) => read(&mut sink.state.lock().1),
        }
    }

    /// Whether the sink refused something.
    pub(super) fn has_refused(&self) -> bool {
        self.with_state(|state| state.has_refused)
    }

    /// How many offers the sink has received.
    pub(super) fn offers(&self) -> u64 {
        self.with_state(|state| state.offers)
    }

    pub(super) fn probes(&self) -> u64 {
        self.with_state(|state| state.probes)
    }

    pub(super) fn assert_sound(&self) {
        self.with_state(|state| assert!(state.fault.is_none(), "{:?}", state.fault));
    }

    /// Whether everything that was delivered has been read.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Events(queue) => queue.state.lock().0.is_empty(),
            Self::Frames(sink) => {
                let queued = sink.outbox.backlog().frames + sink.outbox.queued_reply_bytes();
                queued == 0
                    && sink.state.lock().0.is_empty()
                    && sink.outbox.transport().0.lock().written.is_empty()
            }
        }
    }

    /// Reads this many events or bytes.
    pub(super) fn read(&self, amount: usize) -> Vec<Received> {
        match self {
            Self::Events(queue) => {
                let mut state = queue.state.lock();
                let count = state.0.len().min(amount);
                state.0.drain(..count).map(|event| received(&event)).collect()
            }
            Self::Frames(sink) => sink.read(amount),
        }
    }
}

#[derive(Debug, Default)]
struct State {
    has_refused: bool,
    offers: u64,
    probes: u64,
    fault: Option<&'static str>,
}

impl State {
    fn on_offer(&mut self) {
        self.offers += 1;
        if self.has_refused {
            self.fault = Some("offered something after it was removed");
        }
    }
}

/// A bounded queue of events.
pub(super) struct EventQueue {
    capacity: usize,
    state: Mutex<(VecDeque<Arc<Event>>, State)>,
}

impl EventSink for EventQueue {
    fn offer(&self, event: &Arc<Event>) -> Result<(), SinkClosed> {
        let (queue, state) = &mut *self.state.lock();
        state.on_offer();
        if queue.len() >= self.capacity {
            state.has_refused = true;
            return Err(SinkClosed);
        }
        queue.push_back(Arc::clone(event));
        Ok(())
    }

    fn probe(&self) {
        self.state.lock().1.probes += 1;
    }
}

/// An outbox, and the bytes read from it that are not a complete frame yet.
pub(super) struct FrameOutbox {
    outbox: Outbox<MeteredSocket>,
    state: Mutex<(Vec<u8>, State)>,
}

/// The last frame of a connection that was too slow.
const LAST: &[u8] = b"last\n";

impl FrameOutbox {
    fn read(&self, amount: usize) -> Vec<Received> {
        {
            let mut socket = self.outbox.transport().0.lock();
            socket.capacity = socket.capacity.saturating_add(amount);
        }
        let mut cx = Context::from_waker(Waker::noop());
        loop {
            match self.outbox.poll_drain(&mut cx) {
                Poll::Ready(Signal::TooSlow) => {
                    let has_refused = self.state.lock().1.has_refused;
                    assert!(has_refused, "removed without being offered too much");
                    self.outbox.close(Frames::one(LAST.into()), Unsent::Discard);
                }
                Poll::Ready(Signal::Probed) => self.state.lock().1.probes += 1,
                Poll::Pending | Poll::Ready(Signal::Flushed) => break,
                Poll::Ready(Signal::Broken) => panic!("this socket does not break"),
            }
        }
        let written = std::mem::take(&mut self.outbox.transport().0.lock().written);
        let (unread, _) = &mut *self.state.lock();
        unread.extend_from_slice(&written);
        let mut received = Vec::new();
        while let Some(end) = unread.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = unread.drain(..=end).collect();
            if line == LAST {
                assert!(unread.is_empty(), "nothing comes after the last frame");
            } else {
                let frame = serde_json::from_slice(&line).expect("a whole frame");
                received.push(Received::Frame(Box::new(frame)));
            }
        }
        received
    }
}

impl FrameSink for FrameOutbox {
    fn offer(&self, frames: &[Frames]) -> Result<(), SinkClosed> {
        let (_, state) = &mut *self.state.lock();
        state.on_offer();
        let BacklogLimits { frames: queued, bytes } = self.outbox.backlog();
        // replies do not count towards the limits
        let counted = || frames.iter().filter(|frames| !frames.is_reply());
        let count: usize = counted().map(Frames::count).sum();
        let length: usize = counted().map(|frames| frames.as_bytes().len()).sum();
        let result = self.outbox.offer(frames);
        let limits = self.outbox.limits();
        if result.is_err() {
            state.has_refused = true;
            if queued + count <= limits.frames && bytes + length <= limits.bytes {
                state.fault = Some("removed within its limits");
            }
        } else if self.outbox.backlog().frames > limits.frames || self.outbox.backlog().bytes > limits.bytes {
            state.fault = Some("the backlog exceeds its limits");
        }
        result
    }

    fn probe(&self) {
        self.outbox.probe();
    }
}

/// A socket that accepts a controlled number of bytes.
#[derive(Debug, Default)]
struct MeteredSocket(Mutex<SocketState>);

#[derive(Debug, Default)]
struct SocketState {
    /// How many more bytes it accepts.
    capacity: usize,
    written: Vec<u8>,
}

impl Transport for MeteredSocket {
    fn try_write(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut socket = self.0.lock();
        if socket.capacity == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let before = socket.capacity;
        for piece in pieces {
            let count = piece.len().min(socket.capacity);
            socket.written.extend_from_slice(&piece[..count]);
            socket.capacity -= count;
        }
        Ok(before - socket.capacity)
    }

    /// Wakes no task: the caller that adds capacity drains the outbox itself.
    fn poll_writable(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.0.lock().capacity > 0 { Poll::Ready(Ok(())) } else { Poll::Pending }
    }
}

/// `chat.v2`, one frame per line.
pub(super) struct LineEncoding;

impl Encoding for LineEncoding {
    fn encode(&self, event: &Event, frame: &mut Vec<u8>) {
        let before = frame.len();
        v2::write(event, frame);
        if frame.len() > before {
            frame.push(b'\n');
        }
    }

    fn size_hint(&self, event: &Event) -> usize {
        v2::size_hint(event)
    }
}

fn received(event: &Event) -> Received {
    match event {
        Event::Entered { group, members } => Received::Joined(group.clone(), Arc::clone(members)),
        Event::Left { group, members } => Received::Left(group.clone(), Arc::clone(members)),
        Event::Message { message, .. } if message.text().is_none() => Received::DeletedMessage(message.seq),
        event => {
            let frame = v2::frame(event).unwrap_or_else(|| panic!("{event:?}"));
            Received::Frame(Box::new(frame))
        }
    }
}
