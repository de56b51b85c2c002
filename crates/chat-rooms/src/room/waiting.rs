//! Those who wait for a room: senders for capacity, members for a delivery.
//!
//! Each is woken once what it waits for has happened, and not before: a busy room makes progress
//! far more often than any of them can use.

use std::mem;

use tokio::sync::{SemaphorePermit, futures::Notified, oneshot};

use crate::delivery::audience::SubscriptionId;
use crate::delivery::queue::wait_in;
use crate::room::core::Core;
use crate::room::{Position, Room};

/// Those who can be woken after a step.
#[derive(Debug)]
pub(crate) struct Wakers {
    /// Whether the room accepts messages.
    has_capacity: bool,
    idle: Vec<oneshot::Sender<()>>,
}

impl Room {
    /// Returns whether no sender waits for capacity. A sender that finds another one waiting takes
    /// its [turn](Self::turn) after it.
    pub(crate) fn is_uncontended(&self) -> bool {
        self.senders.available_permits() > 0
    }

    /// Waits until it is this sender's turn to wait for capacity. One sender has the turn, and the
    /// others wait in the order in which they came. Dropping the permit, or the future, passes the
    /// turn on.
    pub(crate) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        // the semaphore is never closed
        self.senders.acquire().await.ok()
    }

    /// Resolves the next time that the room has capacity. For the sender whose turn it is.
    pub(crate) fn capacity(&self) -> Notified<'_> {
        self.capacity.notified()
    }

    /// Whether the room has so much to deliver that senders wait.
    pub(crate) fn is_congested(&self) -> bool {
        self.lock().pending >= self.context.limits.queued_bytes
    }

    /// Called after a step that may have made room for messages, or left the room idle.
    pub(crate) fn progress(&self, core: &mut Core) -> Wakers {
        let has_capacity = core.pending < self.context.limits.queued_bytes && core.policy.is_open();
        let idle = if core.is_idle() { mem::take(&mut core.idle_waiters) } else { Vec::new() };
        Wakers { has_capacity, idle }
    }

    /// Wakes them. Called without the lock.
    pub(crate) fn wake(&self, Wakers { has_capacity, idle }: Wakers) {
        if has_capacity {
            // only the sender whose turn it is waits here
            self.capacity.notify_waiters();
        }
        drop(idle);
    }

    /// Resolves once everything that was accepted or queued has been offered to every member.
    /// `None` if it has.
    pub(crate) fn idle(&self) -> Option<oneshot::Receiver<()>> {
        let mut core = self.lock();
        if core.is_idle() {
            return None;
        }
        Some(wait_in(&mut core.idle_waiters))
    }

    /// Resolves once a session has no message in flight to the store. `None` if it has none.
    pub(crate) fn settled(&self, id: SubscriptionId) -> Option<oneshot::Receiver<()>> {
        let mut core = self.lock();
        let in_flight = core.in_flight.get_mut(&id)?;
        Some(wait_in(&mut in_flight.waiters))
    }

    /// Resolves once the event at this position was offered to a session. `None` if it was, or the
    /// session has no sink any more.
    pub(crate) fn delivery(&self, sent: Position, to: SubscriptionId) -> Option<oneshot::Receiver<()>> {
        let mut core = self.lock();
        let pump = core.subscribers.get(&to)?.pump;
        let pump = &mut core.pumps[pump];
        // the pump passes the position also if the session is gone by then
        (pump.delivered <= sent.position).then(|| pump.wait_for(sent.position))
    }
}
