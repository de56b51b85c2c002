//! Threads that run work one piece at a time, without a transaction around it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, mpsc};
use std::time::Instant;

use super::connection::DbConnection;
use super::guard::Shared;
use super::session::Session;
use crate::DbError;
use crate::commits::Commits;
use crate::worker::Piece;

/// Runs each piece of work on a connection of its own.
pub(crate) fn run(shared: Arc<Shared>, queue: &mpsc::Receiver<Piece<DbConnection>>) {
    let (mut session, commits) = (Session::new(shared), Commits::new());
    while let Ok(mut work) = queue.recv() {
        let begun = Instant::now();
        let result = match session.link() {
            Ok((link, _)) => alone(&mut work, &mut link.connection),
            Err(error) => Err(error),
        };
        commits.note(begun, 1, result.as_ref().err());
        if result.is_err() {
            session.fail();
        }
        work.finish(result);
    }
}

/// Runs work without a savepoint.
fn alone(work: &mut Piece<DbConnection>, connection: &mut DbConnection) -> Result<(), DbError> {
    let panicked = |_| Err(DbError::Unavailable("work on it panicked".into()));
    catch_unwind(AssertUnwindSafe(|| work.run_alone(connection))).unwrap_or_else(panicked)
}
