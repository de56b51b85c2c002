//! The rooms of a session that another session of the same user replaces.

use std::mem;
use std::sync::{Arc, Weak};
use std::time::Duration;

use chat_protocol::RoomName;
use parking_lot::Mutex;

use crate::context::memberships::Memberships;

/// The detached memberships of a replaced session. Each keeps the user present in its room until
/// the new session has joined it, or the time is over. All are dropped with this.
#[derive(Debug)]
pub(crate) struct ReplacedRooms {
    memberships: Arc<Mutex<Memberships>>,
}

impl ReplacedRooms {
    /// Keeps the memberships for this long.
    pub(crate) fn keep(memberships: Memberships, timeout: Duration) -> Self {
        let memberships = Arc::new(Mutex::new(memberships));
        let kept: Weak<_> = Arc::downgrade(&memberships);
        tokio::spawn(async move {
            tokio::time::sleep(timeout).await;
            if let Some(memberships) = kept.upgrade() {
                // dropped, and thereby left, after the lock is released
                let rest = mem::take(&mut *memberships.lock());
                drop(rest);
            }
        });
        Self { memberships }
    }

    /// Whether the replaced session is still in a room.
    pub(crate) fn contains(&self, room: &RoomName) -> bool {
        self.memberships.lock().get(room).is_some()
    }

    /// Leaves a room, which the new session has joined.
    pub(crate) fn leave(&self, room: &RoomName) {
        // dropped after the lock is released
        let membership = self.memberships.lock().remove(room);
        drop(membership);
    }

    /// Takes the memberships that are left.
    pub(crate) fn take(self) -> Memberships {
        mem::take(&mut *self.memberships.lock())
    }
}
