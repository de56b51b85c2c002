//! Why a history store did not do what it was asked to.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::NewEvent;

/// What kind of failure a [`HistoryError`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HistoryErrorKind {
    /// The store is locked or has too much to do. A later attempt may succeed.
    Busy,
    /// There is no space left: in the store, or in a room that has used all its numbers.
    Full,
    /// The stored data is damaged, or does not have the form that the store writes.
    Damaged,
    /// The store was closed.
    Closed,
    /// The store did not answer in time.
    TimedOut,
    /// Any other failure.
    Other,
}

/// A failure of a history store. Unless its kind is [`Closed`](HistoryErrorKind::Closed), the store
/// may work again later.
///
/// The text names the cause; [`source`](Error::source) gives the cause itself. Two errors are equal
/// if their kinds and texts are.
#[derive(Clone)]
pub struct HistoryError {
    kind: HistoryErrorKind,
    source: Arc<dyn Error + Send + Sync>,
}

impl HistoryError {
    /// An error of this kind with its cause: another error, or a text.
    ///
    /// ```
    /// use chat_history::{HistoryError, HistoryErrorKind};
    ///
    /// let error = HistoryError::new(HistoryErrorKind::Full, "the disk is full");
    /// assert_eq!(error.kind(), HistoryErrorKind::Full);
    /// assert_eq!(error.to_string(), "the history store is unavailable: the disk is full");
    /// ```
    pub fn new(kind: HistoryErrorKind, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let source: Box<dyn Error + Send + Sync> = source.into();
        Self { kind, source: source.into() }
    }

    /// An error of the kind [`Other`](HistoryErrorKind::Other).
    pub fn other(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(HistoryErrorKind::Other, source)
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> HistoryErrorKind {
        self.kind
    }
}

impl PartialEq for HistoryError {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind && self.source.to_string() == other.source.to_string()
    }
}

impl Eq for HistoryError {}

impl fmt::Debug for HistoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HistoryError").field("kind", &self.kind).field("source", &self.source).finish()
    }
}

impl fmt::Display for HistoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the history store is unavailable: {}", self.source)
    }
}

impl Error for HistoryError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}

/// Why an event was not appended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// The same user has used this id in the same room for a message with another body, which may
    /// have been deleted or pruned since. Nothing was stored.
    #[error("the id was already used for another message")]
    IdReused,
    /// The policy of the room does not allow the author to do this. Nothing was stored.
    #[error("the policy of the room does not allow this")]
    NotAllowed,
    /// The message is of another user. Nothing was stored.
    #[error("the message is of another user")]
    NotAuthor,
    /// There is no such message, or it was deleted. Nothing was stored.
    #[error("there is no such message")]
    NotFound,
    /// The message has as many different reactions as a message may have
    /// ([`MAX_REACTIONS`](chat_protocol::MAX_REACTIONS)). Nothing was stored.
    #[error("the message has too many different reactions")]
    LimitReached,
    /// The message is too old to be edited. Nothing was stored.
    #[error("the message is too old to be edited")]
    TooLate,
    /// The policy of the room has changed since the event was checked. Nothing was stored. This is
    /// the event, to be checked again.
    #[error("the policy of the room has changed")]
    PolicyChanged(Box<NewEvent>),
    /// The store failed. It is not known whether the event was stored; it is safe to append it
    /// again, a message with the same id.
    #[error(transparent)]
    Unavailable(#[from] HistoryError),
}

#[cfg(any(feature = "postgres", feature = "sqlite"))]
impl From<chat_db::DbError> for HistoryError {
    fn from(error: chat_db::DbError) -> Self {
        use chat_db::DbErrorKind;

        let kind = match error.kind() {
            DbErrorKind::Busy => HistoryErrorKind::Busy,
            DbErrorKind::Full => HistoryErrorKind::Full,
            DbErrorKind::Damaged => HistoryErrorKind::Damaged,
            DbErrorKind::Closed => HistoryErrorKind::Closed,
            DbErrorKind::TimedOut => HistoryErrorKind::TimedOut,
            _ => HistoryErrorKind::Other,
        };
        Self::new(kind, error)
    }
}
