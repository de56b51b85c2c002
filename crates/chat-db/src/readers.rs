//! Connections that read.

use std::path::PathBuf;
use std::sync::Arc;

use diesel::{QueryResult, SqliteConnection};
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{DbError, connection};

/// How many reads go on at once.
const READERS: usize = 4;

/// A few connections, opened when they are first needed.
#[derive(Debug)]
pub(crate) struct Readers {
    path: PathBuf,
    /// As many permits as connections there may be.
    free: Arc<Semaphore>,
    /// Those that are open and not in use.
    idle: Mutex<Vec<Reader>>,
}

struct Reader(SqliteConnection);

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reader")
    }
}

impl Readers {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, free: Arc::new(Semaphore::new(READERS)), idle: Mutex::default() }
    }

    /// Waits for a place among the reads. It has to be held until the read is done, whoever still waits for it.
    pub(crate) async fn permit(&self) -> Result<OwnedSemaphorePermit, DbError> {
        Arc::clone(&self.free).acquire_owned().await.map_err(|_| DbError::Closed)
    }

    /// Runs `work` on one of the connections. A connection that failed is not used again.
    pub(crate) fn run<T>(
        &self,
        work: impl FnOnce(&mut SqliteConnection) -> QueryResult<T>,
    ) -> Result<T, DbError> {
        let idle = self.idle.lock().pop();
        let mut reader = match idle {
            Some(reader) => reader,
            None => Reader(connection::reading(&self.path).map_err(|error| DbError::failure(&error))?),
        };
        let value = work(&mut reader.0).map_err(|error| match error {
            diesel::result::Error::NotFound => DbError::Query(error.to_string()),
            _ => DbError::failure(&error),
        })?;
        let mut idle = self.idle.lock();
        if !self.free.is_closed() {
            idle.push(reader);
        }
        Ok(value)
    }

    /// No read begins from now on, and the idle connections are closed.
    pub(crate) fn close(&self) {
        self.free.close();
        self.idle.lock().clear();
    }
}
