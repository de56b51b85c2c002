//! The single writer: a thread that commits all queued work at once (group commit).

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use diesel::SqliteConnection;
use diesel::connection::{AnsiTransactionManager, SimpleConnection, TransactionManager};

use super::lock::ProcessLock;
use super::watch::{Misplaced, Watch};
use super::{connection, generation};
use crate::commits::Commits;
use crate::worker::Piece;
use crate::{DbError, SyncMode};

/// The maximum number of jobs in one transaction. It bounds how long the first job waits for the
/// last.
const MAX_BATCH: usize = 512;

/// A transaction that has run for this long accepts no more jobs, for the same reason.
const MAX_BATCH_DURATION: Duration = Duration::from_millis(10);

/// How often the files are checked while there is nothing to write.
const IDLE_CHECK_INTERVAL: Duration = Duration::from_secs(2);

/// The state of the writer thread.
pub(crate) struct Writer {
    /// The path of the file, for opening it again after a failure.
    path: PathBuf,
    /// `None` after a failed transaction, until the file was opened again.
    connection: Option<SqliteConnection>,
    /// The current sync mode of the connection.
    sync_mode: SyncMode,
    /// Jobs that were taken off the queue and have not run.
    waiting: VecDeque<Piece<SqliteConnection>>,
    /// Jobs that have run in the open transaction.
    ran: Vec<Piece<SqliteConnection>>,
    /// Set when a transaction has found the file damaged.
    is_damaged: Arc<AtomicBool>,
    lock: ProcessLock,
    watch: Watch,
    /// Why nothing is written, while the file is not in place.
    misplaced: Option<Misplaced>,
    commits: Commits,
}

impl Writer {
    /// `connection` is one of [`connection::writing`].
    pub(crate) fn new(
        path: PathBuf,
        connection: SqliteConnection,
        is_damaged: Arc<AtomicBool>,
        (lock, mut watch): (ProcessLock, Watch),
    ) -> Self {
        watch.set_log();
        Self {
            path,
            connection: Some(connection),
            sync_mode: SyncMode::INITIAL,
            waiting: VecDeque::new(),
            ran: Vec::new(),
            is_damaged,
            lock,
            watch,
            misplaced: None,
            commits: Commits::new(),
        }
    }

    /// Works until the queue is closed and empty, then renews the generation marker.
    pub(crate) fn run(mut self, queue: &Receiver<Piece<SqliteConnection>>) {
        while self.collect(queue) {
            let begun = Instant::now();
            if let Err(misplaced) = self.check_files(begun) {
                // the connection is kept: if the file comes back, all its writes are there
                for work in self.waiting.drain(..) {
                    work.finish(Err(misplaced.into()));
                }
                continue;
            }
            let span = tracing::trace_span!("commit", work = self.waiting.len());
            let committed = span.in_scope(|| self.commit());
            drop(span);
            self.commits.note(begun, self.ran.len() + self.waiting.len(), committed.as_ref().err());
            if let Err(error) = &committed {
                if matches!(error, DbError::Damaged(_)) {
                    self.is_damaged.store(true, Ordering::Relaxed);
                }
                // the state of the file is unknown: a new connection reads it again
                self.connection = None;
                self.watch.forget_log();
                // otherwise each remaining job would try, and wait for, a file that fails
                self.ran.extend(self.waiting.drain(..));
            }
            for work in self.ran.drain(..) {
                work.finish(committed.clone());
            }
        }
        self.end();
    }

    /// Renews the generation marker, so that the next start notices if the file was replaced by an
    /// older state, and releases the file.
    fn end(mut self) {
        // a file that is not in place keeps its outdated marker
        if self.check_files(Instant::now()).is_ok()
            && let Some(connection) = &mut self.connection
            && let Err(error) = generation::renew(connection, &self.lock)
        {
            tracing::debug!(%error, "could not renew the generation marker at the end");
        }
        drop(self.connection);
        // released last: a process that opens the file next finds everything written
        drop(self.lock);
    }

