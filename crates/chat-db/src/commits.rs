//! What is measured and logged of transactions.

use std::time::Instant;

use chat_log::{Occasional, Passed};
use metrics::{Counter, Histogram, Unit, counter, describe_counter, describe_histogram, histogram};

use crate::DbError;

/// The metrics of transactions, and the log lines about those that failed.
pub(crate) struct Commits {
    /// The duration of each transaction in seconds.
    durations: Histogram,
    failed: Counter,
    /// Limits the log lines about failures.
    failures: Occasional,
}

impl Commits {
    pub(crate) fn new() -> Self {
        describe_histogram!(
            "chatd_commit_seconds",
            Unit::Seconds,
            "Duration of a database transaction, commit included"
        );
        describe_counter!("chatd_failed_commits_total", "Failed database transactions");
        Self {
            durations: histogram!("chatd_commit_seconds"),
            failed: counter!("chatd_failed_commits_total"),
            failures: Occasional::new(),
        }
    }

    /// Notes a transaction with this many pieces of work, and why it failed.
    pub(crate) fn note(&self, begun: Instant, work: usize, error: Option<&DbError>) {
        self.durations.record(begun.elapsed());
        let Some(error) = error else { return };
        self.failed.increment(1);
        if let Some(Passed { suppressed }) = self.failures.pass() {
            tracing::error!(%error, work, suppressed, "a database transaction failed");
        }
    }
}
