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
    memberships: Arc<Mutex<Memberships>>,
}

impl InheritedMemberships {
    /// Keeps the memberships for this long.
    pub(crate) fn keep(memberships: Memberships, timeout: Duration) -> Self {
        let memberships = Arc::new(Mutex::new(memberships));
        let kept: Weak<_> = Arc::downgrade(&memberships);
        tokio::spawn(async move {
            tokio::time::sleep(timeout).await;
            if let Some(memberships) = kept.upgrade() {
                // dropped, and thereby left, after the lock is released
                let unclaimed = mem::take(&mut *memberships.lock());
                drop(unclaimed);
            }
        });
        Self { memberships }
    }

    /// Takes the membership in a room, if there is one.
    pub(crate) fn claim(&self, room: &RoomName) -> Option<Arc<Membership>> {
        self.memberships.lock().remove(room)
    }

    /// Takes all memberships that were not claimed.
    pub(crate) fn take(self) -> Memberships {
        mem::take(&mut *self.memberships.lock())
    }
}
