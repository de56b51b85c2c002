//! Why a store did not do what it was asked to.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::Refused;

/// What kind of failure an [`AccessError`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AccessErrorKind {
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

/// A failure of a store. Unless its kind is [`Closed`](AccessErrorKind::Closed), the store may work
/// again later.
///
/// The text names the cause; [`source`](Error::source) gives the cause itself.
#[derive(Clone)]
pub struct AccessError {
    kind: AccessErrorKind,
    source: Arc<dyn Error + Send + Sync>,
}

impl AccessError {
    /// An error of this kind with its cause: another error, or a text.
    pub fn new(kind: AccessErrorKind, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let source: Box<dyn Error + Send + Sync> = source.into();
        Self { kind, source: source.into() }
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> AccessErrorKind {
        self.kind
    }
}

impl fmt::Debug for AccessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessError").field("kind", &self.kind).field("source", &self.source).finish()
    }
}

impl fmt::Display for AccessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the store of roles and bans is unavailable: {}", self.source)
    }
}

impl Error for AccessError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}

#[cfg(any(feature = "postgres", feature = "sqlite"))]
impl From<chat_db::DbError> for AccessError {
    fn from(error: chat_db::DbError) -> Self {
        use chat_db::DbErrorKind;

        let kind = match error.kind() {
            DbErrorKind::Busy => AccessErrorKind::Busy,
            DbErrorKind::Full => AccessErrorKind::Full,
            DbErrorKind::Damaged => AccessErrorKind::Damaged,
            DbErrorKind::Closed => AccessErrorKind::Closed,
            DbErrorKind::TimedOut => AccessErrorKind::TimedOut,
            _ => AccessErrorKind::Other,
        };
        Self::new(kind, error)
    }
}

/// Why [`AccessStore::act`](crate::AccessStore::act) did not carry out an act. Unless the store
/// failed, nothing has changed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ActError {
    /// The doer may not do it.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The store failed. It is not known whether the act was stored; it is safe to retry.
    #[error(transparent)]
    Store(#[from] AccessError),
}
