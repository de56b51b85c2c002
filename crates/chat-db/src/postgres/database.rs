//! An open database.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use diesel::connection::SimpleConnection;
use diesel::result::Error;
use diesel::{Connection, QueryResult, RunQueryDsl};
use tokio::sync::Semaphore;

use super::connection::DbConnection;
use super::error::OpenError;
use super::guard::{Guard, NotTaken};
use super::pool::Pool;
use super::url::Url;
use super::{migrate, tls, worker, writer};
use crate::job::Job;
use crate::unfinished::Unfinished;
use crate::worker::Worker;
use crate::{DbError, SyncMode};

/// How many [`Database::write`]s may be queued before the next one has to wait.
const MAX_WRITES: usize = 4_096;

/// How a database is used.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Options {
    /// How many connections append to the history. Default: 4.
    pub appenders: NonZeroU32,
    /// How many connections read. Default: 4.
    pub readers: NonZeroU32,
}

impl Default for Options {
    fn default() -> Self {
        let four = NonZeroU32::MIN.saturating_add(3);
        Self { appenders: four, readers: four }
    }
}

impl Options {
    /// Sets how many connections append to the history.
    #[must_use]
    pub fn appenders(self, appenders: NonZeroU32) -> Self {
        Self { appenders, ..self }
    }

    /// Sets how many connections read.
    #[must_use]
    pub fn readers(self, readers: NonZeroU32) -> Self {
        Self { readers, ..self }
    }

    /// How many connections there are at most: besides these, one that holds the database for this
    /// process, one that writes, and one for retention.
    pub fn connections(&self) -> u32 {
        self.appenders.get().saturating_add(self.readers.get()).saturating_add(3)
    }
}

/// Checks that the disk has room for more data. A row that is changed may find a place in what is
/// already there, and on a full disk new messages are refused nevertheless.
fn grow(connection: &mut DbConnection) -> QueryResult<()> {
    // 128 KiB that are not logged: a full log would stop the server
    const GROW: &str = "CREATE UNLOGGED TABLE growth_check (filler TEXT);
        INSERT INTO growth_check SELECT repeat(' ', 1000) FROM generate_series(1, 128)";
    let tried = connection.transaction(|connection| {
        connection.batch_execute(GROW)?;
        Err::<(), _>(Error::RollbackTransaction)
    });
    match tried {
        Err(Error::RollbackTransaction) => Ok(()),
        other => other,
    }
}

/// Shows that a transaction is of the process that uses the database.
#[derive(Debug, Clone)]
pub struct Fence {
    incarnation: Arc<str>,
}

impl Fence {
    /// The text that the function `chatd_fence`, and functions that call it, compare.
    pub fn incarnation(&self) -> &str {
        &self.incarnation
    }

    /// Fails unless the database is still this process's. For the first statement of a transaction;
    /// until its end no other process can take the database.
    ///
    /// # Errors
    /// Any error of the database.
    pub fn check(&self, connection: &mut DbConnection) -> QueryResult<()> {
        // prepared once for each connection, unlike `diesel::sql_query`
        diesel::select(chatd_fence(self.incarnation())).execute(connection).map(drop)
    }
}

diesel::define_sql_function! {
    /// Fails unless the database is used by this incarnation.
    fn chatd_fence(incarnation: diesel::sql_types::Text) -> diesel::sql_types::Bool;
}

/// An open database: the connections of this process, and the lock that excludes others. Clones
/// share one database.
#[derive(Debug, Clone)]
pub struct Database {
    shared: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    writer: Worker<DbConnection>,
    /// One permit for each [`Database::write`] that may be queued.
    writes: Arc<Semaphore>,
    appenders: Vec<Worker<DbConnection>>,
    maintenance: Worker<DbConnection>,
    readers: Arc<Pool>,
    is_unchanged: bool,
    /// How many transactions had failed when there was room for more data, the last time that this
    /// was checked.
    checked_failures: AtomicU64,
    /// Declared last: it is dropped after all others.
    guard: Guard,
}

