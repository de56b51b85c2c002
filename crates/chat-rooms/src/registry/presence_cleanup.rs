//! The rows of those who left, on their way out of the store.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use chat_log::{Occasional, Passed};
use chat_presence::PresenceStore;
use chat_protocol::MemberId;
use parking_lot::Mutex;

use crate::sync::{Notify, sleep};

/// How long to wait after a failure before the store is asked again.
const RETRY: Duration = Duration::from_millis(500);

/// Stays that have ended, whose rows are still there. There are never more than there were members, and nobody waits for
/// them: a leave never fails because of the store.
#[derive(Debug, Default)]
pub(crate) struct PresenceCleanup {
    ended: Mutex<Vec<MemberId>>,
    /// Rung when there is something in `ended`.
    added: Notify,
    /// Limits the log lines about failures.
    failures: Occasional,
}

impl PresenceCleanup {
    /// Hands over the row of a stay that has ended.
    pub(crate) fn add(&self, id: MemberId) {
        self.ended.lock().push(id);
        self.added.notify_one();
    }

    /// Removes rows as they are handed over, all that have gathered at once, until the task is aborted.
    pub(crate) async fn run(self: Arc<Self>, store: Arc<dyn PresenceStore>) {
        loop {
            self.added.notified().await;
            let ended = mem::take(&mut *self.ended.lock());
            if ended.is_empty() {
                continue;
            }
            if let Err(error) = store.leave(ended.clone()).await {
                if let Some(Passed { suppressed }) = self.failures.pass() {
                    tracing::warn!(%error, rows = ended.len(), suppressed, "rows of members who left could not be removed yet");
                }
                self.ended.lock().extend(ended);
                sleep(RETRY).await;
                self.added.notify_one();
            }
        }
    }
}
