//! What stands behind a member: a queue of events, or an outbox on a socket that takes as much as it is told to. Neither may be put
//! out unless its bounds were exceeded, and neither may be offered anything after that.

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

use super::command::Reads;

/// Something that a member was told.
#[derive(Debug)]
pub(super) enum Seen {
    /// These came, and these are there now.
    Came(MemberGroup, Arc<MemberList>),
    /// These went, and these are there now.
    Went(MemberGroup, Arc<MemberList>),
    Frame(ServerFrame),
}

/// Where a member's events go.
pub(super) enum Reader {
    Events(Arc<Tap>),
    Frames(Arc<Pipe>),
}

impl Reader {
    pub(super) fn new(reads: Reads, encoding: EncodingId, budget: &Arc<BacklogBudget>) -> (Self, Sink) {
        match reads {
            Reads::Events { capacity } => {
                let tap = Arc::new(Tap { capacity, state: Mutex::default() });
                (Self::Events(Arc::clone(&tap)), Sink::Events(tap))
            }
            Reads::Frames { frames, bytes } => {
                let outbox = Outbox::new(Valve::default(), BacklogLimits { frames, bytes });
                let pipe =
                    Arc::new(Pipe { outbox: outbox.within(Arc::clone(budget)), state: Mutex::default() });
                (Self::Frames(Arc::clone(&pipe)), Sink::Frames { encoding, sink: pipe })
            }
        }
    }

    fn with_state<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        match self {
            Self::Events(tap) => look(&mut tap.state.lock().1),
            Self::Frames(pipe) => look(&mut pipe.state.lock().1),
        }
    }

    /// Whether it took something not.
    pub(super) fn has_refused(&self) -> bool {
        self.with_state(|state| state.has_refused)
    }

    /// How often it was offered something.
    pub(super) fn offers(&self) -> u64 {
        self.with_state(|state| state.offers)
    }

    pub(super) fn probes(&self) -> u64 {
        self.with_state(|state| state.probes)
    }

    pub(super) fn assert_sound(&self) {
        self.with_state(|state| assert!(state.fault.is_none(), "{:?}", state.fault));
    }

    /// Whether it has read all that it was told.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Events(tap) => tap.state.lock().0.is_empty(),
            Self::Frames(pipe) => {
                let waits = pipe.outbox.backlog().frames + pipe.outbox.queued_reply_bytes();
                waits == 0
                    && pipe.state.lock().0.is_empty()
                    && pipe.outbox.transport().0.lock().taken.is_empty()
            }
        }
    }

    /// Reads so many events, or bytes.
    pub(super) fn read(&self, amount: usize) -> Vec<Seen> {
        match self {
            Self::Events(tap) => {
                let mut state = tap.state.lock();
                let count = state.0.len().min(amount);
                state.0.drain(..count).map(|event| seen(&event)).collect()
            }
            Self::Frames(pipe) => pipe.read(amount),
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
    fn delivered(&mut self) {
        self.offers += 1;
        if self.has_refused {
            self.fault = Some("offered something after it was removed");
        }
    }
}

/// A queue of events with a bound.
pub(super) struct Tap {
    capacity: usize,
    state: Mutex<(VecDeque<Arc<Event>>, State)>,
}

impl EventSink for Tap {
    fn offer(&self, event: &Arc<Event>) -> Result<(), SinkClosed> {
        let (queue, state) = &mut *self.state.lock();
        state.delivered();
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

/// An outbox, and what came out of it that is no whole frame yet.
pub(super) struct Pipe {
    outbox: Outbox<Valve>,
    state: Mutex<(Vec<u8>, State)>,
}

/// The last frame of a reader that was too slow.
const LAST: &[u8] = b"last\n";

impl Pipe {
    fn read(&self, amount: usize) -> Vec<Seen> {
        {
            let mut flow = self.outbox.transport().0.lock();
            flow.takes = flow.takes.saturating_add(amount);
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
        let taken = std::mem::take(&mut self.outbox.transport().0.lock().taken);
        let (unread, _) = &mut *self.state.lock();
        unread.extend_from_slice(&taken);
        let mut seen = Vec::new();
        while let Some(end) = unread.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = unread.drain(..=end).collect();
            if line == LAST {
                assert!(unread.is_empty(), "nothing comes behind the last frame");
            } else {
                seen.push(Seen::Frame(serde_json::from_slice(&line).expect("a whole frame")));
            }
        }
        seen
    }
}

impl FrameSink for Pipe {
    fn offer(&self, frames: &[Frames]) -> Result<(), SinkClosed> {
        let (_, state) = &mut *self.state.lock();
        state.delivered();
        let BacklogLimits { frames: waiting, bytes } = self.outbox.backlog();
        // what it has asked for is not held against it
        let told = || frames.iter().filter(|frames| !frames.is_reply());
        let count: usize = told().map(Frames::count).sum();
        let length: usize = told().map(|frames| frames.as_bytes().len()).sum();
        let taken = self.outbox.offer(frames);
        let limits = self.outbox.limits();
        if taken.is_err() {
            state.has_refused = true;
            if waiting + count <= limits.frames && bytes + length <= limits.bytes {
                state.fault = Some("removed within its bounds");
            }
        } else if self.outbox.backlog().frames > limits.frames || self.outbox.backlog().bytes > limits.bytes {
            state.fault = Some("more waits than may");
        }
        taken
    }

    fn probe(&self) {
        self.outbox.probe();
    }
}

/// A socket that takes as much as it is told to.
#[derive(Debug, Default)]
struct Valve(Mutex<Flow>);

#[derive(Debug, Default)]
struct Flow {
    takes: usize,
    taken: Vec<u8>,
}

impl Transport for Valve {
    fn try_write(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut flow = self.0.lock();
        if flow.takes == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let before = flow.takes;
        for piece in pieces {
            let count = piece.len().min(flow.takes);
            flow.taken.extend_from_slice(&piece[..count]);
            flow.takes -= count;
        }
        Ok(before - flow.takes)
    }

    /// Nobody is woken: whoever opens the valve drains the outbox itself.
    fn poll_writable(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.0.lock().takes > 0 { Poll::Ready(Ok(())) } else { Poll::Pending }
    }
}

/// `chat.v2`, a line to a frame.
pub(super) struct Lines;

impl Encoding for Lines {
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

fn seen(event: &Event) -> Seen {
    match event {
        Event::Entered { group, members } => Seen::Came(group.clone(), Arc::clone(members)),
        Event::Left { group, members } => Seen::Went(group.clone(), Arc::clone(members)),
        event => Seen::Frame(v2::frame(event).unwrap_or_else(|| panic!("{event:?}"))),
    }
}
