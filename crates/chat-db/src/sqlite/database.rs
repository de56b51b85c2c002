//! An open database.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use diesel::{QueryResult, SqliteConnection};
use tokio::sync::Semaphore;

use super::generation::{self, GenerationError};
use super::lock::ProcessLock;
use super::readers::Readers;
use super::watch::Watch;
use super::writer::Writer;
use super::{OpenError, migrate};
use crate::error::is_damage;
use crate::job::Job;
use crate::unfinished::{self, Unfinished};
use crate::worker::Worker;
use crate::{DbError, SyncMode};

/// How many [`Database::write`]s may be queued before the next one has to wait.
const MAX_WRITES: usize = 4_096;

/// An open database: a writer thread, readers, and the lock that excludes other processes. Clones
/// share one database.
#[derive(Debug, Clone)]
pub struct Database {
    shared: Arc<Shared>,
}

struct Shared {
    writer: Worker<SqliteConnection>,
    /// One permit for each [`Database::write`] that may be queued.
    writes: Arc<Semaphore>,
    readers: Arc<Readers>,
    is_unchanged: bool,
    /// Set when a transaction has found the file damaged.
    is_damaged: Arc<AtomicBool>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").finish_non_exhaustive()
    }
}

/// What work apart from the writes shows before it changes something. A file is locked for the
/// process, so there is nothing to show.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Fence {}

