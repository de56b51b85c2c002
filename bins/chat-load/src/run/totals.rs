//! What every publisher has sent in all, so that each member can be asked whether it has heard it.

use std::sync::{Mutex, OnceLock, PoisonError};

use crate::plan::{Plan, Seat};

pub(super) struct Totals {
    /// By room and publisher, and how many threads have still to tell theirs.
    gathered: Mutex<(Vec<Vec<u32>>, usize)>,
    all: OnceLock<Vec<Vec<u32>>>,
}

impl Totals {
    pub(super) fn new(plan: &Plan) -> Self {
        let none = vec![vec![0; plan.publishers]; plan.rooms];
        Self { gathered: Mutex::new((none, plan.threads)), all: OnceLock::new() }
    }

    /// One thread's publishers have sent so many each.
    pub(super) fn tell(&self, sent: impl Iterator<Item = (Seat, u32)>) {
        let mut gathered = self.gathered.lock().unwrap_or_else(PoisonError::into_inner);
        for (seat, count) in sent {
            if let Some(total) = gathered.0.get_mut(seat.room).and_then(|room| room.get_mut(seat.member)) {
                *total = count;
            }
        }
        gathered.1 = gathered.1.saturating_sub(1);
        if gathered.1 == 0 {
            // told once, by the last
            let _ = self.all.set(std::mem::take(&mut gathered.0));
        }
    }

    pub(super) fn are_told(&self) -> bool {
        self.all.get().is_some()
    }

    /// What the publishers of a room have sent; nothing while not all have told.
    pub(super) fn of(&self, room: usize) -> &[u32] {
        self.all.get().and_then(|all| all.get(room)).map_or(&[], Vec::as_slice)
    }
}
