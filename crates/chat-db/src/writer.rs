//! The one writer: a thread that commits what is waiting at once.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use chat_log::{Occasional, Passed};
use diesel::SqliteConnection;
use diesel::connection::{AnsiTransactionManager, SimpleConnection, TransactionManager};
use metrics::{Counter, Histogram, Unit, counter, describe_counter, describe_histogram, histogram};

use crate::job::Work;
use crate::lock::ProcessLock;
use crate::watch::{Misplaced, Watch};
use crate::{DbError, connection, generation};

/// How much work one transaction takes at most: a bound on how long the first of it waits for the last.
const MOST_IN_A_BATCH: usize = 512;

/// A transaction that has run for this long takes in nothing more, for the same reason.
const LONGEST_BATCH: Duration = Duration::from_millis(10);

/// How often the files are looked at while there is nothing to write.
const LOOK_IDLE: Duration = Duration::from_secs(2);

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
    /// `None` after a failed transaction, until the file could be opened again.
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
    lock: ProcessLock,
    watch: Watch,
    /// Why nothing is written, while the file is not in its place.
    misplaced: Option<Misplaced>,
    /// Limits the log lines about failures.
    failures: Occasional,
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
        (lock, mut watch): (ProcessLock, Watch),
    ) -> Self {
        watch.note_log();
        describe_histogram!(
            "chatd_commit_seconds",
            Unit::Seconds,
            "Duration of a database transaction, commit included"
        );
        describe_counter!("chatd_failed_commits_total", "Failed database transactions");
        Self {
            path,
            connection: Some(connection),
            durability: connection::DURABILITY,
            queue,
            waiting: VecDeque::new(),
            ran: Vec::new(),
            is_damaged,
            lock,
            watch,
            misplaced: None,
            failures: Occasional::new(),
            commits: histogram!("chatd_commit_seconds"),
            failed_commits: counter!("chatd_failed_commits_total"),
        }
    }

    /// Works until the queue is closed and empty, and seals the database then.
    pub(crate) fn run(mut self) {
        while self.gather() {
            let begun = Instant::now();
            if let Err(misplaced) = self.look(begun) {
                // the connection is kept: what it has written is all there if the file comes back
                for work in self.waiting.drain(..) {
                    work.finish(Err(misplaced.into()));
                }
                continue;
            }
            let span = tracing::trace_span!("commit", work = self.waiting.len());
            let committed = span.in_scope(|| self.commit());
            drop(span);
            self.commits.record(begun.elapsed());
            if let Err(error) = &committed {
                self.failed_commits.increment(1);
                if let Some(Passed { suppressed }) = self.failures.pass() {
                    let work = self.ran.len() + self.waiting.len();
                    tracing::error!(%error, work, suppressed, "a database transaction failed");
                }
                if matches!(error, DbError::Damaged(_)) {
                    self.is_damaged.store(true, Ordering::Relaxed);
                }
                // what the file holds now is not known here: a new connection reads it afresh
                self.connection = None;
                self.watch.forget_log();
                // a file that fails would otherwise be tried, and waited for, once for each
                self.ran.extend(self.waiting.drain(..));
            }
            for work in self.ran.drain(..) {
                work.finish(committed.clone());
            }
        }
        self.end();
    }

    /// Seals the database, so that an older state which is put back later is noticed, and lets go of it.
    fn end(mut self) {
        // a file that is elsewhere keeps its broken seal
        if self.look(Instant::now()).is_ok()
            && let Some(connection) = &mut self.connection
            && let Err(error) = generation::renew(connection, &self.lock)
        {
            tracing::debug!(%error, "the database could not be sealed at its end");
        }
        drop(self.connection);
        // given up last: a process that opens the file next finds everything written
        drop(self.lock);
    }

    /// Whether the files are where the next start finds them. While they are not, nothing that is written is safe, and nothing is written.
    fn look(&mut self, now: Instant) -> Result<(), Misplaced> {
        let found = self.watch.look(now);
        match (found, self.misplaced) {
            (Err(misplaced), before) if before != Some(misplaced) => self.lost(misplaced),
            (Ok(()), Some(_)) => return self.is_back(),
            _ => {}
        }
        found
    }

    fn lost(&mut self, misplaced: Misplaced) {
        tracing::error!(error = %misplaced, "nothing is stored any more");
        self.misplaced = Some(misplaced);
        // whatever the next start finds, it is not the state in which clients know it
        if let Err(error) = self.lock.set_note("") {
            tracing::warn!(%error, "the database's seal could not be broken");
        }
        if misplaced == Misplaced::Log
            && let Some(connection) = &mut self.connection
        {
            // what is in the log alone goes into the file, which is in its place
            if let Err(error) = connection.batch_execute("PRAGMA wal_checkpoint(TRUNCATE)") {
                tracing::error!(%error, "the newest messages could not be saved from the removed write-ahead log");
            }
        }
    }

    /// The same files are in their places again, and so is everything that was stored.
    fn is_back(&mut self) -> Result<(), Misplaced> {
        if let Some(connection) = &mut self.connection
            && let Err(error) = generation::renew(connection, &self.lock)
        {
            tracing::warn!(%error, "the database could not be sealed; the next start begins a new epoch");
        }
        // sealing has left it at that
        self.durability = connection::DURABILITY;
        self.misplaced = None;
        tracing::info!("the database file is back; messages are stored again");
        Ok(())
    }

    /// Waits for work and takes what there is. False: there is none, and there will be none.
    fn gather(&mut self) -> bool {
        while self.waiting.is_empty() {
            match self.queue.recv_timeout(LOOK_IDLE) {
                Ok(first) => self.waiting.push_back(first),
                Err(RecvTimeoutError::Timeout) => {
                    // nobody waits for the outcome; it is logged, and counted
                    let _ = self.look(Instant::now());
                }
                Err(RecvTimeoutError::Disconnected) => return false,
            }
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
                let connection = connection::writing(&self.path).map_err(|error| DbError::failure(&error))?;
                self.watch.note_log();
                // the file that was opened is the one that is locked
                self.watch.look_now(begun)?;
                none.insert(connection)
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
