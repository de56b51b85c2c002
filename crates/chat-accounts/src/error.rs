//! Why an account store did not do what it was asked to.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::Reservation;

/// What kind of failure a [`StoreError`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoreErrorKind {
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

/// A failure of an account store. Unless its kind is [`Closed`](StoreErrorKind::Closed), the store
/// may work again later.
///
/// The text names the cause; [`source`](Error::source) gives the cause itself.
#[derive(Clone)]
pub struct StoreError {
    kind: StoreErrorKind,
    source: Arc<dyn Error + Send + Sync>,
}

impl StoreError {
    /// An error of this kind with its cause: another error, or a text.
    ///
    /// ```
    /// use chat_accounts::{StoreError, StoreErrorKind};
    ///
    /// let error = StoreError::new(StoreErrorKind::TimedOut, "no answer within 5 s");
    /// assert_eq!(error.kind(), StoreErrorKind::TimedOut);
    /// assert_eq!(error.to_string(), "the account store is unavailable: no answer within 5 s");
    /// ```
    pub fn new(kind: StoreErrorKind, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let source: Box<dyn Error + Send + Sync> = source.into();
        Self { kind, source: source.into() }
    }

    /// An error of the kind [`Other`](StoreErrorKind::Other).
    pub fn other(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(StoreErrorKind::Other, source)
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> StoreErrorKind {
        self.kind
    }
}

impl fmt::Debug for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreError").field("kind", &self.kind).field("source", &self.source).finish()
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the account store is unavailable: {}", self.source)
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}

/// Why [`AccountStore::create`](crate::AccountStore::create) did not create an account. Unless the
/// store failed, nothing has changed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum CreateError {
    /// There is no such invite, or it has expired or is used up.
    #[error("the invite is not valid")]
    InvalidInvite,
    /// An account has the same subject of the same issuer.
    #[error("another account belongs to this subject")]
    SubjectTaken,
    /// The name, or one that looks like it, belongs to an account or is kept after a deletion.
    #[error("the name \"{}\" is taken", .0.username)]
    NameTaken(Reservation),
    /// The guest is tied to another account.
    #[error("the guest belongs to another account")]
    GuestAlreadyAdopted,
    /// The store failed. It is not known whether the account was created.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why [`AccountStore::add_token`](crate::AccountStore::add_token) did not add a token.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum AddTokenError {
    /// There is no such account.
    #[error("the account does not exist")]
    NoAccount,
    /// The account is disabled.
    #[error("the account is disabled")]
    Disabled,
    /// The password was changed after it was compared.
    #[error("the password was changed meanwhile")]
    PasswordChanged,
    /// The account has the maximum number of API tokens.
    #[error("the account has {} API tokens, which is the maximum", crate::MAX_TOKENS)]
    LimitReached,
    /// The store failed. It is not known whether the token was added.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a room or an invite was not added.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum AddError {
    /// There is no such account.
    #[error("the account does not exist")]
    NoAccount,
    /// The list has the maximum length.
    #[error("the list is full: it has {max} entries")]
    LimitReached {
        /// The maximum number of entries.
        max: usize,
    },
    /// The store failed. It is not known whether the entry was added; it is safe to retry.
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[cfg(any(feature = "postgres", feature = "sqlite"))]
impl From<chat_db::DbError> for StoreError {
    fn from(error: chat_db::DbError) -> Self {
        use chat_db::DbErrorKind;

        let kind = match error.kind() {
            DbErrorKind::Busy => StoreErrorKind::Busy,
            DbErrorKind::Full => StoreErrorKind::Full,
            DbErrorKind::Damaged => StoreErrorKind::Damaged,
            DbErrorKind::Closed => StoreErrorKind::Closed,
            DbErrorKind::TimedOut => StoreErrorKind::TimedOut,
            _ => StoreErrorKind::Other,
        };
        Self::new(kind, error)
    }
}
