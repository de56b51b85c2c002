//! Why a store of usage did not do what it was asked to.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// What kind of failure an [`UsageError`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UsageErrorKind {
    /// The store is locked or has too much to do. A later attempt may succeed.
    Busy,
    /// The store has no space left.
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

/// A failure of a store. Unless its kind is [`Closed`](UsageErrorKind::Closed), the store may work
/// again later.
///
/// The text names the cause; [`source`](Error::source) gives the cause itself.
#[derive(Clone)]
pub struct UsageError {
    kind: UsageErrorKind,
    source: Arc<dyn Error + Send + Sync>,
}

impl UsageError {
    /// An error of this kind with its cause: another error, or a text.
    pub fn new(kind: UsageErrorKind, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let source: Box<dyn Error + Send + Sync> = source.into();
        Self { kind, source: source.into() }
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> UsageErrorKind {
        self.kind
    }
}

impl fmt::Debug for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UsageError").field("kind", &self.kind).field("source", &self.source).finish()
    }
}

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the store of usage statistics is unavailable: {}", self.source)
    }
}

impl Error for UsageError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}

#[cfg(any(feature = "postgres", feature = "sqlite"))]
impl From<chat_db::DbError> for UsageError {
    fn from(error: chat_db::DbError) -> Self {
        use chat_db::DbErrorKind;

        let kind = match error.kind() {
            DbErrorKind::Busy => UsageErrorKind::Busy,
            DbErrorKind::Full => UsageErrorKind::Full,
            DbErrorKind::Damaged => UsageErrorKind::Damaged,
            DbErrorKind::Closed => UsageErrorKind::Closed,
            DbErrorKind::TimedOut => UsageErrorKind::TimedOut,
            _ => UsageErrorKind::Other,
        };
        Self::new(kind, error)
    }
}
