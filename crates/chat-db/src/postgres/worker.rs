//! A thread with a connection that runs work one piece at a time.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Instant;

use chat_log::{Occasional, Passed};
use metrics::{Counter, Histogram, Unit, counter, describe_counter, describe_histogram, histogram};
use parking_lot::Mutex;

use super::connection::DbConnection;
use super::guard::Shared;
use super::session::Session;
use crate::DbError;
use crate::job::Work;

type Piece = Box<dyn Work<DbConnection>>;

/// A worker. Work runs in the order of submission, without a transaction around it.
#[derive(Debug)]
pub(crate) struct Worker {
    /// `None` once it was closed.
    queue: Mutex<Option<mpsc::Sender<Piece>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Worker {
    /// Starts a thread of this name, with what it does with the queue.
    pub(crate) fn start(
        name: String,
        run: impl FnOnce(mpsc::Receiver<Piece>) + Send + 'static,
    ) -> std::io::Result<Self> {
        let (sender, queue) = mpsc::channel();
        let thread = std::thread::Builder::new().name(name).spawn(move || run(queue))?;
        Ok(Self { queue: Mutex::new(Some(sender)), thread: Mutex::new(Some(thread)) })
    }

    pub(crate) fn submit(&self, work: Piece) {
        let refused = match &*self.queue.lock() {
            Some(queue) => queue.send(work).err().map(|refused| refused.0),
            None => Some(work),
        };
        // dropped without the lock held: work that never ran calls its callback
        drop(refused);
    }

    /// Accepts no more work.
    pub(crate) fn end(&self) {
        self.queue.lock().take();
    }

    /// Waits for the queued work. Blocks.
    pub(crate) fn join(&self) {
        if let Some(thread) = self.thread.lock().take()
            && thread.join().is_err()
        {
            tracing::error!("a thread of the database ended with a panic");
        }
    }
}

/// Runs each piece of work on a connection of its own.
pub(crate) fn run(shared: Arc<Shared>, queue: &mpsc::Receiver<Piece>) {
    let (mut session, metrics) = (Session::new(shared), Metrics::new());
    while let Ok(mut work) = queue.recv() {
        let begun = Instant::now();
        let result = match session.link() {
            Ok((link, _)) => alone(&mut work, &mut link.connection),
            Err(error) => Err(error),
        };
        metrics.note(begun, result.as_ref().err());
        if result.is_err() {
            session.discard();
        }
        work.finish(result);
    }
}

/// The metrics and the log lines of transactions, which are those of a file.
pub(crate) struct Metrics {
    commits: Histogram,
    failed: Counter,
    failures: Occasional,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        describe_histogram!(
            "chatd_commit_seconds",
            Unit::Seconds,
            "Duration of a database transaction, commit included"
        );
        describe_counter!("chatd_failed_commits_total", "Failed database transactions");
        Self {
            commits: histogram!("chatd_commit_seconds"),
            failed: counter!("chatd_failed_commits_total"),
            failures: Occasional::new(),
        }
    }

    /// Notes a transaction, and why it failed.
    pub(crate) fn note(&self, begun: Instant, error: Option<&DbError>) {
        self.commits.record(begun.elapsed());
        let Some(error) = error else { return };
        self.failed.increment(1);
        if let Some(Passed { suppressed }) = self.failures.pass() {
            tracing::error!(%error, suppressed, "a database transaction failed");
        }
    }
}

/// Runs work without a savepoint.
pub(crate) fn alone(work: &mut Piece, connection: &mut DbConnection) -> Result<(), DbError> {
    let panicked = |_| Err(DbError::Unavailable("work on it panicked".into()));
    catch_unwind(AssertUnwindSafe(|| work.run_alone(connection))).unwrap_or_else(panicked)
}