impl Database {
    /// Opens the file, creates it if it does not exist, and applies pending migrations. Blocks.
    ///
    /// # Errors
    /// [`OpenError`] if the file can't be opened, is not a database, is newer than the program, or
    /// is in use by another process.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let lock = ProcessLock::take_to_open(path)?;
        let mut connection = migrate::open(path)?;
        migrate::pending(&mut connection, path)?;
        let unfinished =
            unfinished::on_sqlite(&mut connection).map_err(|error| OpenError::open(path, &error))?;
        if let Some(Unfinished { source: source_name, .. }) = unfinished {
            return Err(OpenError::Unfinished { path: path.to_owned(), source_name });
        }
        let is_unchanged = match mark(&mut connection, &lock) {
            Ok(is_unchanged) => is_unchanged,
            Err(error) if is_damage(&error.to_string()) => {
                return Err(OpenError::Damaged { path: path.to_owned(), reason: error.to_string() });
            }
            Err(error) => {
                // a write meets the same fault, and reports it
                tracing::warn!(%error, "could not write the generation marker of the database; a new epoch begins");
                false
            }
        };
        let is_damaged = Arc::<AtomicBool>::default();
        let Some(inode) = lock.inode().cloned() else {
            return Err(OpenError::Open { path: path.to_owned(), reason: "the file is missing".into() });
        };
        let watch = Watch::new(path, inode.id());
        let writer = Writer::new(path.to_owned(), connection, Arc::clone(&is_damaged), (lock, watch));
        let writer = Worker::start("chat-db-writer".into(), move |queue| writer.run(&queue))
            .map_err(|error| OpenError::open(path, &error))?;
        Ok(Self {
            shared: Arc::new(Shared {
                writes: Arc::new(Semaphore::new(MAX_WRITES)),
                writer,
                readers: Arc::new(Readers::new(path.to_owned(), inode)),
                is_unchanged,
                is_damaged,
            }),
        })
    }

    /// Whether this is the file that was last open at this path, in the state in which it was
    /// closed. `false` for a new file, a file that was moved here without its lock file, and a
    /// restored backup, except for a backup that was made during the last run if that run was
    /// killed.
    pub fn is_unchanged(&self) -> bool {
        self.shared.is_unchanged
    }

    /// What [`maintain`](Self::maintain) needs on other databases.
    ///
    /// # Errors
    /// None.
    pub fn fence(&self) -> Result<Fence, DbError> {
        Ok(Fence {})
    }

    /// Does nothing: a file is not replaced while it is open.
    pub fn on_replaced(&self, run: impl FnMut(&mut SqliteConnection) -> QueryResult<()> + Send + 'static) {
        drop(run);
    }

    /// Queues `work` for the writer and returns at once. The work runs in a later transaction, in a
    /// savepoint of its own and in the order of submission; a panic in it fails the transaction.
    /// `done` receives the result exactly once, on the writer's thread right after the commit. All
    /// other work waits while `done` runs, so it must not block. After [`close`](Self::close),
    /// `done` is called before this function returns, on the calling thread.
    ///
    /// The queue is not bounded: callers have to limit how much they submit. [`write`](Self::write)
    /// is limited.
    ///
    /// `done` receives [`DbError::Query`] if the statements failed by themselves,
    /// [`DbError::Unavailable`] or [`DbError::Damaged`] if the database failed, and
    /// [`DbError::Closed`] after [`close`](Self::close).
    pub fn submit<T, F, D>(&self, sync_mode: SyncMode, work: F, done: D)
    where
        T: Send + 'static,
        F: FnOnce(&mut SqliteConnection) -> QueryResult<T> + Send + 'static,
        D: FnOnce(Result<T, DbError>) + Send + 'static,
    {
        self.shared.writer.submit(Box::new(Job::new(sync_mode, work, done)));
    }

    /// Runs `work` in the writer's next transaction, in a savepoint of its own, and returns its
    /// result after the commit. Work runs in the order of submission. The result survives the
    /// process ([`SyncMode::Normal`]). At most 4,096 writes are queued; further ones wait.
    ///
    /// Not cancel-safe: once the future was polled, the work may be done although the future is
    /// dropped.
    ///
    /// # Errors
    /// [`DbError::Query`] if the statements failed by themselves, [`DbError::Unavailable`] or
    /// [`DbError::Damaged`] if the database failed, [`DbError::Closed`] after
    /// [`close`](Self::close).
    pub async fn write<T, F>(&self, work: F) -> Result<T, DbError>
    where
        T: Send + 'static,
        F: FnOnce(&mut SqliteConnection) -> QueryResult<T> + Send + 'static,
    {
        self.write_with(SyncMode::Normal, work).await
    }

    /// A [`write`](Self::write) with this sync mode.
    ///
    /// # Errors
    /// The same as [`write`](Self::write).
    pub async fn write_with<T, F>(&self, sync_mode: SyncMode, work: F) -> Result<T, DbError>
    where
        T: Send + 'static,
        F: FnOnce(&mut SqliteConnection) -> QueryResult<T> + Send + 'static,
    {
        self.shared.writer.run(&self.shared.writes, sync_mode, work).await
    }

    /// Runs `work` as [`write`](Self::write) does. On other databases it would run apart from the
    /// writes, which is for work that takes long.
    ///
    /// # Errors
    /// The same as [`write`](Self::write).
    pub async fn maintain<T, F>(&self, work: F) -> Result<T, DbError>
    where
        T: Send + 'static,
        F: FnOnce(&mut SqliteConnection) -> QueryResult<T> + Send + 'static,
    {
        self.write(work).await
    }

    /// Runs `work` on a connection that can't write. It sees everything that was committed before.
    /// Cancel-safe.
    ///
    /// # Errors
    /// [`DbError::Query`] if a row was not found, [`DbError::Unavailable`] or [`DbError::Damaged`]
    /// if the database failed, [`DbError::Closed`] after [`close`](Self::close).
    pub async fn read<T, F>(&self, work: F) -> Result<T, DbError>
    where
        T: Send + 'static,
        F: FnOnce(&mut SqliteConnection) -> QueryResult<T> + Send + 'static,
    {
        self.shared.readers.read(work).await
    }

    /// Checks whether a transaction can be committed now.
    ///
    /// # Errors
    /// The same as [`write`](Self::write).
    pub async fn check(&self) -> Result<(), DbError> {
        if self.shared.is_damaged.load(Ordering::Relaxed) {
            return Err(DbError::Damaged("a transaction has found it so".into()));
        }
        self.write(|_| Ok(())).await
    }

    /// Accepts no more work, waits until the queued work is committed, and closes the file.
    pub async fn close(&self) {
        self.shared.writer.end();
        self.shared.writes.close();
        self.shared.readers.close().await;
        let shared = Arc::clone(&self.shared);
        if tokio::task::spawn_blocking(move || shared.writer.join()).await.is_err() {
            tracing::error!("closing the database ended with a panic");
        }
    }
}

/// Writes a generation marker for this run, and returns whether the previous one was current.
fn mark(connection: &mut SqliteConnection, lock: &ProcessLock) -> Result<bool, GenerationError> {
    let is_current = generation::is_current(connection, lock)?;
    generation::renew(connection, lock)?;
    Ok(is_current)
}
