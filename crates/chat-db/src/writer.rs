//! The one writer: a thread that commits what is waiting at once.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use diesel::SqliteConnection;
use diesel::connection::{AnsiTransactionManager, SimpleConnection, TransactionManager};
use metrics::{Counter, Histogram, Unit, counter, describe_counter, describe_histogram, histogram};

use crate::job::Work;
use crate::{DbError, connection};

/// How much work one transaction takes at most: a bound on how long the first of it waits for the last.
const MOST_IN_A_BATCH: usize = 512;

/// A transaction that has run for this long takes in nothing more, for the same reason.
const LONGEST_BATCH: Duration = Duration::from_millis(10);

/// What has to happen before committed work is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// The end of the process does not lose it, however it ends; a power cut may (`synchronous=NORMAL` under WAL,
    /// <https://sqlite.org/pragma.html#pragma_synchronous>).
    Process,
    /// A power cut does not lose it either: each commit waits for the disk (`synchronous=FULL`).
    Disk,
}

/// The thread's state.
pub(crate) struct Writer {
    /// The file, to open it again after a failure.
    path: PathBuf,
    /// None after a failed transaction, until the file could be opened again.
    connection: Option<SqliteConnection>,
    /// What the connection's commits wait for now.
    durability: Durability,
    /// What stores bring. The other ends are [`Database`](crate::Database)'s clones.
    queue: Receiver<Box<dyn Work>>,
    /// What was taken off the queue and has not run.
    waiting: VecDeque<Box<dyn Work>>,
    /// What the transaction that is open has run.
    ran: Vec<Box<dyn Work>>,
    /// Set when a transaction has found the file damaged.
    is_damaged: Arc<AtomicBool>,
    /// Seconds of each transaction.
    commits: Histogram,
    failed_commits: Counter,
}

impl Writer {
    /// `connection` is one of [`connection::writing`].
    pub(crate) fn new(
        path: PathBuf,
        connection: SqliteConnection,
        queue: Receiver<Box<dyn Work>>,
        is_damaged: Arc<AtomicBool>,
    ) -> Self {
        describe_histogram!(
            "chatd_commit_seconds",
            Unit::Seconds,
            "A transaction of the database, from its beginning until it is on disk"
        );
        describe_counter!("chatd_failed_commits_total", "Transactions of the database that failed");
        Self {
            path,
            connection: Some(connection),
            durability: connection::DURABILITY,
            queue,
            waiting: VecDeque::new(),
            ran: Vec::new(),
            is_damaged,
            commits: histogram!("chatd_commit_seconds"),
            failed_commits: counter!("chatd_failed_commits_total"),
        }
    }

    /// Works until the queue is closed and empty. Gives the connection, unless the last transaction on it failed.
    pub(crate) fn run(mut self) -> Option<SqliteConnection> {
        while self.gather() {
            let begun = Instant::now();
            let span = tracing::trace_span!("commit", work = self.waiting.len());
            let committed = span.in_scope(|| self.commit());
            drop(span);
            self.commits.record(begun.elapsed());
            if let Err(error) = &committed {
                self.failed_commits.increment(1);
                tracing::error!(%error, work = self.ran.len() + self.waiting.len(), "a transaction failed");
                if matches!(error, DbError::Damaged(_)) {
                    self.is_damaged.store(true, Ordering::Relaxed);
                }
                // what the file holds now is not known here: a new connection reads it afresh
                self.connection = None;
                // a file that fails would otherwise be tried, and waited for, once for each
                self.ran.extend(self.waiting.drain(..));
            }
            for work in self.ran.drain(..) {
                work.finish(committed.clone());
            }
        }
        self.connection
    }

    /// Waits for work and takes what there is. False: there is none, and there will be none.
    fn gather(&mut self) -> bool {
        if self.waiting.is_empty() {
            let Ok(first) = self.queue.recv() else { return false };
            self.waiting.push_back(first);
        }
        while self.waiting.len() < MOST_IN_A_BATCH
            && let Ok(next) = self.queue.try_recv()
        {
            self.waiting.push_back(next);
        }
        true
    }

    /// Runs work, from the one that waits for longest, in one transaction.
    fn commit(&mut self) -> Result<(), DbError> {
        let begun = Instant::now();
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => {
                self.durability = connection::DURABILITY;
                none.insert(connection::writing(&self.path).map_err(|error| DbError::failure(&error))?)
            }
        };
        let needs_disk = self.waiting.iter().any(|work| work.durability() == Durability::Disk);
        let needed = if needs_disk { Durability::Disk } else { Durability::Process };
        if self.durability != needed {
            // inside a transaction it would have no effect
            connection
                .batch_execute(connection::synchronous(needed))
                .map_err(|error| DbError::failure(&error))?;
            self.durability = needed;
        }
        AnsiTransactionManager::begin_transaction_sql(connection, "BEGIN IMMEDIATE")
            .map_err(|error| DbError::failure(&error))?;
        while let Some(mut work) = self.waiting.pop_front() {
            // the unwinding leaves the transaction open; the connection it is open on is given up with it
            let outcome = catch_unwind(AssertUnwindSafe(|| work.run(connection)));
            self.ran.push(work);
            outcome.map_err(|_| DbError::Unavailable("work on it panicked".into()))??;
            if begun.elapsed() > LONGEST_BATCH {
                break;
            }
        }
        AnsiTransactionManager::commit_transaction(connection).map_err(|error| DbError::failure(&error))
    }
}
