//! The index in a PostgreSQL database: a column of type `tsvector` with a GIN index
//! (<https://www.postgresql.org/docs/15/textsearch.html>).

mod schema;
mod search;
mod stretches;
mod write;

use std::fmt;
use std::time::Duration;

use chat_db::postgres::{Database, DbConnection};
use chat_db::{DbError, DbErrorKind};
use chat_protocol::{Epoch, RoomName};
use diesel::connection::{Connection, SimpleConnection};
use diesel::result::QueryResult;
use futures::future::{BoxFuture, FutureExt};

use self::search::Bounds;
use crate::{Found, Position, Query, SearchError, SearchErrorKind, SearchIndex, Update};

/// An index in a PostgreSQL database, in tables beside those of the history. Clones share it.
///
/// Updates use the connection for [maintenance](Database::maintain), each in a transaction of its
/// own, so no message waits for them. Searches read in a snapshot.
///
/// Text that was removed is not found after the update is committed. PostgreSQL removes it from its
/// files when it vacuums the table, which it does by itself after 2 % of the messages have changed.
#[derive(Clone)]
pub struct PostgresIndex {
    database: Database,
    bounds: Bounds,
}

impl fmt::Debug for PostgresIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresIndex").field("bounds", &self.bounds).finish_non_exhaustive()
    }
}

impl PostgresIndex {
    /// Opens the index of this database. If another version of this crate has written it, it is
    /// emptied.
    ///
    /// # Errors
    /// [`SearchError`] if the database fails.
    pub async fn open(database: Database) -> Result<Self, SearchError> {
        let index = Self { database, bounds: Bounds::default() };
        if !index.read(schema::is_current).await? {
            tracing::info!("the search index is empty or of another version, and is built again");
            index.clear().await?;
        }
        Ok(index)
    }

    /// Ends a search that takes longer than this, with what it has found so far (default: 40 ms).
    #[must_use]
    pub fn max_duration(mut self, max_duration: Duration) -> Self {
        self.bounds.max_duration = max_duration;
        self
    }

    /// Reads at most this number of messages in one step of a search, at least 2 (default: 4,000).
    /// A search takes as many steps as it needs.
    #[must_use]
    pub fn max_candidates(mut self, max_candidates: u32) -> Self {
        self.bounds.max_candidates = i64::from(max_candidates).max(2);
        self
    }

    /// The number of messages in the index, those included that are to be
    /// [purged](SearchIndex::purge).
    ///
    /// # Errors
    /// [`SearchError`] if the database fails.
    pub async fn documents(&self) -> Result<u64, SearchError> {
        self.read(schema::documents).await.map(crate::key::unsigned)
    }

    /// Runs `work` in a transaction that writes.
    async fn write<T, F>(&self, work: F) -> Result<T, SearchError>
    where
        T: Send + 'static,
        F: FnOnce(&mut DbConnection) -> QueryResult<T> + Send + 'static,
    {
        let fence = self.database.fence().map_err(failure)?;
        let write = move |connection: &mut DbConnection| {
            connection.transaction(|connection| {
                fence.check(connection)?;
                work(connection)
            })
        };
        self.database.maintain(write).await.map_err(failure)
    }

    /// Runs `work` in a snapshot.
    async fn read<T, F>(&self, work: F) -> Result<T, SearchError>
    where
        T: Send + 'static,
        F: FnOnce(&mut DbConnection) -> QueryResult<T> + Send + 'static,
    {
        self.database.read(work).await.map_err(failure)
    }
}

fn failure(error: DbError) -> SearchError {
    let kind = match error.kind() {
        DbErrorKind::Busy => SearchErrorKind::Busy,
        DbErrorKind::Full => SearchErrorKind::Full,
        DbErrorKind::Damaged => SearchErrorKind::Damaged,
        DbErrorKind::Closed => SearchErrorKind::Closed,
        _ => SearchErrorKind::Other,
    };
    SearchError::new(kind, error)
}

impl SearchIndex for PostgresIndex {
    fn search(&self, query: Query) -> BoxFuture<'_, Result<Found, SearchError>> {
        let bounds = self.bounds;
        self.read(move |connection| search::search(connection, &query, bounds)).boxed()
    }

    fn positions(&self, rooms: Vec<RoomName>) -> BoxFuture<'_, Result<Vec<Option<Position>>, SearchError>> {
        self.read(move |connection| schema::positions(connection, &rooms)).boxed()
    }

    fn apply(&self, updates: Vec<Update>) -> BoxFuture<'_, Result<(), SearchError>> {
        self.write(move |connection| write::apply(connection, updates)).boxed()
    }

    fn keep_epoch(&self, epoch: Epoch) -> BoxFuture<'_, Result<(), SearchError>> {
        self.write(move |connection| write::keep_epoch(connection, &epoch)).boxed()
    }

    fn purge(&self) -> BoxFuture<'_, Result<bool, SearchError>> {
        self.write(write::purge).boxed()
    }

    fn optimize(&self) -> BoxFuture<'_, Result<(), SearchError>> {
        // merges what GIN has collected; vacuum is PostgreSQL's own work
        let merge = |connection: &mut DbConnection| {
            connection.batch_execute("SELECT gin_clean_pending_list('search_documents_by_token')")?;
            connection.batch_execute("ANALYZE search_documents")
        };
        self.write(merge).boxed()
    }

    fn clear(&self) -> BoxFuture<'_, Result<(), SearchError>> {
        self.write(schema::clear).boxed()
    }
}