impl Database {
    /// Connects, applies pending migrations, and takes the database for this process. Blocks, for
    /// seconds if the server does not answer, or if another process uses the database.
    ///
    /// # Errors
    /// [`OpenError`] if the server can't be reached or does not accept the user, if the database is
    /// newer than the program, or is in use by another process.
    pub fn open(url: &Url, options: &Options) -> Result<Self, OpenError> {
        let fault = |reason: String| OpenError::Open { url: url.to_string(), reason };
        let tls = tls::connector(&url.verify).map_err(|error| fault(error.to_string()))?;
        let mut link = migrate::connect(url)?;
        migrate::pending(&mut link.connection, url)?;
        let (guard, is_unchanged) =
            Guard::take(url.clone(), tls, link).map_err(|not_taken| match not_taken {
                NotTaken::InUse => OpenError::InUse { url: url.to_string() },
                NotTaken::Unfinished(Unfinished { source: source_name, .. }) => {
                    OpenError::Unfinished { url: url.to_string(), source_name }
                }
                NotTaken::Failed(error) => fault(error.to_string()),
            })?;
        let start = |name: String| {
            let shared = Arc::clone(guard.shared());
            Worker::start(name, move |queue| worker::run(shared, &queue))
        };
        let shared = Arc::clone(guard.shared());
        let threads = || {
            let appenders = (0..options.appenders.get()).map(|n| start(format!("chat-db-append-{n}")));
            let writer = Worker::start("chat-db-writer".into(), move |queue| writer::run(shared, &queue))?;
            Ok((appenders.collect::<Result<_, _>>()?, writer, start("chat-db-maintain".into())?))
        };
        let (appenders, writer, maintenance) =
            threads().map_err(|error: std::io::Error| fault(error.to_string()))?;
        let readers = Arc::new(Pool::new(Arc::clone(guard.shared()), options.readers.get()));
        let writes = Arc::new(Semaphore::new(MAX_WRITES));
        let checked_failures = AtomicU64::new(0);
        let inner =
            Inner { writer, writes, appenders, maintenance, readers, is_unchanged, checked_failures, guard };
        Ok(Self { shared: Arc::new(inner) })
    }

    /// Whether this is the database that was last in use at this address. `false` for a new
    /// database, for one on another server, and for a standby that was promoted. A dump that was
    /// restored, and a copy of the server's files, can't be recognised: see
    /// [`forget_identity`](migrate::forget_identity).
    pub fn is_unchanged(&self) -> bool {
        self.shared.is_unchanged
    }

    /// Adds what runs when this process finds another database at the address than the one that it
    /// has used: a standby that was promoted. It runs in the transaction that takes the database,
    /// before any other work. It may run again if that transaction fails.
    pub fn on_replaced(&self, run: impl FnMut(&mut DbConnection) -> QueryResult<()> + Send + 'static) {
        self.shared.guard.shared().on_replaced(Box::new(run));
    }

    /// What work on [`append`](Self::append) and [`maintain`](Self::maintain) shows before it
    /// changes something.
    ///
    /// # Errors
    /// [`DbError`] if the database is not this process's.
    pub fn fence(&self) -> Result<Fence, DbError> {
        self.shared.guard.shared().owned().map(|owned| Fence { incarnation: owned.incarnation })
    }

    /// How many connections append.
    pub fn appenders(&self) -> usize {
        self.shared.appenders.len()
    }

    /// Queues `work` for the connection `appender`, modulo their number, and returns at once. The
    /// work of one connection runs in the order of submission, without a transaction around it.
    /// `done` receives the result exactly once, on the thread of the connection; other work of it
    /// waits meanwhile, so it must not block. After [`close`](Self::close), `done` is called before
    /// this function returns.
    ///
    /// The queue is not bounded: callers have to limit how much they submit.
    ///
    /// `done` receives [`DbError::Query`] if the statements failed by themselves, another error if
    /// the database failed, and [`DbError::Closed`] after [`close`](Self::close). After a failure
    /// that was not of the statements, work may have been committed nevertheless.
    pub fn append<T, F, D>(&self, appender: usize, work: F, done: D)
    where
        T: Send + 'static,
        F: FnOnce(&mut DbConnection) -> QueryResult<T> + Send + 'static,
        D: FnOnce(Result<T, DbError>) + Send + 'static,
    {
        let job = Box::new(Job::new(SyncMode::Full, work, done));
        match self.shared.appenders.get(appender % self.shared.appenders.len().max(1)) {
            Some(worker) => worker.submit(job),
            None => drop(job),
        }
    }

