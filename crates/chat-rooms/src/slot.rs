//! A member's place in the fan-out.

use std::sync::atomic::{AtomicBool, Ordering};

use chat_protocol::MemberId;

use crate::Outlet;
use crate::moment::Moment;

/// Where the events of one member go, and which events those are. Held by the room and by the member's pump.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) id: MemberId,
    pub(crate) arrival: Moment,
    /// The position of the first event that is for this member: its own entering.
    pub(crate) start: u64,
    pub(crate) outlet: Outlet,
    /// The pump it belongs to for as long as it stays.
    pub(crate) pump: usize,
    /// Set once the member is out; its pump lets go of the slot at its next walk.
    gone: AtomicBool,
}

impl Slot {
    pub(crate) fn new(id: MemberId, arrival: Moment, start: u64, outlet: Outlet, pump: usize) -> Self {
        Self { id, arrival, start, outlet, pump, gone: AtomicBool::new(false) }
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }

    pub(crate) fn set_gone(&self) {
        self.gone.store(true, Ordering::Release);
    }
}
