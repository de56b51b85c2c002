//! What a pump finds when it runs.

use std::mem;
use std::sync::Arc;

use crate::delivery::batch::Batch;
use crate::delivery::subscriber::Subscriber;

/// The most batches that one walk takes along.
const BATCHES_A_WALK: usize = 8;

/// What a pump has to do next time it runs. Under the room's lock.
#[derive(Debug, Default)]
pub(crate) struct PumpQueue {
    /// Members that came since the last walk.
    pub(crate) arrivals: Vec<Arc<Subscriber>>,
    /// Batches that this pump has not yet offered.
    pub(crate) batches: Vec<Arc<Batch>>,
    /// The members it offers to. A running pump has taken them along.
    pub(crate) members: Vec<Arc<Subscriber>>,
    /// Whether its task runs.
    pub(crate) running: bool,
    /// The position up to which it has offered everything.
    pub(crate) delivered: u64,
    /// How many members belong to it, here or taken along.
    pub(crate) load: usize,
    /// Whether members left while it ran, whose subscribers it may have walked past.
    stale: bool,
}

impl PumpQueue {
    /// Adds a member.
    pub(crate) fn seat(&mut self, subscriber: Arc<Subscriber>) {
        self.load += 1;
        self.arrivals.push(subscriber);
    }

    /// A subscriber does not count any more.
    pub(crate) fn let_go(&mut self, subscriber: &Subscriber) {
        self.load -= usize::from(subscriber.uncount());
    }

    /// Lets go of a member at once, or at the end of its run: a subscriber holds an outlet, and an outlet may hold a socket.
    pub(crate) fn unsubscribe(&mut self, subscriber: &Arc<Subscriber>) {
        self.let_go(subscriber);
        if self.running {
            self.stale = true;
            return;
        }
        for subscribers in [&mut self.arrivals, &mut self.members] {
            if let Some(place) = subscribers.iter().rposition(|seated| Arc::ptr_eq(seated, subscriber)) {
                subscribers.swap_remove(place);
            }
        }
    }

    /// Takes the next work, or notes that the pump rests.
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
        let rest = self.batches.split_off(self.batches.len().min(BATCHES_A_WALK));
        Some(mem::replace(&mut self.batches, rest))
    }
}
