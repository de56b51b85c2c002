//! Work for the writer.

use std::panic::{AssertUnwindSafe, catch_unwind};

use diesel::result::{DatabaseErrorKind, Error};
use diesel::{Connection, QueryResult};

use crate::{DbError, SyncMode};

/// A piece of work on a connection `C`. It runs inside a transaction and delivers its result after
/// the commit.
pub(crate) trait Work<C>: Send {
    /// What its commit has to survive.
    #[cfg_attr(not(feature = "sqlite"), allow(dead_code))] // the server decides
    fn sync_mode(&self) -> SyncMode;
    /// Runs the statements and keeps their result. A returned error fails the whole transaction.
    fn run(&mut self, connection: &mut C) -> Result<(), DbError>;
    /// As [`run`](Self::run), without a savepoint.
    #[cfg(feature = "postgres")]
    fn run_alone(&mut self, connection: &mut C) -> Result<(), DbError>;
    /// Delivers the result, or the error of the commit.
    fn finish(self: Box<Self>, committed: Result<(), DbError>);
}

/// A closure as [`Work`], with a callback for its result.
pub(crate) struct Job<T, F, D>
where
    D: FnOnce(Result<T, DbError>),
{
    #[cfg_attr(not(feature = "sqlite"), allow(dead_code))] // the server decides
    sync_mode: SyncMode,
    /// `None` after it ran.
    work: Option<F>,
    outcome: Option<Result<T, DbError>>,
    /// `None` after it was called.
    done: Option<D>,
}

impl<T, F, D> Job<T, F, D>
where
    D: FnOnce(Result<T, DbError>),
{
    pub(crate) fn new(sync_mode: SyncMode, work: F, done: D) -> Self {
        Self { sync_mode, work: Some(work), outcome: None, done: Some(done) }
    }

    /// Keeps the result, unless it fails the whole transaction.
    fn keep(&mut self, result: QueryResult<T>) -> Result<(), DbError> {
        match result {
            Ok(value) => self.outcome = Some(Ok(value)),
            Err(error) if is_of_the_statement(&error) => {
                self.outcome = Some(Err(DbError::Query(error.to_string())));
            }
            Err(error) => return Err(DbError::failure(&error)),
        }
        Ok(())
    }

    fn report(&mut self, result: Result<T, DbError>) {
        let Some(done) = self.done.take() else { return };
        // a panic in the callback must not end the writer, on which other work waits
        if catch_unwind(AssertUnwindSafe(|| done(result))).is_err() {
            tracing::error!("a callback for a database result panicked");
        }
    }
}

impl<C, T, F, D> Work<C> for Job<T, F, D>
where
    C: Connection,
    T: Send,
    F: FnOnce(&mut C) -> QueryResult<T> + Send,
    D: FnOnce(Result<T, DbError>) + Send,
{
    fn sync_mode(&self) -> SyncMode {
        self.sync_mode
    }

    fn run(&mut self, connection: &mut C) -> Result<(), DbError> {
        let Some(work) = self.work.take() else {
            return Ok(());
        };
        // a savepoint, because the batch has an open transaction
        let result = connection.transaction(work);
        self.keep(result)
    }

    #[cfg(feature = "postgres")]
    fn run_alone(&mut self, connection: &mut C) -> Result<(), DbError> {
        let Some(work) = self.work.take() else {
            return Ok(());
        };
        let result = work(connection);
        self.keep(result)
    }

    fn finish(mut self: Box<Self>, committed: Result<(), DbError>) {
        let result = match (committed, self.outcome.take()) {
            (Ok(()), Some(outcome)) => outcome,
            (Ok(()), None) => Err(DbError::Closed),
            (Err(error), _) => Err(error),
        };
        self.report(result);
    }
}

/// Work that is dropped before it ran was submitted too late, or the writer is gone.
impl<T, F, D> Drop for Job<T, F, D>
where
    D: FnOnce(Result<T, DbError>),
{
    fn drop(&mut self) {
        self.report(Err(DbError::Closed));
    }
}

/// Whether an error concerns the statement alone. Others (full, I/O, busy) may have rolled back the
/// whole transaction (<https://sqlite.org/lang_transaction.html>, "Response To Errors Within A
/// Transaction").
fn is_of_the_statement(error: &Error) -> bool {
    match error {
        Error::NotFound => true,
        Error::DatabaseError(kind, _) => matches!(
            kind,
            DatabaseErrorKind::UniqueViolation
                | DatabaseErrorKind::ForeignKeyViolation
                | DatabaseErrorKind::NotNullViolation
                | DatabaseErrorKind::CheckViolation
        ),
        _ => false,
    }
}
