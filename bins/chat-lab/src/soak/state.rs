//! What all who take part in a soak share.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;

/// What those who take part are to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Speak, come and go.
    Speak,
    /// Be there and hear what is still to come.
    Listen,
    /// Leave.
    Over,
}

/// What has happened so far.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) sent: AtomicU64,
    pub(super) acked: AtomicU64,
    pub(super) delivered: AtomicU64,
    pub(super) delivered_classic: AtomicU64,
    /// Connections of members that broke and were made again.
    pub(super) came_back: AtomicU64,
    /// Pages of the history that were read because more was missed than is handed out to who comes back.
    pub(super) pages: AtomicU64,
    /// How often the server was about to end.
    pub(super) ends: AtomicU64,
    /// Readers that were put out, and came again.
    pub(super) put_out: AtomicU64,
    /// Guests that joined and left.
    pub(super) came_and_went: AtomicU64,
    /// Guests that were not let in, which is right while the server is down or has their name still.
    pub(super) not_let_in: AtomicU64,
    /// What must not happen, and how often it did.
    wrong: Mutex<BTreeMap<String, u64>>,
}

impl Counts {
    /// Counts what must not happen.
    pub(super) fn wrong(&self, what: impl Into<String>) {
        *self.wrong.lock().unwrap_or_else(PoisonError::into_inner).entry(what.into()).or_default() += 1;
    }

    pub(super) fn all_wrong(&self) -> BTreeMap<String, u64> {
        self.wrong.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

pub(super) fn one_more(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}

/// Resolves when the phase is over.
pub(super) async fn end_of(phase: Phase, now: &mut watch::Receiver<Phase>) {
    // an error: nobody leads any more
    let _ = now.wait_for(|now| *now != phase).await;
}
