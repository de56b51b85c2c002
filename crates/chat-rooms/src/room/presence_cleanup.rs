//! Removes the presence rows of members that have left.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use chat_log::{Occasional, Passed};
use chat_presence::PresenceStore;
use chat_protocol::MemberId;
use parking_lot::Mutex;

use crate::sync::{Notify, sleep};

/// How long to wait before the store is asked again after a failure.
const RETRY: Duration = Duration::from_millis(500);

/// The members that have left and whose rows are still in the store. There are never more than
/// there were members. Nobody waits for the removal: leaving never fails because of the store.
#[derive(Debug, Default)]
pub(crate) struct PresenceCleanup {
    ended: Mutex<Vec<MemberId>>,
    /// Notified when `ended` is not empty any more.
    added: Notify,
    /// Limits the rate of log lines about failures.
    failures: Occasional,
}

impl PresenceCleanup {
    /// Queues the removal of the row of a member that has left.
    pub(crate) fn add(&self, id: MemberId) {
        self.ended.lock().push(id);
        self.added.notify_one();
    }

    /// Removes the queued rows, all of them at once, until the task is aborted.
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
