//! Connections that read.

use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use diesel::{QueryResult, SqliteConnection};
use parking_lot::Mutex;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::{Instant, timeout_at};

use super::connection;
use super::file_id::FileId;
use super::lock::InodeLock;
use super::threads::Threads;
use super::watch::Misplaced;
use crate::DbError;

/// How many reads run at the same time.
const MAX_READERS: usize = 4;

/// How long a read waits for others before one more thread reads. Threads stay, so that happens
/// three times at most.
const PATIENCE: Duration = Duration::from_millis(50);

/// A few connections, opened when they are first needed, and a few threads that use them.
#[derive(Debug)]
pub(crate) struct Readers {
    path: PathBuf,
    /// One permit for each connection that may be open.
    free: Arc<Semaphore>,
    threads: Threads,
    open: Mutex<Open>,
}

#[derive(Debug)]
struct Open {
    /// Open connections that are not in use. Declared before the lock, so that they are dropped
    /// first.
    idle: Vec<Reader>,
    /// `None` after the readers were closed.
    lock: Option<Arc<InodeLock>>,
}

struct Reader(SqliteConnection);

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reader")
    }
}

impl Readers {
    pub(crate) fn new(path: PathBuf, lock: Arc<InodeLock>) -> Self {
        let open = Open { idle: Vec::new(), lock: Some(lock) };
        Self {
            path,
            free: Arc::new(Semaphore::new(MAX_READERS)),
            threads: Threads::new(MAX_READERS, PATIENCE),
            open: Mutex::new(open),
        }
    }

    /// Runs `work` on one of the connections, in one of the threads. Cancel-safe.
    pub(crate) async fn read<T, F>(self: &Arc<Self>, work: F) -> Result<T, DbError>
    where
        T: Send + 'static,
        F: FnOnce(&mut SqliteConnection) -> QueryResult<T> + Send + 'static,
    {
        let deadline = Instant::now() + PATIENCE;
        let permit = self.wait(deadline, Arc::clone(&self.free).acquire_owned()).await;
        // held until the read is done, even if nobody waits for its result
        let permit = permit.map_err(|_| DbError::Closed)?;
        let (answer, result) = oneshot::channel();
        let readers = Arc::clone(self);
        let job = move || {
            let value = readers.run(work);
            drop((permit, readers));
            // the caller may be gone
            let _ = answer.send(value);
        };
        self.threads.submit(Box::new(job)).map_err(|error| DbError::Unavailable(error.to_string()))?;
        self.wait(deadline, result).await.map_err(|_| DbError::Closed)?
    }

    /// Waits for something that reads delay. After the deadline, one more thread may read.
    async fn wait<F: Future>(&self, deadline: Instant, awaited: F) -> F::Output {
        let mut awaited = pin!(awaited);
        if let Ok(output) = timeout_at(deadline, &mut awaited).await {
            return output;
        }
        self.threads.add();
        awaited.await
    }

    /// Runs `work` on one of the connections. A connection that failed is not reused.
    fn run<T>(&self, work: impl FnOnce(&mut SqliteConnection) -> QueryResult<T>) -> Result<T, DbError> {
        let mut open = self.open.lock();
        let idle = open.idle.pop();
        // held until the connection is closed or idle again
        let Some(lock) = open.lock.clone() else { return Err(DbError::Closed) };
        drop(open);
        let mut reader = match idle {
            Some(reader) => reader,
            None => self.connect(&lock)?,
        };
        let value = work(&mut reader.0).map_err(|error| match error {
            diesel::result::Error::NotFound => DbError::Query(error.to_string()),
            _ => DbError::failure(&error),
        })?;
        let mut open = self.open.lock();
        if open.lock.is_some() {
            open.idle.push(reader);
        } else {
            drop(open);
            drop(reader);
        }
        Ok(value)
    }

    /// Opens another connection to the locked file.
    fn connect(&self, lock: &InodeLock) -> Result<Reader, DbError> {
        let connection = connection::reading(&self.path).map_err(|error| DbError::failure(&error))?;
        match FileId::at(&self.path) {
            Ok(id) if id == lock.id() => Ok(Reader(connection)),
            Ok(_) => Err(Misplaced::DatabaseReplaced.into()),
            Err(_) => Err(Misplaced::DatabaseMissing.into()),
        }
    }

    /// Refuses new reads, waits for those that have begun, and closes the connections.
    pub(crate) async fn close(&self) {
        let all = self.free.acquire_many(MAX_READERS as u32).await;
        self.free.close();
        drop(all);
        self.threads.end();
        let mut open = self.open.lock();
        let (idle, lock) = (std::mem::take(&mut open.idle), open.lock.take());
        drop(open);
        drop(idle);
        drop(lock);
    }
}