    /// Runs `work` in the writer's next transaction, in a savepoint of its own, and returns its
    /// result after the commit. Work runs in the order of submission, and nothing else that is
    /// written by this function runs at the same time, by any process. At most 4,096 writes are
    /// queued; further ones wait.
    ///
    /// Not cancel-safe: once the future was polled, the work may be done although the future is
    /// dropped.
    ///
    /// # Errors
    /// [`DbError::Query`] if the statements failed by themselves, [`DbError::Unavailable`] if the
    /// database failed, [`DbError::Closed`] after [`close`](Self::close).
    pub async fn write<T, F>(&self, work: F) -> Result<T, DbError>
    where
        T: Send + 'static,
        F: FnOnce(&mut DbConnection) -> QueryResult<T> + Send + 'static,
    {
        self.shared.writer.run(&self.shared.writes, SyncMode::Full, work).await
    }

    /// The same as [`write`](Self::write): the server's setting `synchronous_commit` decides what a
    /// commit survives.
    ///
    /// # Errors
    /// The same as [`write`](Self::write).
    pub async fn write_with<T, F>(&self, _: SyncMode, work: F) -> Result<T, DbError>
    where
        T: Send + 'static,
        F: FnOnce(&mut DbConnection) -> QueryResult<T> + Send + 'static,
    {
        self.write(work).await
    }

    /// Runs `work` on a connection of its own, without a transaction around it, one piece at a
    /// time. It may take longer than a write, because no write waits for it.
    ///
    /// Not cancel-safe: once the future was polled, the work may be done although the future is
    /// dropped.
    ///
    /// # Errors
    /// The same as [`write`](Self::write).
    pub async fn maintain<T, F>(&self, work: F) -> Result<T, DbError>
    where
        T: Send + 'static,
        F: FnOnce(&mut DbConnection) -> QueryResult<T> + Send + 'static,
    {
        self.shared.maintenance.run(&self.shared.writes, SyncMode::Full, work).await
    }

    /// Runs `work` in a snapshot, on a connection that can't write. It sees everything that was
    /// committed before. Cancel-safe.
    ///
    /// # Errors
    /// [`DbError::Query`] if a row was not found, [`DbError::Unavailable`] if the database failed,
    /// [`DbError::Closed`] after [`close`](Self::close).
    pub async fn read<T, F>(&self, work: F) -> Result<T, DbError>
    where
        T: Send + 'static,
        F: FnOnce(&mut DbConnection) -> QueryResult<T> + Send + 'static,
    {
        let readers = Arc::clone(&self.shared.readers);
        let permit = readers.permit().await?;
        let read = move || {
            let value = readers.run(work);
            drop(permit);
            value
        };
        tokio::task::spawn_blocking(read).await.map_err(|_| DbError::Closed)?
    }

    /// Checks whether a transaction can be committed now. If one has failed since the last check,
    /// also whether the disk has room for more data.
    ///
    /// # Errors
    /// The same as [`write`](Self::write).
    pub async fn check(&self) -> Result<(), DbError> {
        let failures = self.shared.guard.shared().failures();
        if failures == self.shared.checked_failures.load(Ordering::Relaxed) {
            return self.write(|_| Ok(())).await;
        }
        self.write(grow).await?;
        self.shared.checked_failures.store(failures, Ordering::Relaxed);
        Ok(())
    }

    /// Accepts no more work, waits until the queued work is committed, and gives the database up.
    pub async fn close(&self) {
        let workers = |inner: &Inner, each: fn(&Worker<DbConnection>)| {
            inner.appenders.iter().chain([&inner.writer, &inner.maintenance]).for_each(each);
        };
        workers(&self.shared, Worker::end);
        self.shared.writes.close();
        self.shared.readers.close().await;
        let inner = Arc::clone(&self.shared);
        let ended = tokio::task::spawn_blocking(move || {
            workers(&inner, Worker::join);
            inner.readers.disconnect();
            inner.guard.close();
        });
        if ended.await.is_err() {
            tracing::error!("closing the database ended with a panic");
        }
    }
}
