//! The index in a file: diesel on SQLite's FTS5 (<https://sqlite.org/fts5.html>).

mod connections;
mod schema;
mod search;
mod write;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chat_protocol::{Epoch, RoomName};
use diesel::prelude::*;
use futures::future::{BoxFuture, FutureExt};
use parking_lot::RwLock;

use self::connections::Connections;
use crate::{Found, Position, Query, SearchError, SearchErrorKind, SearchIndex, Update};

// this crate links the bundled SQLite; diesel only declares it
use libsqlite3_sys as _;

/// How long a search works before it returns what it has found so far.
const MAX_DURATION: Duration = Duration::from_millis(40);

/// The number of messages of each hour since 1970 that has any. A search covers the keys of a few
/// hours at once, with a bounded number of messages.
type Hours = BTreeMap<i64, i64>;

/// An index in a file of its own, beside the database of the history: it can be deleted, and is
/// built again.
///
/// Searches run at the same time as updates, two at a time. A process that is killed loses no more
/// than the last updates, which are applied again.
///
/// Text that was removed is overwritten with zeros in the file. One thing may stay for a while: a
/// word, or its beginning, that separates two pages of the index stays until the pages are merged.
/// It does not say in which message it was.
#[derive(Clone)]
pub struct SqliteIndex {
    shared: Arc<Shared>,
}

struct Shared {
    connections: Connections,
    hours: RwLock<Hours>,
    /// Whether text was removed since the log of the database was last emptied.
    has_removed: AtomicBool,
    max_duration: Duration,
}

impl fmt::Debug for SqliteIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteIndex").field("path", &self.shared.connections.path()).finish_non_exhaustive()
    }
}

impl SqliteIndex {
    /// Opens the index in this file. A file that does not exist is created. One that is damaged, or
    /// that another version of this crate has written, is replaced by an empty index. A database
    /// that is not an index is kept: `.old` is appended to its name. Blocks.
    ///
    /// Only one process may use a file, and only one index in it.
    ///
    /// # Errors
    /// [`SearchError`] if the file can't be created or opened.
    pub fn open(path: &Path) -> Result<Self, SearchError> {
        let (connections, hours) = Connections::open(path)?;
        let (hours, has_removed) = (RwLock::new(hours), AtomicBool::new(false));
        let shared = Shared { connections, hours, has_removed, max_duration: MAX_DURATION };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Removes the index in this file, so that the next one begins empty. No process may use it.
    /// Blocks. It is not an error if there is none.
    ///
    /// # Errors
    /// [`SearchError`] if a file can't be removed.
    pub fn remove(path: &Path) -> Result<(), SearchError> {
        connections::remove_files(path)
    }

    /// Ends a search that takes longer than this, with what it has found so far (default: 40 ms).
    /// It has no effect on an index that was cloned.
    #[must_use]
    pub fn max_duration(mut self, max_duration: Duration) -> Self {
        if let Some(shared) = Arc::get_mut(&mut self.shared) {
            shared.max_duration = max_duration;
        }
        self
    }

    /// The number of messages in the index, those included that are to be
    /// [purged](SearchIndex::purge).
    pub fn documents(&self) -> u64 {
        let total: i64 = self.shared.hours.read().values().sum();
        u64::try_from(total).unwrap_or_default()
    }

    /// Waits for searches and updates that have begun, refuses further ones, and closes the file.
    pub async fn close(&self) {
        self.shared.connections.close_readers().await;
        let shared = Arc::clone(&self.shared);
        let close = move || {
            shared.connections.close_writer();
            Ok(())
        };
        // an error: the program ends
        let _ = blocking(close).await;
    }

    /// Runs `work` in a transaction of the connection that writes. Its changes of the numbers per
    /// hour are kept if it is committed.
    async fn write<T, F>(&self, work: F) -> Result<T, SearchError>
    where
        T: Send + 'static,
        F: FnOnce(&mut SqliteConnection, &mut Hours) -> QueryResult<T> + Send + 'static,
    {
        let shared = Arc::clone(&self.shared);
        let write = move || {
            shared.connections.write(|connection| {
                let mut changes = Hours::new();
                let value = connection.immediate_transaction(|connection| {
                    let value = work(connection, &mut changes)?;
                    write::save_hours(connection, &changes)?;
                    QueryResult::Ok(value)
                })?;
                let mut hours = shared.hours.write();
                for (hour, change) in changes {
                    *hours.entry(hour).or_default() += change;
                }
                hours.retain(|_, documents| *documents > 0);
                Ok(value)
            })
        };
        blocking(write).await
    }

    /// Runs `work` in a transaction of a connection that reads.
    async fn read<T, F>(&self, work: F) -> Result<T, SearchError>
    where
        T: Send + 'static,
        F: FnOnce(&mut SqliteConnection, &Shared) -> QueryResult<T> + Send + 'static,
    {
        let permit = self.shared.connections.reader().await?;
        let shared = Arc::clone(&self.shared);
        let read = move || {
            let value = shared
                .connections
                .read(|connection| connection.transaction(|connection| work(connection, &shared)));
            drop(permit);
            value
        };
        blocking(read).await
    }
}

/// Runs this on a thread that may block.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SearchError> + Send + 'static,
) -> Result<T, SearchError> {
    let closed = |_| SearchError::new(SearchErrorKind::Closed, "the program ends");
    tokio::task::spawn_blocking(work).await.map_err(closed)?
}

impl SearchIndex for SqliteIndex {
    fn search(&self, query: Query) -> BoxFuture<'_, Result<Found, SearchError>> {
        let search = move |connection: &mut SqliteConnection, shared: &Shared| {
            search::search(connection, &query, &shared.hours, shared.max_duration)
        };
        self.read(search).boxed()
    }

    fn positions(&self, rooms: Vec<RoomName>) -> BoxFuture<'_, Result<Vec<Option<Position>>, SearchError>> {
        self.read(move |connection, _| schema::positions(connection, &rooms)).boxed()
    }

    fn apply(&self, updates: Vec<Update>) -> BoxFuture<'_, Result<(), SearchError>> {
        async move {
            if self.write(move |connection, hours| write::apply(connection, updates, hours)).await? {
                self.shared.has_removed.store(true, Ordering::Relaxed);
            }
            Ok(())
        }
        .boxed()
    }

    fn keep_epoch(&self, epoch: Epoch) -> BoxFuture<'_, Result<(), SearchError>> {
        self.write(move |connection, _| write::keep_epoch(connection, &epoch)).boxed()
    }

    fn purge(&self) -> BoxFuture<'_, Result<bool, SearchError>> {
        async move {
            let more = self.write(write::purge).await?;
            let has_removed = self.shared.has_removed.swap(more, Ordering::Relaxed);
            if has_removed && !more {
                let shared = Arc::clone(&self.shared);
                blocking(move || shared.connections.write(write::checkpoint)).await?;
            }
            Ok(more)
        }
        .boxed()
    }

    fn optimize(&self) -> BoxFuture<'_, Result<(), SearchError>> {
        async move {
            self.write(|connection, _| write::begin_merge(connection)).await?;
            // in steps, so that the log of the database stays small
            while self.write(|connection, _| write::merge(connection)).await? {}
            Ok(())
        }
        .boxed()
    }

    fn clear(&self) -> BoxFuture<'_, Result<(), SearchError>> {
        let shared = Arc::clone(&self.shared);
        let clear = move || {
            let hours = shared.connections.recreate()?;
            *shared.hours.write() = hours;
            Ok(())
        };
        blocking(clear).boxed()
    }
}
