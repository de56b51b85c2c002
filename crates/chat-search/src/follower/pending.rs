//! What the follower was notified of and has not taken yet.

use std::collections::HashSet;

use chat_history::Retention;
use chat_protocol::RoomName;
use parking_lot::Mutex;
use tokio::sync::Notify;

/// The maximum number of rooms. If there would be more, all rooms are checked instead.
const MAX_ROOMS: usize = 16_384;

#[derive(Debug)]
pub(super) struct Pending {
    state: Mutex<State>,
    wake: Notify,
}

#[derive(Debug, Default)]
struct State {
    rooms: HashSet<RoomName>,
    /// Whether all rooms are checked.
    all: bool,
    /// Counts the notifications. The start is the first one.
    notified: u64,
    retention: Retention,
}

/// What was taken.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) rooms: HashSet<RoomName>,
    pub(super) all: bool,
    /// The number of notifications so far.
    pub(super) notified: u64,
}

impl Pending {
    pub(super) fn new(retention: Retention) -> Self {
        let state = State { retention, notified: 1, ..State::default() };
        Self { state: Mutex::new(state), wake: Notify::new() }
    }

    pub(super) fn notify(&self, room: &RoomName) {
        let mut state = self.state.lock();
        state.notified += 1;
        if !state.rooms.contains(room) {
            if state.rooms.len() < MAX_ROOMS {
                state.rooms.insert(room.clone());
            } else {
                state.all = true;
            }
        }
        drop(state);
        self.wake.notify_one();
    }

    pub(super) fn notify_all(&self) {
        let mut state = self.state.lock();
        state.notified += 1;
        state.all = true;
        drop(state);
        self.wake.notify_one();
    }

    pub(super) fn set_retention(&self, retention: Retention) {
        self.state.lock().retention = retention;
        self.notify_all();
    }

    pub(super) fn retention(&self) -> Retention {
        self.state.lock().retention
    }

    /// The number of notifications so far.
    pub(super) fn notified(&self) -> u64 {
        self.state.lock().notified
    }

    /// Waits for a notification. It may have been taken already.
    pub(super) async fn wait(&self) {
        self.wake.notified().await;
    }

    pub(super) fn take(&self) -> Work {
        let mut state = self.state.lock();
        let (rooms, all) = (std::mem::take(&mut state.rooms), std::mem::take(&mut state.all));
        Work { rooms, all, notified: state.notified }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_is_pending_once_and_rooms_are_limited() {
        let pending = Pending::new(Retention::default());
        let room = |i: usize| RoomName::parse(&format!("r{i}")).unwrap();
        (0..3).for_each(|_| pending.notify(&room(0)));
        let Work { rooms, all, notified } = pending.take();
        assert_eq!((rooms.len(), all, notified), (1, false, 4));
        (0..=MAX_ROOMS).for_each(|i| pending.notify(&room(i)));
        let Work { rooms, all, .. } = pending.take();
        assert_eq!((rooms.len(), all), (MAX_ROOMS, true));
        assert!(pending.take().rooms.is_empty());
    }
}
