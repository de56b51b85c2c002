//! An open database.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use diesel::{QueryResult, SqliteConnection};
use parking_lot::Mutex;
use tokio::sync::{Semaphore, oneshot};

use crate::error::is_damage;
use crate::job::{Job, Work};
use crate::lock::ProcessLock;
use crate::readers::Readers;
use crate::generation::{self, SealError};
use crate::watch::Watch;
use crate::writer::Writer;
use crate::{DbError, Durability, OpenError, migrate};

/// How many [`Database::write`]s may be on their way before the next has to wait.
const QUEUE: usize = 4_096;

/// An open database: a writer thread, readers, and the lock that keeps other processes out. Clones are the same one.
#[derive(Debug, Clone)]
pub struct Database {
    shared: Arc<Shared>,
}

struct Shared {
    /// To the writer thread; none once the database is closed. The thread ends when it is gone and the queue is empty.
    queue: Mutex<Option<mpsc::Sender<Box<dyn Work>>>>,
    /// One permit for each [`Database::write`] that may be on its way.
    writes: Arc<Semaphore>,
    /// The writer thread, until somebody waits for its end.
    writer: Mutex<Option<JoinHandle<()>>>,
    readers: Arc<Readers>,
    is_as_left: bool,
    /// Set when a transaction has found the file damaged.
    is_damaged: Arc<AtomicBool>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").finish_non_exhaustive()
    }
}

