//! Removes messages that are not to be kept any longer, from the store a small step at a time, and from memory.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use chat_history::HistoryStore;
use chat_log::{Occasional, Passed};
use chat_protocol::RoomName;

use crate::retained::Retained;
use crate::runtime::{AbortHandle, Handle, Instant, sleep};
use crate::shared::Shared;

/// How long to rest after a step with more to do, when there is nothing to do, and when the store fails.
const ON: Duration = Duration::from_millis(25);
const AGAIN: Duration = Duration::from_secs(5);
const RETRY: Duration = Duration::from_secs(1);

/// How often memory is looked through while the store has more to do.
const SWEEP: Duration = Duration::from_secs(1);

/// The task that does it; ended when this is dropped.
pub(crate) struct Pruner {
    task: AbortHandle,
}

impl Pruner {
    /// `rooms` are those of the engine, as soon as it runs.
    pub(crate) fn start(
        runtime: &Handle,
        history: Arc<dyn HistoryStore>,
        retained: Arc<Retained>,
        rooms: Weak<Shared>,
    ) -> Self {
        Self { task: runtime.spawn(prune(history, retained, rooms)).abort_handle() }
    }
}

impl Drop for Pruner {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn prune(history: Arc<dyn HistoryStore>, retained: Arc<Retained>, rooms: Weak<Shared>) {
    let failures = Occasional::new();
    let mut swept: Option<Instant> = None;
    loop {
        if swept.is_none_or(|at| at.elapsed() >= SWEEP) {
            if let Some(rooms) = rooms.upgrade() {
                sweep(&rooms, &retained);
            }
            swept = Some(Instant::now());
        }
        let retention = retained.retention();
        if retention.is_unlimited() {
            retained.changed.notified().await;
            swept = None;
            continue;
        }
        let rest = match history.prune(retention).await {
            Ok(true) => ON,
            Ok(false) => AGAIN,
            Err(error) => {
                if let Some(Passed { suppressed }) = failures.pass() {
                    tracing::warn!(%error, suppressed, "old messages could not be removed yet");
                }
                RETRY
            }
        };
        tokio::select! {
            () = retained.changed.notified() => swept = None,
            () = sleep(rest) => {}
        }
    }
}

/// Takes what is not kept, or was erased, out of the rooms' tails and out of what encodings keep.
fn sweep(rooms: &Shared, retained: &Retained) {
    let (kept, erased) = (retained.now(), retained.take_erased());
    if kept.is_none() && erased.is_empty() {
        return;
    }
    let newest: HashMap<_, _> =
        rooms.all_rooms().into_iter().map(|room| (room.name.clone(), room.retain(kept))).collect();
    rooms.context.encodings.forget(&|room: &RoomName, seq, sent_at| {
        // a room that nobody is in may have had newer messages
        let newest = newest.get(room).copied().unwrap_or(u64::MAX);
        erased.contains(room, seq) || kept.is_some_and(|kept| !kept.keeps(seq, sent_at, newest))
    });
}
