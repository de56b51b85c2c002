//! Registering: a user gets an account.

use chat_accounts::{
    Account, CreateError, HashError, InviteCode, NewAccount, Password, Reservation, StoreError,
};
use chat_protocol::{Timestamp, UserId, Username};
use tokio::time::Instant;

use crate::accounts::{Accounts, TooManyAttempts};
use crate::admission::addresses::ClientAddress;
use crate::metrics;

/// A user who registers.
#[derive(Debug)]
pub(crate) struct NewUser {
    pub(crate) username: Username,
    pub(crate) password: Password,
    pub(crate) invite: Option<InviteCode>,
    /// Who the user is as a guest under the same name.
    pub(crate) guest: Option<UserId>,
}

/// Why a user is not registered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RegisterError {
    #[error("this name, or one that looks like it, is taken")]
    NameTaken(Reservation),
    #[error("the invite is not valid, or is used up")]
    Invite,
    #[error("too many registrations from your address; try again later")]
    TooMany(TooManyAttempts),
    #[error("too many users are signing in; try again in a moment")]
    Busy,
    #[error("passwords can't be hashed now; try again later")]
    Hash(#[source] HashError),
    #[error("storage is unavailable; try again later")]
    Store(#[from] StoreError),
    #[error("this account can't be created")]
    Other(#[source] CreateError),
}

impl Accounts {
    /// Creates the account of a user who registers. The caller has to end the guests who have its
    /// name.
    pub(crate) async fn register(&self, new: NewUser, from: ClientAddress) -> Result<Account, RegisterError> {
        self.shared.attempts.register(from.network(), Instant::now()).map_err(RegisterError::TooMany)?;
        let NewUser { username, password, invite, guest } = new;
        // a name that is not free costs no hash
        if let Some(reserved) = self.store().reserved(username.clone(), Timestamp::now()).await? {
            return Err(RegisterError::NameTaken(reserved));
        }
        let hash = self.hasher().hash(password).await.map_err(|error| match error {
            HashError::Busy => RegisterError::Busy,
            other => RegisterError::Hash(other),
        })?;
        let mut account = NewAccount::new(username, Timestamp::now()).with_password(hash);
        account.invite = invite.map(|code| code.hash());
        account.adopts = guest;
        let account = self.create(account).await.map_err(|error| match error {
            CreateError::InvalidInvite => RegisterError::Invite,
            CreateError::NameTaken(reserved) => RegisterError::NameTaken(reserved),
            CreateError::Store(error) => error.into(),
            other => RegisterError::Other(other),
        })?;
        metrics::registered();
        tracing::info!(user = %account.id, username = %account.username, address = %from, "a user has registered");
        Ok(account)
    }
}
