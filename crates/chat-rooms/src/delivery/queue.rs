//! The work queue of a pump.

use std::mem;
use std::sync::Arc;

use crate::delivery::batch::Batch;
use crate::delivery::subscriber::Subscriber;

/// The maximum number of batches that one walk delivers.
const MAX_BATCHES_PER_WALK: usize = 8;

/// What a pump has to do the next time it runs. Protected by the room's lock.
#[derive(Debug, Default)]
pub(crate) struct PumpQueue {
    /// Members that were added since the last walk.
    pub(crate) arrivals: Vec<Arc<Subscriber>>,
    /// Batches that this pump has not offered yet.
    pub(crate) batches: Vec<Arc<Batch>>,
    /// The members that the pump offers events to. Empty while the pump runs, because the pump
    /// holds them.
    pub(crate) members: Vec<Arc<Subscriber>>,
    /// Whether the pump's task runs.
    pub(crate) running: bool,
    /// The position up to which the pump has offered everything.
    pub(crate) delivered: u64,
    /// The number of members that belong to the pump, including those that it holds while it runs.
    pub(crate) load: usize,
    /// Whether members left while the pump ran. It may have passed their subscribers already.
    stale: bool,
}

impl PumpQueue {
    /// Adds a member.
    pub(crate) fn subscribe(&mut self, subscriber: Arc<Subscriber>) {
        self.load += 1;
        self.arrivals.push(subscriber);
    }

    /// Stops counting a subscriber.
    pub(crate) fn release(&mut self, subscriber: &Subscriber) {
        self.load -= usize::from(subscriber.uncount());
    }

    /// Removes a member at once or, if the pump runs, at the end of its run: a subscriber holds a
    /// sink, and a sink may hold a socket.
    pub(crate) fn unsubscribe(&mut self, subscriber: &Arc<Subscriber>) {
        self.release(subscriber);
        if self.running {
            self.stale = true;
            return;
        }
        for subscribers in [&mut self.arrivals, &mut self.members] {
            if let Some(index) = subscribers.iter().rposition(|other| Arc::ptr_eq(other, subscriber)) {
                subscribers.swap_remove(index);
            }
        }
    }

    /// Returns the next batches, or `None` if there are none and the pump has stopped.
    pub(crate) fn next(&mut self, members: &mut Vec<Arc<Subscriber>>) -> Option<Vec<Arc<Batch>>> {
        members.append(&mut self.arrivals);
        if self.batches.is_empty() {
            if mem::take(&mut self.stale) {
                members.retain(|subscriber| !subscriber.is_gone());
            }
            self.members = mem::take(members);
            self.running = false;
            return None;
        }
        let rest = self.batches.split_off(self.batches.len().min(MAX_BATCHES_PER_WALK));
        Some(mem::replace(&mut self.batches, rest))
    }
}
