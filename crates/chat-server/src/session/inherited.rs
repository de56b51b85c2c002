//! Memberships that a session inherits from an earlier one.

use std::mem;
use std::sync::{Arc, Weak};
use std::time::Duration;

use chat_protocol::RoomName;
use chat_rooms::Membership;
use parking_lot::Mutex;

use crate::context::memberships::Memberships;

/// Detached memberships of a session that was taken over. Those not claimed in time are left; all
/// are left when this is dropped.
#[derive(Debug)]
pub(crate) struct InheritedMemberships {
    seats: Arc<Mutex<Memberships>>,
}

impl InheritedMemberships {
    /// Keeps the memberships for this long.
    pub(crate) fn keep(seats: Memberships, patience: Duration) -> Self {
        let seats = Arc::new(Mutex::new(seats));
        let kept: Weak<_> = Arc::downgrade(&seats);
        tokio::spawn(async move {
            tokio::time::sleep(patience).await;
            if let Some(seats) = kept.upgrade() {
                // dropped, and thereby left, after the lock is released
                let unclaimed = mem::take(&mut *seats.lock());
                drop(unclaimed);
            }
        });
        Self { seats }
    }

    /// Takes the membership in a room, if there is one.
    pub(crate) fn claim(&self, room: &RoomName) -> Option<Arc<Membership>> {
        self.seats.lock().remove(room)
    }

    /// Takes all memberships that were not claimed.
    pub(crate) fn take(self) -> Memberships {
        mem::take(&mut *self.seats.lock())
    }
}
