//! Deleting an account.

use std::time::Duration;

use chat_access::{AccessError, Named};
use chat_accounts::{Account, StoreError};
use chat_history::{HistoryError, UserQuery};
use chat_protocol::{CloseCode, DeletedBy, Timestamp};

use crate::accounts::{Accounts, NAME_KEPT};
use crate::context::Context;
use crate::context::erasure::{EraseError, Erasure};

/// Why an account was not deleted. If its messages are being erased, it is disabled, and some of
/// them may be erased; it is safe to try again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeleteError {
    /// The server does not store messages, so that none can be erased.
    #[error("this server does not store messages")]
    NotStored,
    /// The account store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The history store failed.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// The store of roles failed.
    #[error(transparent)]
    Access(#[from] AccessError),
}

impl From<EraseError> for DeleteError {
    fn from(error: EraseError) -> Self {
        match error {
            EraseError::History(error) => Self::History(error),
            EraseError::Access(error) => Self::Access(error),
        }
    }
}

impl Context {
    /// Deletes an account, with its messages, their copies in open reports and its reactions if
    /// asked to, and ends its sessions.
    pub(crate) async fn delete_account(
        &self,
        accounts: &Accounts,
        account: &Account,
        erases: Option<DeletedBy>,
    ) -> Result<(), DeleteError> {
        let (id, now) = (&account.id, Timestamp::now());
        if let Some(by) = erases {
            // nothing is written from now on. If the server stops before the end, the account is
            // disabled, and an admin can delete it
            accounts.store().set_disabled(id.clone(), Some(now)).await?;
            self.sessions.end_user(id, None, CloseCode::NotAccepted);
            let messages = &**accounts.messages().ok_or(DeleteError::NotStored)?;
            let doer = (by == DeletedBy::Author).then(|| Named::new(id.clone(), account.username.clone()));
            for author in std::iter::once(id).chain(&account.guests) {
                let erasure = Erasure { query: UserQuery::new(author.clone()), by, doer: doer.clone() };
                self.erase_messages(messages, &erasure, None, Duration::MAX).await?;
                self.erase_reactions(messages, &erasure, None, Duration::MAX).await?;
            }
        }
        // before the account is gone: an attempt that fails here can be repeated
        self.engine.forget(id, &account.username).await?;
        accounts.store().delete(id.clone(), now.saturating_add(NAME_KEPT)).await?;
        self.sessions.end_user(id, None, CloseCode::NotAccepted);
        let erased = erases.is_some();
        tracing::info!(user = %id, username = %account.username, erased, "an account was deleted");
        Ok(())
    }
}
