//! What may wait in many outboxes together.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use chat_log::{Occasional, Passed};

/// Bounds the memory of what waits in all outboxes that share it. What many wait for is one buffer, and is counted once, for as long as
/// one of them waits.
///
/// Over the bound, a reader for whom more waits than its share (the bound, divided by those for whom something waits) is put out
/// when it is offered something more. So it is those who hold the memory that pay for it. Over twice the bound everybody goes for whom
/// anything waits when something more is offered, so it is never held for more than that and what is just being offered.
#[derive(Debug)]
pub struct BacklogBudget {
    max: usize,
    /// The bytes of the buffers that somebody waits for.
    held: AtomicUsize,
    /// The outboxes in which something waits.
    holders: AtomicUsize,
    /// Whether the log says already that there was too much.
    is_logged: AtomicBool,
    /// Limits that line: readers choose how often there is too much.
    lines: Occasional,
}

impl BacklogBudget {
    /// A budget of so many bytes.
    pub fn new(max: usize) -> Self {
        Self {
            max,
            held: AtomicUsize::new(0),
            holders: AtomicUsize::new(0),
            is_logged: AtomicBool::new(false),
            lines: Occasional::new(),
        }
    }

    /// The bytes of the buffers that somebody waits for.
    pub fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// Whether a reader with a backlog of `waiting` bytes has to be disconnected.
    pub fn is_exceeded_by(&self, waiting: usize) -> bool {
        let held = self.held();
        if held <= self.max {
            return false;
        }
        let share = self.max / self.holders.load(Ordering::Relaxed).max(1);
        // shares that were granted when they were larger can add up to more: at twice the bound there is none left
        let is_out = waiting > share || held > self.max.saturating_mul(2);
        if is_out
            && !self.is_logged.swap(true, Ordering::Relaxed)
            && let Some(Passed { suppressed }) = self.lines.pass()
        {
            tracing::warn!(
                limit = self.max,
                suppressed,
                "the queues of all slow readers together are over the limit: the readers with the longest ones are disconnected"
            );
        }
        is_out
    }

    /// Counts a queue that is no longer empty.
    pub fn add_holder(&self) {
        self.holders.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a queue out that is empty again, or dropped. Each call follows one of [`add_holder`](Self::add_holder).
    pub fn remove_holder(&self) {
        self.holders.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A buffer's bytes in a budget, until it is dropped.
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
