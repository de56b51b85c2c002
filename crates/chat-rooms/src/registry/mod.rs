//! The state that the clones of an engine share with its admissions and its members.

pub(crate) mod usage;

use std::collections::HashMap;
use std::sync::Arc;

use chat_log::Occasional;
use chat_protocol::{Message, RoomName};
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use crate::registry::usage::Usage;
use crate::room::{Room, RoomContext};
use crate::sync::TaskGuard;
use crate::sync::atomic::{AtomicBool, Ordering};

/// Learns of messages as they are stored, whoever is in their rooms. Set it with
/// [`EngineBuilder::observer`](crate::EngineBuilder::observer).
pub trait MessageObserver: Send + Sync + 'static {
    /// Called once for each message, before its room delivers it. The messages of one room come in
    /// the order of their numbers. A message whose append seemed to fail is left out.
    ///
    /// The thread that stores messages calls it: it must not block, and must not call into the
    /// engine.
    fn stored(&self, message: &Arc<Message>);

    /// Called once for each event that has changed the text of messages of this room, or deleted
    /// them, under the same conditions. The default implementation does nothing.
    fn changed(&self, room: &RoomName) {
        let _ = room;
    }
}

pub(crate) struct Registry {
    pub(crate) context: Arc<RoomContext>,
    /// The rooms that have members, pending joins or messages in flight. Never locked together with
    /// a room: a busy room must not delay the others.
    pub(crate) rooms: Mutex<HashMap<RoomName, Arc<Room>>>,
    /// The task that removes the rows of members that have left.
    pub(crate) cleanup_task: TaskGuard,
    pub(crate) _pruner_task: TaskGuard,
    pub(crate) _cluster_tasks: Vec<TaskGuard>,
    /// Limits the rate of log lines about messages that could not be stored.
    pub(crate) append_failures: Occasional,
    /// `None` if usage is not counted.
    pub(crate) usage: Option<Usage>,
    pub(crate) observer: Option<Box<dyn MessageObserver>>,
    pub(crate) closing: AtomicBool,
    /// Whether leave events are suppressed.
    pub(crate) leave_events_suppressed: AtomicBool,
    /// One permit for each join that may wait for the presence store.
    pub(crate) admissions: Arc<Semaphore>,
    /// One permit for each byte that may be in flight to the history store.
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
        self.leave_events_suppressed.load(Ordering::Acquire)
    }

    pub(crate) fn room(&self, name: &RoomName) -> Option<Arc<Room>> {
        self.rooms.lock().get(name).cloned()
    }

    /// Returns all rooms. Each has a lock of its own, which must not be waited for while the lock
    /// of all rooms is held.
    pub(crate) fn all_rooms(&self) -> Vec<Arc<Room>> {
        self.rooms.lock().values().cloned().collect()
    }

    /// Returns a room, which is created if necessary. It may be retired by the time that it is
    /// used: then [`forget`](Self::forget) it, and try again.
    pub(crate) fn open_room(&self, name: &RoomName) -> Arc<Room> {
        let mut rooms = self.rooms.lock();
        let room = rooms.entry(name.clone());
        Arc::clone(room.or_insert_with(|| Room::new(name.clone(), Arc::clone(&self.context))))
    }

    /// Removes a room that has no members, pending joins or messages in flight.
    ///
    /// It is retired first, under its own lock: a client that finds it here nevertheless opens a
    /// new one.
    pub(crate) fn remove_if_empty(&self, room: &Arc<Room>) {
        if room.retire() {
            self.forget(room);
        }
    }

    /// Removes a retired room, unless a new one has taken its place.
    pub(crate) fn forget(&self, room: &Arc<Room>) {
        let mut rooms = self.rooms.lock();
        if rooms.get(&room.name).is_some_and(|known| Arc::ptr_eq(known, room)) {
            rooms.remove(&room.name);
            if let Some(publisher) = &self.context.publisher {
                // under the lock: a new room of this name listens after this
                publisher.unlisten(&room.name);
            }
        }
    }
}
