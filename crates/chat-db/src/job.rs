//! What is handed to the writer.

use std::panic::{AssertUnwindSafe, catch_unwind};

use diesel::result::{DatabaseErrorKind, Error};
use diesel::{Connection, QueryResult, SqliteConnection};

use crate::{DbError, Durability};

/// A piece of work: runs inside a transaction, and gives its result out once that has been committed.
pub(crate) trait Work: Send {
    /// What its commit has to wait for.
    fn durability(&self) -> Durability;
    /// Runs the statements and keeps their result. An error that is returned has failed the whole transaction.
    fn run(&mut self, connection: &mut SqliteConnection) -> Result<(), DbError>;
    /// Gives out the result, or why there is none.
    fn finish(self: Box<Self>, committed: Result<(), DbError>);
}

/// A closure as [`Work`], with another that hears of its result.
pub(crate) struct Job<T, F, D>
where
    D: FnOnce(Result<T, DbError>),
{
    durability: Durability,
    /// None once it has run.
    work: Option<F>,
    outcome: Option<Result<T, DbError>>,
    /// None once it was told.
    done: Option<D>,
}

impl<T, F, D> Job<T, F, D>
where
    D: FnOnce(Result<T, DbError>),
{
    pub(crate) fn new(durability: Durability, work: F, done: D) -> Self {
        Self { durability, work: Some(work), outcome: None, done: Some(done) }
    }

    fn tell(&mut self, result: Result<T, DbError>) {
        let Some(done) = self.done.take() else { return };
        // it is foreign code, and on the writer's thread others wait behind it
        if catch_unwind(AssertUnwindSafe(|| done(result))).is_err() {
            tracing::error!("a callback for a database result panicked");
        }
    }
}

impl<T, F, D> Work for Job<T, F, D>
where
    T: Send,
    F: FnOnce(&mut SqliteConnection) -> QueryResult<T> + Send,
    D: FnOnce(Result<T, DbError>) + Send,
{
    fn durability(&self) -> Durability {
        self.durability
    }

    fn run(&mut self, connection: &mut SqliteConnection) -> Result<(), DbError> {
        let Some(work) = self.work.take() else {
            return Ok(());
        };
        // inside the batch's transaction this is a savepoint
        match connection.transaction(work) {
            Ok(value) => self.outcome = Some(Ok(value)),
            Err(error) if stands_alone(&error) => self.outcome = Some(Err(DbError::Query(error.to_string()))),
            Err(error) => return Err(DbError::failure(&error)),
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>, committed: Result<(), DbError>) {
        let result = match (committed, self.outcome.take()) {
            (Ok(()), Some(outcome)) => outcome,
            (Ok(()), None) => Err(DbError::Closed),
            (Err(error), _) => Err(error),
        };
        self.tell(result);
    }
}

/// Work that is dropped before it ran was handed over too late, or the writer is gone.
impl<T, F, D> Drop for Job<T, F, D>
where
    D: FnOnce(Result<T, DbError>),
{
    fn drop(&mut self) {
        self.tell(Err(DbError::Closed));
    }
}

/// Whether an error is the statement's own. Others (full, I/O, busy) may have rolled the whole transaction back
/// (<https://sqlite.org/lang_transaction.html>, "Response To Errors Within A Transaction").
fn stands_alone(error: &Error) -> bool {
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
