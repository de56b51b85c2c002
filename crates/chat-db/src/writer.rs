//! The one writer: a thread that commits everything that is waiting at once.

use std::path::PathBuf;

use diesel::connection::{AnsiTransactionManager, TransactionManager};
use diesel::result::{DatabaseErrorKind, Error};
use diesel::{Connection, QueryResult, SqliteConnection};
use tokio::sync::{mpsc, oneshot};

use crate::{DbError, connection};

/// How much work one transaction takes at most: a bound on how long the first of it waits for the last.
const MOST_IN_A_BATCH: usize = 512;

/// How much work may wait before whoever brings more has to wait.
pub(crate) const QUEUE: usize = 4_096;

/// A piece of work: runs inside a transaction, and gives its result out once that has been committed.
pub(crate) trait Work: Send {
    /// Runs the statements and keeps their result. An error that is returned has failed the whole transaction.
    fn run(&mut self, connection: &mut SqliteConnection) -> Result<(), DbError>;
    /// Gives out the result, or why there is none.
    fn finish(self: Box<Self>, committed: Result<(), DbError>);
}

/// A closure as [`Work`], with the other end of its answer.
pub(crate) struct Job<T, F> {
    work: Option<F>,
    outcome: Option<Result<T, DbError>>,
    answer: oneshot::Sender<Result<T, DbError>>,
}

impl<T, F> Job<T, F>
where
    T: Send,
    F: FnOnce(&mut SqliteConnection) -> QueryResult<T> + Send,
{
    pub(crate) fn new(work: F, answer: oneshot::Sender<Result<T, DbError>>) -> Self {
        Self { work: Some(work), outcome: None, answer }
    }
}

impl<T, F> Work for Job<T, F>
where
    T: Send,
    F: FnOnce(&mut SqliteConnection) -> QueryResult<T> + Send,
{
    fn run(&mut self, connection: &mut SqliteConnection) -> Result<(), DbError> {
        let Some(work) = self.work.take() else {
            return Ok(());
        };
        // inside the batch's transaction this is a savepoint
        match connection.transaction(work) {
            Ok(value) => self.outcome = Some(Ok(value)),
            Err(error) if stands_alone(&error) => self.outcome = Some(Err(DbError::Query(error.to_string()))),
            Err(error) => return Err(DbError::Unavailable(error.to_string())),
        }
        Ok(())
    }

    fn finish(self: Box<Self>, committed: Result<(), DbError>) {
        let result = match (committed, self.outcome) {
            (Ok(()), Some(outcome)) => outcome,
            (Ok(()), None) => Err(DbError::Closed),
            (Err(error), _) => Err(error),
        };
        // whoever asked may have gone: what was written stands
        let _ = self.answer.send(result);
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

/// The thread's state.
pub(crate) struct Writer {
    /// The file, to open it again after a failure.
    pub(crate) path: PathBuf,
    /// None after a failed transaction, until the file could be opened again.
    pub(crate) connection: Option<SqliteConnection>,
    /// What stores bring. The other ends are [`Database`](crate::Database)'s clones.
    pub(crate) queue: mpsc::Receiver<Box<dyn Work>>,
}

impl Writer {
    /// Works until the queue is closed and empty.
    pub(crate) fn run(mut self) {
        let mut batch: Vec<Box<dyn Work>> = Vec::new();
        while let Some(first) = self.queue.blocking_recv() {
            batch.push(first);
            while batch.len() < MOST_IN_A_BATCH
                && let Ok(next) = self.queue.try_recv()
            {
                batch.push(next);
            }
            let committed = self.commit(&mut batch);
            if let Err(error) = &committed {
                tracing::error!(%error, work = batch.len(), "a transaction failed");
                // what the file holds now is not known here: a new connection reads it afresh
                self.connection = None;
            }
            for work in batch.drain(..) {
                work.finish(committed.clone());
            }
        }
    }

    fn commit(&mut self, batch: &mut [Box<dyn Work>]) -> Result<(), DbError> {
        let unavailable = |error: &dyn std::fmt::Display| DbError::Unavailable(error.to_string());
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(connection::writing(&self.path).map_err(|error| unavailable(&error))?),
        };
        AnsiTransactionManager::begin_transaction_sql(connection, "BEGIN IMMEDIATE")
            .map_err(|error| unavailable(&error))?;
        for work in batch {
            work.run(connection)?;
        }
        AnsiTransactionManager::commit_transaction(connection).map_err(|error| unavailable(&error))
    }
}
