//! Connections that read.

use std::path::PathBuf;
use std::sync::Arc;

use diesel::{QueryResult, SqliteConnection};
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::connection;
use super::file_id::FileId;
use super::lock::InodeLock;
use super::watch::Misplaced;
use crate::DbError;

/// How many reads run at the same time.
const MAX_READERS: usize = 4;

/// A few connections, opened when they are first needed.
#[derive(Debug)]
pub(crate) struct Readers {
    path: PathBuf,
    /// One permit for each connection that may be open.
    free: Arc<Semaphore>,
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
        Self { path, free: Arc::new(Semaphore::new(MAX_READERS)), open: Mutex::new(open) }
    }

    /// Waits for a free connection. The caller holds the permit until the read is done, even if
    /// nobody waits for its result.
    pub(crate) async fn permit(&self) -> Result<OwnedSemaphorePermit, DbError> {
        Arc::clone(&self.free).acquire_owned().await.map_err(|_| DbError::Closed)
    }

    /// Runs `work` on one of the connections. A connection that failed is not reused.
    pub(crate) fn run<T>(
        &self,
        work: impl FnOnce(&mut SqliteConnection) -> QueryResult<T>,
    ) -> Result<T, DbError> {
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
        let mut open = self.open.lock();
        let (idle, lock) = (std::mem::take(&mut open.idle), open.lock.take());
        drop(open);
        drop(idle);
        drop(lock);
    }
}
