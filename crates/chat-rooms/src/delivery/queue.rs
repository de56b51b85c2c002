//! The work queue of a pump.

use std::collections::{BTreeMap, VecDeque};
use std::mem;
use std::sync::Arc;

use tokio::sync::oneshot;

use crate::delivery::batch::Batch;
use crate::delivery::members::PumpMembers;
use crate::delivery::subscriber::Subscriber;
use crate::sync::steps;

/// The maximum number of batches that one walk delivers.
const MAX_BATCHES_PER_WALK: usize = 8;

/// What a pump has to do the next time it runs. Protected by the room's lock.
#[derive(Debug, Default)]
pub(crate) struct PumpQueue {
    /// Members that were added while the pump runs.
    arrivals: Vec<Arc<Subscriber>>,
    /// Members that were removed while the pump runs. It may have passed their subscribers already.
    leavers: Vec<Arc<Subscriber>>,
    /// Batches that this pump has not offered yet.
    pub(crate) batches: VecDeque<Arc<Batch>>,
    /// The members that the pump offers events to. Empty while the pump runs, because the pump
    /// holds them.
    members: PumpMembers,
    /// Whether the pump's task runs.
    pub(crate) running: bool,
    /// The position up to which the pump has offered everything.
    pub(crate) delivered: u64,
    /// The number of members that belong to the pump, including those that it holds while it runs.
    pub(crate) load: usize,
    /// Those who wait until the event at a position is offered, by position. Dropping the sender
    /// wakes them.
    awaited: BTreeMap<u64, Vec<oneshot::Sender<()>>>,
}

/// What a pump does next, in this order.
#[derive(Debug)]
pub(crate) struct Work {
    /// The members to add.
    pub(crate) arrivals: Vec<Arc<Subscriber>>,
    /// The members to remove.
    pub(crate) leavers: Vec<Arc<Subscriber>>,
    /// The batches to offer.
    pub(crate) batches: Vec<Arc<Batch>>,
}

/// Adds a waiter to a list. Dropping its sender wakes it.
pub(crate) fn wait_in(waiters: &mut Vec<oneshot::Sender<()>>) -> oneshot::Receiver<()> {
    // those who gave up make room, so that the list is no longer than twice the number of the
    // others
    if waiters.len() == waiters.capacity() {
        waiters.retain(|waiter| !waiter.is_closed());
    }
    let (waiter, woken) = oneshot::channel();
    waiters.push(waiter);
    woken
}

impl PumpQueue {
    /// Adds a member.
    pub(crate) fn subscribe(&mut self, subscriber: Arc<Subscriber>) {
        steps::count(1);
        self.load += 1;
        if self.running {
            self.arrivals.push(subscriber);
        } else {
            self.members.push(subscriber);
        }
    }

    /// Stops counting a subscriber.
    pub(crate) fn release(&mut self, subscriber: &Subscriber) {
        steps::count(1);
        self.load -= usize::from(subscriber.uncount());
    }

    /// Removes a member at once or, if the pump runs, before its next walk: a subscriber holds a
    /// sink, and a sink may hold a socket.
    pub(crate) fn unsubscribe(&mut self, subscriber: &Arc<Subscriber>) {
        self.release(subscriber);
        if self.running {
            self.leavers.push(Arc::clone(subscriber));
        } else {
            self.members.remove(subscriber);
        }
    }

    /// Takes the members of a pump that starts to run.
    pub(crate) fn start(&mut self) -> PumpMembers {
        mem::take(&mut self.members)
    }

    /// Returns what to do next, or `None` if there is nothing and the pump has stopped.
    pub(crate) fn next(&mut self, members: &mut PumpMembers) -> Option<Work> {
        if self.batches.is_empty() && self.arrivals.is_empty() && self.leavers.is_empty() {
            self.members = mem::take(members);
            self.running = false;
            return None;
        }
        let count = self.batches.len().min(MAX_BATCHES_PER_WALK);
        steps::count(count);
        let batches = self.batches.drain(..count).collect();
        Some(Work { arrivals: mem::take(&mut self.arrivals), leavers: mem::take(&mut self.leavers), batches })
    }

    /// Resolves once everything up to this position is offered.
    pub(crate) fn wait_for(&mut self, position: u64) -> oneshot::Receiver<()> {
        wait_in(self.awaited.entry(position).or_default())
    }

    /// Notes that everything before this position is offered. Returns those who waited for that, to
    /// be dropped without the lock.
    pub(crate) fn set_delivered(&mut self, end: u64) -> BTreeMap<u64, Vec<oneshot::Sender<()>>> {
        self.delivered = end;
        let rest = self.awaited.split_off(&end);
        mem::replace(&mut self.awaited, rest)
    }
}
