//! The errors of an index.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// What kind of failure a [`SearchError`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SearchErrorKind {
    /// Another program holds a lock on the index.
    Busy,
    /// The disk is full.
    Full,
    /// The content of the index is not what was written. [`clear`](crate::SearchIndex::clear)
    /// begins a new one.
    Damaged,
    /// The index was closed.
    Closed,
    /// Any other failure.
    Other,
}

/// The index failed. It can be tried again later.
///
/// The text names the cause; [`source`](Error::source) gives the cause itself.
#[derive(Clone)]
pub struct SearchError {
    kind: SearchErrorKind,
    source: Arc<dyn Error + Send + Sync>,
}

impl SearchError {
    /// An error of this kind with its cause: another error, or a text.
    pub fn new(kind: SearchErrorKind, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let source: Box<dyn Error + Send + Sync> = source.into();
        Self { kind, source: source.into() }
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> SearchErrorKind {
        self.kind
    }
}

impl fmt::Debug for SearchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SearchError").field("kind", &self.kind).field("source", &self.source).finish()
    }
}

impl fmt::Display for SearchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the search index is unavailable: {}", self.source)
    }
}

impl Error for SearchError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}