    /// Checks whether the files are where the next start finds them. While they are not, no write
    /// is safe, and nothing is written.
    fn check_files(&mut self, now: Instant) -> Result<(), Misplaced> {
        let found = self.watch.check(now);
        match (found, self.misplaced) {
            (Err(misplaced), before) if before != Some(misplaced) => self.on_misplaced(misplaced),
            (Ok(()), Some(_)) => return self.on_restored(),
            _ => {}
        }
        found
    }

    fn on_misplaced(&mut self, misplaced: Misplaced) {
        tracing::error!(error = %misplaced, "nothing is stored any more");
        self.misplaced = Some(misplaced);
        // the file that the next start finds is not in the state that clients know
        if let Err(error) = self.lock.set_note("") {
            tracing::warn!(%error, "could not remove the generation marker of the database");
        }
        if misplaced == Misplaced::Log
            && let Some(connection) = &mut self.connection
        {
            // saves data that is only in the log to the database file, which is in place
            if let Err(error) = connection.batch_execute("PRAGMA wal_checkpoint(TRUNCATE)") {
                tracing::error!(%error, "the newest messages could not be saved from the removed write-ahead log");
            }
        }
    }

    /// The same files are in place again, with everything that was stored.
    fn on_restored(&mut self) -> Result<(), Misplaced> {
        if let Some(connection) = &mut self.connection
            && let Err(error) = generation::renew(connection, &self.lock)
        {
            tracing::warn!(%error, "could not write the generation marker of the database; the next start begins a new epoch");
        }
        // renewing the marker has reset the sync mode
        self.sync_mode = SyncMode::INITIAL;
        self.misplaced = None;
        tracing::info!("the database file is back; messages are stored again");
        Ok(())
    }

    /// Waits for work and takes what is queued. `false` if the queue is closed and empty.
    fn collect(&mut self, queue: &Receiver<Piece<SqliteConnection>>) -> bool {
        while self.waiting.is_empty() {
            match queue.recv_timeout(IDLE_CHECK_INTERVAL) {
                Ok(first) => self.waiting.push_back(first),
                Err(RecvTimeoutError::Timeout) => {
                    // the result is logged and counted
                    let _ = self.check_files(Instant::now());
                }
                Err(RecvTimeoutError::Disconnected) => return false,
            }
        }
        while self.waiting.len() < MAX_BATCH
            && let Ok(next) = queue.try_recv()
        {
            self.waiting.push_back(next);
        }
        true
    }

    /// Runs the waiting jobs, oldest first, in one transaction.
    fn commit(&mut self) -> Result<(), DbError> {
        let begun = Instant::now();
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => {
                self.sync_mode = SyncMode::INITIAL;
                let connection = connection::writing(&self.path).map_err(|error| DbError::failure(&error))?;
                self.watch.set_log();
                // the opened file has to be the locked one
                self.watch.check_now(begun)?;
                none.insert(connection)
            }
        };
        let needs_disk = self.waiting.iter().any(|work| work.sync_mode() == SyncMode::Full);
        let needed = if needs_disk { SyncMode::Full } else { SyncMode::Normal };
        if self.sync_mode != needed {
            // has no effect inside a transaction
            connection.batch_execute(needed.statement()).map_err(|error| DbError::failure(&error))?;
            self.sync_mode = needed;
        }
        AnsiTransactionManager::begin_transaction_sql(connection, "BEGIN IMMEDIATE")
            .map_err(|error| DbError::failure(&error))?;
        while let Some(mut work) = self.waiting.pop_front() {
            // unwinding leaves the transaction open; its connection is dropped
            let outcome = catch_unwind(AssertUnwindSafe(|| work.run(connection)));
            self.ran.push(work);
            outcome.map_err(|_| DbError::Unavailable("work on it panicked".into()))??;
            if begun.elapsed() > MAX_BATCH_DURATION {
                break;
            }
        }
        AnsiTransactionManager::commit_transaction(connection).map_err(|error| DbError::failure(&error))
    }
}
