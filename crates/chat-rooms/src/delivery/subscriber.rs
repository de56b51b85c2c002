//! A session's subscription to the events of its room.

use chat_access::Actor;
use chat_protocol::MemberId;

use crate::Sink;
use crate::delivery::audience::{LogicalTime, PresenceStyle, SubscriptionId};
use crate::delivery::encoding::EncodingIndex;
use crate::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

/// The sink of one session, and the range of events that it receives. Held by the room and by the
/// session's pump.
#[derive(Debug)]
pub(crate) struct Subscriber {
    pub(crate) recipient: Recipient,
    /// The position of the first event for this session.
    pub(crate) start: u64,
    pub(crate) sink: Sink,
    /// The encoding of the sink; `None` if the sink takes typed events, or its encoding is unknown.
    pub(crate) encoding: Option<EncodingIndex>,
    /// The pump that it belongs to for as long as it exists.
    pub(crate) pump: usize,
    /// The position after the last event for this session, once that is known.
    end: AtomicU64,
    /// Its index among the members of its pump, once it is there. Only the owner of that list uses
    /// it.
    index: AtomicUsize,
    /// Whether it still counts towards the load of its pump.
    counts: AtomicBool,
    /// Set once the sink must receive nothing more; the pump drops the subscriber on its next walk.
    gone: AtomicBool,
}

/// The session that a subscriber stands for.
#[derive(Debug, Clone)]
pub(crate) struct Recipient {
    pub(crate) id: SubscriptionId,
    pub(crate) member: MemberId,
    pub(crate) style: PresenceStyle,
    pub(crate) arrival: LogicalTime,
    pub(crate) actor: Actor,
}

impl Subscriber {
    pub(crate) fn new(
        recipient: Recipient,
        start: u64,
        sink: Sink,
        encoding: Option<EncodingIndex>,
        pump: usize,
    ) -> Self {
        let (end, index) = (AtomicU64::new(u64::MAX), AtomicUsize::new(usize::MAX));
        let (counts, gone) = (AtomicBool::new(true), AtomicBool::new(false));
        Self { recipient, start, sink, encoding, pump, end, index, counts, gone }
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }

    pub(crate) fn set_gone(&self) {
        self.gone.store(true, Ordering::Release);
    }

    pub(crate) fn end(&self) -> u64 {
        self.end.load(Ordering::Acquire)
    }

    /// Whether the position of its last event is known.
    pub(crate) fn is_ending(&self) -> bool {
        self.end() != u64::MAX
    }

    /// Ends the subscription: no event at or after this position is for this member.
    pub(crate) fn set_end(&self, position: u64) {
        self.end.store(position, Ordering::Release);
    }

    pub(crate) fn index(&self) -> usize {
        self.index.load(Ordering::Acquire)
    }

    pub(crate) fn set_index(&self, index: usize) {
        self.index.store(index, Ordering::Release);
    }

    /// Stops counting it towards the load of its pump. Returns `false` if it was not counted any
    /// more.
    pub(crate) fn uncount(&self) -> bool {
        self.counts.swap(false, Ordering::AcqRel)
    }
}
