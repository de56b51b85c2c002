//! One chat on several nodes: what other nodes publish, and what the backplane has lost.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use chat_backplane::{Backplane, Incoming, Receiver, Topic};
use chat_history::RoomVersion;
use chat_protocol::{Member, RoomName};
use rand::RngExt;

use crate::registry::Registry;
use crate::room::Room;
use crate::room::publisher::{self, Heard};
use crate::sync::{Handle, Instant, Notify, TaskGuard, timeout};

/// How often the rooms of this node are compared with the store, while the backplane is connected
/// and while it is not.
const POLL_INTERVAL: Duration = Duration::from_secs(10);
const POLL_INTERVAL_WITHOUT_BACKPLANE: Duration = Duration::from_secs(1);

/// How many rooms are compared at once.
const ROOMS_AT_ONCE: usize = 2_000;

/// Starts the tasks of a node of a cluster.
pub(super) fn start(
    runtime: &Handle,
    backplane: Arc<dyn Backplane>,
    receiver: Receiver,
    shared: Weak<Registry>,
) -> [TaskGuard; 2] {
    let poll_now = Arc::new(Notify::new());
    let listener = runtime.spawn(listen(receiver, shared.clone(), Arc::clone(&poll_now)));
    let poller = runtime.spawn(poll_regularly(backplane, shared, poll_now));
    [TaskGuard::new(listener.abort_handle()), TaskGuard::new(poller.abort_handle())]
}

/// Hands what other nodes publish to the rooms.
async fn listen(mut receiver: Receiver, shared: Weak<Registry>, poll_now: Arc<Notify>) {
    while let Some(incoming) = receiver.recv().await {
        let Some(shared) = shared.upgrade() else { return };
        match incoming {
            Incoming::Message { topic: Topic::Room(room), message } => on_message(&shared, &room, &message),
            // anything may have been lost, or will be from now on
            Incoming::Connected | Incoming::Disconnected | Incoming::Missed { .. } => poll_now.notify_one(),
            _ => {}
        }
    }
}

fn on_message(shared: &Arc<Registry>, name: &RoomName, message: &[u8]) {
    let Some(room) = shared.room(name) else { return };
    match publisher::read(name, message) {
        Some(Heard::Events(epoch, events)) if epoch == shared.context.history.epoch() => room.hear(events),
        Some(Heard::Policy(change)) if room.is_loaded() => room.hear_policy(change),
        Some(Heard::Presence(changes)) => room.hear_presence(changes),
        _ => {}
    }
}

/// Compares the rooms of this node with the store again and again.
async fn poll_regularly(backplane: Arc<dyn Backplane>, shared: Weak<Registry>, poll_now: Arc<Notify>) {
    loop {
        let interval = if backplane.is_connected() { POLL_INTERVAL } else { POLL_INTERVAL_WITHOUT_BACKPLANE };
        // not all nodes at the same time
        let interval = interval.mul_f64(rand::rng().random_range(0.8..1.0));
        let _ = timeout(interval, poll_now.notified()).await;
        let Some(shared) = shared.upgrade() else { return };
        poll(&shared).await;
    }
}

async fn poll(shared: &Arc<Registry>) {
    let rooms = shared.all_rooms();
    for rooms in rooms.chunks(ROOMS_AT_ONCE) {
        let known: Vec<_> = rooms.iter().filter_map(|room| room.version()).collect();
        if known.is_empty() {
            continue;
        }
        let names = known.iter().map(|known| known.room.clone()).collect();
        compare_presence(shared, rooms, names).await;
        match shared.context.history.newer(known).await {
            Ok(newer) => newer.iter().for_each(|state| on_newer(shared, state)),
            // the next poll comes soon
            Err(error) => tracing::warn!(%error, "the rooms could not be compared with the store"),
        }
    }
}

/// Compares who is in these rooms on other nodes with the presence store.
async fn compare_presence(shared: &Arc<Registry>, rooms: &[Arc<Room>], names: Vec<RoomName>) {
    let began = Instant::now();
    let records = match shared.context.presence.elsewhere(names).await {
        Ok(records) => records,
        Err(error) => {
            tracing::warn!(%error, "who is on other nodes could not be read");
            return;
        }
    };
    let mut by_room = HashMap::<RoomName, Vec<Arc<Member>>>::new();
    for record in records {
        by_room.entry(record.room.clone()).or_default().push(Arc::new(record));
    }
    for room in rooms.iter().filter(|room| room.is_loaded()) {
        room.compare_presence(by_room.remove(&room.name).unwrap_or_default(), began);
    }
}

/// The store has events, or a policy, that a room does not have.
fn on_newer(shared: &Arc<Registry>, state: &RoomVersion) {
    let Some(room) = shared.room(&state.room).filter(|room| room.is_loaded()) else { return };
    room.hear_of(state.newest);
    room.read_policy_later(state.policy, None);
}
