//! Removes messages that are not to be kept any longer, a small step at a time.

use std::sync::Arc;
use std::time::Duration;

use chat_history::{HistoryStore, Retention};
use parking_lot::Mutex;

use crate::runtime::{AbortHandle, Handle, Notify, sleep};

/// How long to rest after a step with more to do, when there is nothing to do, and when the store fails.
const ON: Duration = Duration::from_millis(25);
const AGAIN: Duration = Duration::from_secs(10);
const RETRY: Duration = Duration::from_secs(1);

/// The task that does it; ended when this is dropped.
pub(crate) struct Pruner {
    wanted: Arc<Wanted>,
    task: AbortHandle,
}

#[derive(Default)]
struct Wanted {
    retention: Mutex<Retention>,
    /// Rung when that is another one.
    changed: Notify,
}

impl Pruner {
    pub(crate) fn start(runtime: &Handle, history: Arc<dyn HistoryStore>, retention: Retention) -> Self {
        let wanted = Arc::new(Wanted { retention: Mutex::new(retention), changed: Notify::new() });
        let task = runtime.spawn(prune(history, Arc::clone(&wanted))).abort_handle();
        Self { wanted, task }
    }

    /// Keeps messages for another time from now on.
    pub(crate) fn retain(&self, retention: Retention) {
        *self.wanted.retention.lock() = retention;
        self.wanted.changed.notify_one();
    }
}

impl Drop for Pruner {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn prune(history: Arc<dyn HistoryStore>, wanted: Arc<Wanted>) {
    loop {
        let retention = *wanted.retention.lock();
        if retention.keeps_all() {
            wanted.changed.notified().await;
            continue;
        }
        let rest = match history.prune(retention).await {
            Ok(true) => ON,
            Ok(false) => AGAIN,
            Err(error) => {
                tracing::warn!(%error, "old messages are not removed yet");
                RETRY
            }
        };
        tokio::select! {
            () = wanted.changed.notified() => {}
            () = sleep(rest) => {}
        }
    }
}
