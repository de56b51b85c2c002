//! The writer: commits all queued work at once (group commit).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, mpsc};
use std::time::Instant;

use diesel::QueryResult;
use diesel::connection::TransactionManager;

use super::connection::{DbConnection, Transactions};
use super::guard::Shared;
use super::session::Session;
use crate::DbError;
use crate::commits::Commits;
use crate::worker::Piece;

/// The maximum number of jobs in one transaction. It bounds how long the first job waits for the
/// last.
const MAX_BATCH: usize = 128;

/// Works until the queue is closed and empty.
pub(crate) fn run(shared: Arc<Shared>, queue: &mpsc::Receiver<Piece<DbConnection>>) {
    let (mut session, commits) = (Session::new(shared), Commits::new());
    let mut batch = Vec::new();
    while let Ok(first) = queue.recv() {
        batch.push(first);
        batch.extend(queue.try_iter().take(MAX_BATCH - 1));
        let begun = Instant::now();
        let committed = commit(&mut session, &mut batch);
        commits.note(begun, batch.len(), committed.as_ref().err());
        if committed.is_err() {
            session.fail();
        }
        for work in batch.drain(..) {
            work.finish(committed.clone());
        }
    }
}

/// Runs the batch in one transaction.
fn commit(session: &mut Session, batch: &mut [Piece<DbConnection>]) -> Result<(), DbError> {
    let (link, incarnation) = session.link()?;
    let failure = |error| DbError::failure(&error);
    // hexadecimal digits, so there is nothing to escape
    link.begin(&format!("BEGIN; SELECT chatd_begin_write('{incarnation}')")).map_err(failure)?;
    let connection = &mut link.connection;
    for work in &mut *batch {
        // after a panic the connection is dropped, and with it the transaction
        let outcome = catch_unwind(AssertUnwindSafe(|| work.run(connection)));
        outcome.map_err(|_| DbError::Unavailable("work on it panicked".into()))??;
    }
    let committed: QueryResult<()> = Transactions::commit_transaction(connection);
    committed.map_err(failure)
}
