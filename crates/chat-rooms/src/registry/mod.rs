//! What the clones of an engine, its seats and its members share.

pub(crate) mod presence_cleanup;
pub(crate) mod usage;

use std::collections::HashMap;
use std::sync::Arc;

use chat_history::HistoryStore;
use chat_log::Occasional;
use chat_presence::PresenceStore;
use chat_protocol::RoomName;
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use crate::registry::presence_cleanup::PresenceCleanup;
use crate::registry::usage::Usage;
use crate::room::{Room, RoomContext};
use crate::sync::TaskGuard;
use crate::sync::atomic::{AtomicBool, Ordering};

pub(crate) struct Registry {
    pub(crate) store: Arc<dyn PresenceStore>,
    pub(crate) history: Arc<dyn HistoryStore>,
    pub(crate) context: Arc<RoomContext>,
    /// The rooms that somebody is in or coming to. Locked before a room's own lock, never after it.
    pub(crate) rooms: Mutex<HashMap<RoomName, Arc<Room>>>,
    pub(crate) presence_cleanup: Arc<PresenceCleanup>,
    /// The task behind `presence_cleanup`.
    pub(crate) cleanup_task: TaskGuard,
    pub(crate) _pruner_task: TaskGuard,
    /// Limits the log lines about messages that could not be stored.
    pub(crate) unstored: Occasional,
    /// None: nobody asks for it.
    pub(crate) usage: Option<Usage>,
    pub(crate) closing: AtomicBool,
    /// Whether nobody is told any more who leaves.
    pub(crate) quiet: AtomicBool,
    /// A permit for each who may wait for the store to be let in.
    pub(crate) admissions: Arc<Semaphore>,
    /// A permit for each byte that may be on its way to the history store.
    pub(crate) budget: Arc<Semaphore>,
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry").finish_non_exhaustive()
    }
}

impl Registry {
    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    pub(crate) fn suppresses_leave_events(&self) -> bool {
        self.quiet.load(Ordering::Acquire)
    }

    pub(crate) fn room(&self, name: &RoomName) -> Option<Arc<Room>> {
        self.rooms.lock().get(name).cloned()
    }

    /// All of them. Each has a lock of its own, which is not to be waited for under the one of all.
    pub(crate) fn all_rooms(&self) -> Vec<Arc<Room>> {
        self.rooms.lock().values().cloned().collect()
    }

    /// Forgets a room that nobody is in or coming to.
    pub(crate) fn forget_if_empty(&self, room: &Arc<Room>) {
        if !room.is_empty() {
            return;
        }
        let mut rooms = self.rooms.lock();
        if rooms.get(&room.name).is_some_and(|known| Arc::ptr_eq(known, room)) && room.is_empty() {
            rooms.remove(&room.name);
        }
    }
}
