//! Removes expired messages, from memory and, in small steps, from the store.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use chat_history::HistoryStore;
use chat_log::{Occasional, Passed};
use chat_protocol::RoomName;

use crate::registry::Registry;
use crate::room::retention::RetentionRules;
use crate::sync::{Handle, Instant, TaskGuard, sleep};

/// How long to pause after a step if there is more to do, if there is nothing to do, and if the
/// store fails.
const STEP_PAUSE: Duration = Duration::from_millis(25);
const IDLE_PAUSE: Duration = Duration::from_secs(5);
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// How often memory is searched while the store has more to do.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// Starts the task. `rooms` are those of the engine, available once it runs.
pub(crate) fn start(
    runtime: &Handle,
    history: Arc<dyn HistoryStore>,
    rules: Arc<RetentionRules>,
    rooms: Weak<Registry>,
) -> TaskGuard {
    TaskGuard::new(runtime.spawn(prune(history, rules, rooms)).abort_handle())
}

async fn prune(history: Arc<dyn HistoryStore>, rules: Arc<RetentionRules>, rooms: Weak<Registry>) {
    let failures = Occasional::new();
    let mut swept: Option<Instant> = None;
    loop {
        if swept.is_none_or(|at| at.elapsed() >= SWEEP_INTERVAL) {
            if let Some(rooms) = rooms.upgrade() {
                sweep(&rooms, &rules);
            }
            swept = Some(Instant::now());
        }
        let retention = rules.retention();
        if retention.is_unlimited() {
            rules.changed.notified().await;
            swept = None;
            continue;
        }
        let pause = match history.prune(retention).await {
            Ok(true) => STEP_PAUSE,
            Ok(false) => IDLE_PAUSE,
            Err(error) => {
                if let Some(Passed { suppressed }) = failures.pass() {
                    tracing::warn!(%error, suppressed, "old messages could not be removed yet");
                }
                RETRY_PAUSE
            }
        };
        tokio::select! {
            () = rules.changed.notified() => swept = None,
            () = sleep(pause) => {}
        }
    }
}

/// Removes expired messages from the tails of the rooms, and expired and deleted ones from the
/// caches of the encodings.
fn sweep(rooms: &Registry, rules: &RetentionRules) {
    let (cutoff, deleted) = (rules.cutoff(), rules.take_deleted());
    if cutoff.is_none() && deleted.is_empty() {
        return;
    }
    let newest: HashMap<_, _> =
        rooms.all_rooms().into_iter().map(|room| (room.name.clone(), room.retain(cutoff))).collect();
    rooms.context.encodings.redact(&|room: &RoomName, seq, sent_at| {
        // a room that is not in memory may have had newer events
        let newest = newest.get(room).copied().unwrap_or(u64::MAX);
        deleted.contains(room, seq) || cutoff.is_some_and(|cutoff| !cutoff.may_keep(seq, sent_at, newest))
    });
}
