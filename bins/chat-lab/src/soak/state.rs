//! The phase and the counters that all participants of a soak test share.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;

/// What the participants do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Send, join and leave.
    Publish,
    /// Receive messages in flight.
    Drain,
    /// Disconnect.
    Finished,
}

/// What has happened so far.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) sent: AtomicU64,
    pub(super) acked: AtomicU64,
    pub(super) delivered: AtomicU64,
    pub(super) delivered_classic: AtomicU64,
    /// Sessions of members, the first ones included.
    pub(super) sessions: AtomicU64,
    /// Pages of history that were read because a reconnecting member had missed more than the
    /// server sends with a join.
    pub(super) pages: AtomicU64,
    /// Shutdowns and kills of the server, counted before they happen.
    pub(super) server_ends: AtomicU64,
    /// Slow readers that the server disconnected.
    pub(super) slow_readers_disconnected: AtomicU64,
    /// Rooms that guests joined and left.
    pub(super) guest_visits: AtomicU64,
    /// Guests that were refused. This is correct while the server is down, and while it still
    /// holds the name of the guest's earlier connection.
    pub(super) guests_refused: AtomicU64,
    /// What must not happen, and how often it did.
    violations: Mutex<BTreeMap<String, u64>>,
}

impl Counts {
    /// Counts something that must not happen.
    pub(super) fn violation(&self, what: impl Into<String>) {
        *self.violations.lock().unwrap_or_else(PoisonError::into_inner).entry(what.into()).or_default() += 1;
    }

    pub(super) fn violations(&self) -> BTreeMap<String, u64> {
        self.violations.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

pub(super) fn increment(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}

/// Resolves when the phase is over.
pub(super) async fn end_of(phase: Phase, current: &mut watch::Receiver<Phase>) {
    // an error means that the soak test has ended
    let _ = current.wait_for(|current| *current != phase).await;
}