impl Database {
    /// Opens the file, makes it if there is none, and brings its schema up to date. Blocks while it does.
    ///
    /// # Errors
    /// [`OpenError`]: it can't be opened, is no database, is newer than the program, or another process has it.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let lock = ProcessLock::take_to_open(path)?;
        let mut connection = migrate::open(path)?;
        migrate::pending(&mut connection, path)?;
        let is_as_left = match sealed(&mut connection, &lock) {
            Ok(is_as_left) => is_as_left,
            Err(error) if is_damage(&error.to_string()) => {
                return Err(OpenError::Damaged { path: path.to_owned(), reason: error.to_string() });
            }
            Err(error) => {
                // whoever writes next meets the same fault, and says so
                tracing::warn!(%error, "the database could not be sealed; a new epoch begins");
                false
            }
        };
        let (sender, queue) = mpsc::channel();
        let is_damaged = Arc::<AtomicBool>::default();
        let Some(inode) = lock.inode().cloned() else {
            return Err(OpenError::Open { path: path.to_owned(), reason: "the file is missing".into() });
        };
        let watch = Watch::new(path, inode.id());
        let writer = Writer::new(path.to_owned(), connection, queue, Arc::clone(&is_damaged), (lock, watch));
        let run = move || writer.run();
        let thread = std::thread::Builder::new()
            .name("chat-db-writer".into())
            .spawn(run)
            .map_err(|error| OpenError::Open { path: path.to_owned(), reason: error.to_string() })?;
        Ok(Self {
            shared: Arc::new(Shared {
                queue: Mutex::new(Some(sender)),
                writes: Arc::new(Semaphore::new(QUEUE)),
                writer: Mutex::new(Some(thread)),
                readers: Arc::new(Readers::new(path.to_owned(), inode)),
                is_as_left,
                is_damaged,
            }),
        })
    }

    /// Whether this is the file that was open at this path last, as it was left then. Not so with a new one, one that was moved here
    /// without the lock file beside it, and a backup that was put back, unless it was made in the same run that ended last and
    /// that run was killed.
    pub fn is_as_left(&self) -> bool {
        self.shared.is_as_left
    }

    /// Hands `work` to the writer and never waits. It runs in a coming transaction, in a savepoint of its own and in the order in
    /// which all work was handed over; a panic in it fails the transaction. `done` hears the result exactly once, on the
    /// writer's thread right after the commit, and holds up all other work while it runs: it must not wait. After
    /// [`close`](Self::close) it is called at once, on this thread.
    ///
    /// Nothing limits how much is on its way: whoever uses this has to. [`write`](Self::write) is limited.
    ///
    /// `done` gets [`DbError::Query`] when the statements failed by themselves, [`DbError::Unavailable`] when the database did,
    /// [`DbError::Closed`] after [`close`](Self::close).
    pub fn submit<T, F, D>(&self, durability: Durability, work: F, done: D)
    where
        T: Send + 'static,
        F: FnOnce(&mut SqliteConnection) -> QueryResult<T> + Send + 'static,
        D: FnOnce(Result<T, DbError>) + Send + 'static,
    {
        let job: Box<dyn Work> = Box::new(Job::new(durability, work, done));
        let refused = match &*self.shared.queue.lock() {
            Some(queue) => queue.send(job).err().map(|refused| refused.0),
            None => Some(job),
        };
        // only now, without the lock: it says by itself that it never ran
        drop(refused);
    }

    /// Runs `work` in the writer's next transaction, in a savepoint of its own, and answers after the commit. Work runs in
    /// the order in which it was handed over. What it writes survives the process ([`Durability::Process`]). At most
    /// 4,096 writes are on their way at once; the next wait.
    ///
    /// Not cancel-safe in the sense that matters to the database: once the future has been polled, work may be done
    /// although the future is dropped.
    ///
    /// # Errors
    /// [`DbError::Query`] when the statements failed by themselves, [`DbError::Unavailable`] when the database did,
    /// [`DbError::Closed`] after [`close`](Self::close).
    pub async fn write<T, F>(&self, work: F) -> Result<T, DbError>
    where
        T: Send + 'static,
        F: FnOnce(&mut SqliteConnection) -> QueryResult<T> + Send + 'static,
    {
        self.write_as(Durability::Process, work).await
    }

    /// A [`write`](Self::write) that is as durable as it says.
    ///
    /// # Errors
    /// The same as [`write`](Self::write).
    pub async fn write_as<T, F>(&self, durability: Durability, work: F) -> Result<T, DbError>
    where
        T: Send + 'static,
        F: FnOnce(&mut SqliteConnection) -> QueryResult<T> + Send + 'static,
    {
        let permit = Arc::clone(&self.shared.writes).acquire_owned().await.map_err(|_| DbError::Closed)?;
        let (answer, result) = oneshot::channel();
        let done = move |outcome| {
            drop(permit);
            // whoever asked may have gone: what was written stands
            let _ = answer.send(outcome);
        };
        self.submit(durability, work, done);
        result.await.map_err(|_| DbError::Closed)?
    }

    /// Runs `work` on a connection that can't write, and sees all that was committed before. Cancel-safe.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] when the database does not answer, [`DbError::Closed`] after [`close`](Self::close).
    pub async fn read<T, F>(&self, work: F) -> Result<T, DbError>
    where
        T: Send + 'static,
        F: FnOnce(&mut SqliteConnection) -> QueryResult<T> + Send + 'static,
    {
        let readers = Arc::clone(&self.shared.readers);
        let permit = self.shared.readers.permit().await?;
        let read = move || {
            let value = readers.run(work);
            drop(permit);
            value
        };
        tokio::task::spawn_blocking(read).await.map_err(|_| DbError::Closed)?
    }

    /// Whether a transaction can be begun and committed now.
    ///
    /// # Errors
    /// The same as [`write`](Self::write).
    pub async fn check(&self) -> Result<(), DbError> {
        if self.shared.is_damaged.load(Ordering::Relaxed) {
            return Err(DbError::Damaged("a transaction has found it so".into()));
        }
        self.write(|_| Ok(())).await
    }

    /// Takes no more work, waits until what was handed over has been committed, and lets go of the file.
    pub async fn close(&self) {
        self.shared.queue.lock().take();
        self.shared.writes.close();
        self.shared.readers.close().await;
        let writer = self.shared.writer.lock().take();
        if let Some(writer) = writer {
            let ended = tokio::task::spawn_blocking(move || writer.join()).await;
            if !matches!(ended, Ok(Ok(()))) {
                tracing::error!("the database writer ended with a panic");
            }
        }
    }
}

/// Seals the database for this run, and says whether the seal before was unbroken.
fn sealed(connection: &mut SqliteConnection, lock: &ProcessLock) -> Result<bool, SealError> {
    let is_unbroken = generation::is_unbroken(connection, lock)?;
    generation::renew(connection, lock)?;
    Ok(is_unbroken)
}
