//! Connections that read.

use std::sync::Arc;

use diesel::QueryResult;
use diesel::connection::TransactionManager;
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::connection::{DbConnection, Transactions};
use super::guard::Shared;
use super::session::Session;
use crate::DbError;

/// A few connections, opened when they are first needed.
#[derive(Debug)]
pub(crate) struct Pool {
    shared: Arc<Shared>,
    /// One permit for each connection that may be open.
    free: Arc<Semaphore>,
    size: u32,
    /// Open connections that are not in use.
    idle: Mutex<Vec<Session>>,
}

impl Pool {
    pub(crate) fn new(shared: Arc<Shared>, size: u32) -> Self {
        Self { shared, free: Arc::new(Semaphore::new(size as usize)), size, idle: Mutex::default() }
    }

    /// Waits for a free connection. The caller holds the permit until the read is done.
    pub(crate) async fn permit(&self) -> Result<OwnedSemaphorePermit, DbError> {
        Arc::clone(&self.free).acquire_owned().await.map_err(|_| DbError::Closed)
    }

    /// Runs `work` in a snapshot, on one of the connections.
    pub(crate) fn run<T>(
        &self,
        work: impl FnOnce(&mut DbConnection) -> QueryResult<T>,
    ) -> Result<T, DbError> {
        let idle = self.idle.lock().pop();
        let mut session = idle.unwrap_or_else(|| Session::new(Arc::clone(&self.shared)));
        let (link, _) = session.link()?;
        let failure = |error| DbError::failure(&error);
        link.begin("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").map_err(failure)?;
        let value = work(&mut link.connection);
        let ended: QueryResult<()> = match &value {
            Ok(_) => Transactions::commit_transaction(&mut link.connection),
            Err(_) => Transactions::rollback_transaction(&mut link.connection),
        };
        if ended.is_ok() {
            self.idle.lock().push(session);
        }
        value.map_err(|error| match error {
            diesel::result::Error::NotFound => DbError::Query(error.to_string()),
            _ => DbError::failure(&error),
        })
    }

    /// Refuses new reads, and waits for those that have begun.
    pub(crate) async fn close(&self) {
        let all = self.free.acquire_many(self.size).await;
        self.free.close();
        drop(all);
    }

    /// Closes the connections. Blocks.
    pub(crate) fn disconnect(&self) {
        let idle = std::mem::take(&mut *self.idle.lock());
        drop(idle);
    }
}
