//! The number of messages that each publisher has sent, to check whether each member has received
//! them.

use std::sync::{Mutex, OnceLock, PoisonError};

use crate::plan::{Participant, Plan};

pub(super) struct Totals {
    pending: Mutex<Pending>,
    all: OnceLock<Vec<Vec<u32>>>,
}

struct Pending {
    /// Messages by room and publisher.
    sent: Vec<Vec<u32>>,
    /// The number of threads that have not reported yet.
    threads: usize,
}

impl Totals {
    pub(super) fn new(plan: &Plan) -> Self {
        let sent = vec![vec![0; plan.publishers]; plan.rooms];
        Self { pending: Mutex::new(Pending { sent, threads: plan.threads }), all: OnceLock::new() }
    }

    /// Reports the messages of one thread's publishers. Each thread reports once.
    pub(super) fn report(&self, sent: impl Iterator<Item = (Participant, u32)>) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        for (participant, count) in sent {
            let room = pending.sent.get_mut(participant.room);
            if let Some(total) = room.and_then(|room| room.get_mut(participant.member)) {
                *total = count;
            }
        }
        pending.threads = pending.threads.saturating_sub(1);
        if pending.threads == 0 {
            // only the last thread gets here
            let _ = self.all.set(std::mem::take(&mut pending.sent));
        }
    }

    /// Whether all threads have reported.
    pub(super) fn are_complete(&self) -> bool {
        self.all.get().is_some()
    }

    /// The messages of a room's publishers. Empty until all threads have reported.
    pub(super) fn sent_in(&self, room: usize) -> &[u32] {
        self.all.get().and_then(|all| all.get(room)).map_or(&[], Vec::as_slice)
    }
}
