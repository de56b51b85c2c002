//! A member's place in the fan-out.

use chat_protocol::MemberId;

use crate::Sink;
use crate::delivery::audience::{LogicalTime, PresenceStyle};
use crate::delivery::encoding::EncodingIndex;
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Where the events of one member go, and which events those are. Held by the room and by the member's pump.
#[derive(Debug)]
pub(crate) struct Subscriber {
    pub(crate) id: MemberId,
    pub(crate) style: PresenceStyle,
    pub(crate) arrival: LogicalTime,
    /// The position of the first event that is for this member: its own entering.
    pub(crate) start: u64,
    pub(crate) outlet: Sink,
    /// The encoding of the outlet, if it takes bytes and its encoding is known.
    pub(crate) encoding: Option<EncodingIndex>,
    /// The pump it belongs to for as long as it is_active.
    pub(crate) pump: usize,
    /// The position behind the last event that is for this member, once that is known.
    end: AtomicU64,
    /// Whether it still counts towards its pump's load.
    counts: AtomicBool,
    /// Set once nothing more is to go to the outlet; its pump lets go of the subscriber at its next walk.
    gone: AtomicBool,
}

impl Subscriber {
    pub(crate) fn new(
        id: MemberId,
        style: PresenceStyle,
        arrival: LogicalTime,
        start: u64,
        outlet: Sink,
        encoding: Option<EncodingIndex>,
        pump: usize,
    ) -> Self {
        let (end, counts, gone) = (AtomicU64::new(u64::MAX), AtomicBool::new(true), AtomicBool::new(false));
        Self { id, style, arrival, start, outlet, encoding, pump, end, counts, gone }
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

    /// Nothing at or behind this position is for this member.
    pub(crate) fn set_end(&self, position: u64) {
        self.end.store(position, Ordering::Release);
    }

    /// Takes it out of its pump's load. False when it was out before.
    pub(crate) fn uncount(&self) -> bool {
        self.counts.swap(false, Ordering::AcqRel)
    }
}
