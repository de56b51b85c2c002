//! A limit on the total size of many backlogs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use chat_log::{Occasional, Passed};

/// Limits the total memory of the backlogs of all outboxes that share it.
///
/// A buffer that several readers wait for is counted once, for as long as at least one of them
/// waits for it.
///
/// While the limit is exceeded, a reader is disconnected when it is offered an event and its
/// backlog is larger than its share. The share is the limit divided by the number of outboxes with
/// a backlog, so the readers that hold the memory are the ones that are disconnected. While twice
/// the limit is exceeded, every reader that has a backlog is disconnected when it is offered an
/// event. The memory held therefore never exceeds twice the limit, plus the events that are being
/// offered.
#[derive(Debug)]
pub struct BacklogBudget {
    max: usize,
    /// The bytes of the buffers that at least one reader waits for.
    held: AtomicUsize,
    /// The number of outboxes that have a backlog.
    holders: AtomicUsize,
    /// Whether the log already says that the limit is exceeded.
    is_logged: AtomicBool,
    /// Limits the rate of that log line, because readers determine how often the limit is exceeded.
    warnings: Occasional,
}

impl BacklogBudget {
    /// Creates a budget of `max` bytes.
    pub fn new(max: usize) -> Self {
        Self {
            max,
            held: AtomicUsize::new(0),
            holders: AtomicUsize::new(0),
            is_logged: AtomicBool::new(false),
            warnings: Occasional::new(),
        }
    }

    /// Returns the total size of the buffers that at least one reader waits for, in bytes.
    pub fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// Returns whether a reader with a backlog of `waiting` bytes has to be disconnected.
    pub fn is_exceeded_by(&self, waiting: usize) -> bool {
        let held = self.held();
        if held <= self.max {
            return false;
        }
        let share = self.max / self.holders.load(Ordering::Relaxed).max(1);
        // shares that were granted when they were larger can add up to more than the limit: above
        // twice the limit nobody has a share
        let is_over = waiting > share || held > self.max.saturating_mul(2);
        if is_over
            && !self.is_logged.swap(true, Ordering::Relaxed)
            && let Some(Passed { suppressed }) = self.warnings.pass()
        {
            tracing::warn!(
                limit = self.max,
                suppressed,
                "the queues of all slow readers together are over the limit: the readers with the longest ones are disconnected"
            );
        }
        is_over
    }

    /// Counts an outbox whose backlog is no longer empty.
    pub fn add_holder(&self) {
        self.holders.fetch_add(1, Ordering::Relaxed);
    }

    /// Stops counting an outbox whose backlog is empty again, or that was dropped. Each call must
    /// follow one of [`add_holder`](Self::add_holder).
    pub fn remove_holder(&self) {
        self.holders.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Counts the bytes of a buffer in a budget until it is dropped.
#[derive(Debug)]
pub(crate) struct Charge {
    budget: Arc<BacklogBudget>,
    bytes: usize,
}

impl Charge {
    pub(crate) fn new(budget: &Arc<BacklogBudget>, bytes: usize) -> Self {
        budget.held.fetch_add(bytes, Ordering::Relaxed);
        Self { budget: Arc::clone(budget), bytes }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        let before = self.budget.held.fetch_sub(self.bytes, Ordering::Relaxed);
        if before - self.bytes <= self.budget.max / 2 {
            self.budget.is_logged.store(false, Ordering::Relaxed);
        }
    }
}
