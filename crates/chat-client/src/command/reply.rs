//! The answer of a command, and the permit that the command holds until then.

use std::fmt;
use std::sync::Arc;

use tokio::sync::oneshot;

use crate::model::CommandError;

/// A class of commands that has its own permits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// Messages without an ack.
    Message,
    /// Other commands without an answer.
    Call,
}

/// Receives permits that are released.
pub(super) trait PermitPool: Send + Sync {
    fn release(self: Arc<Self>, class: Class);
}

/// Permission to be in flight. It is released when this is dropped.
pub(super) struct Permit {
    pool: Arc<dyn PermitPool>,
    class: Class,
}

impl Permit {
    pub(super) fn new(pool: Arc<dyn PermitPool>, class: Class) -> Self {
        Self { pool, class }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        Arc::clone(&self.pool).release(self.class);
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").field("class", &self.class).finish_non_exhaustive()
    }
}

/// Sends the answer of a command, and releases its permit.
#[derive(Debug)]
pub(crate) struct Responder<T> {
    answer: oneshot::Sender<Result<T, CommandError>>,
    /// Released together with the answer.
    _permit: Permit,
}

impl<T> Responder<T> {
    pub(super) fn new(answer: oneshot::Sender<Result<T, CommandError>>, permit: Permit) -> Self {
        Self { answer, _permit: permit }
    }

    /// Sends the answer. The caller may have dropped its end.
    pub(crate) fn respond(self, answer: Result<T, CommandError>) {
        let _ = self.answer.send(answer);
    }
}
