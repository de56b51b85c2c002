//! Deleting an account.

use chat_access::AccessError;
use chat_accounts::{Account, StoreError};
use chat_history::{HistoryError, UserQuery, UserReaction};
use chat_protocol::{CloseCode, DeletedBy, Timestamp, UserId};

use crate::accounts::{Accounts, NAME_KEPT};
use crate::context::Context;

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

impl Context {
    /// Deletes an account, with its messages and reactions if asked to, and ends its sessions.
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
            for author in std::iter::once(id).chain(&account.guests) {
                self.erase_messages(accounts, author, by).await?;
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

    async fn erase_messages(
        &self,
        accounts: &Accounts,
        author: &UserId,
        by: DeletedBy,
    ) -> Result<(), DeleteError> {
        let messages = accounts.messages().ok_or(DeleteError::NotStored)?;
        let mut after = None;
        loop {
            let step = messages.find(UserQuery::new(author.clone()), after).await?;
            for in_room in step.found.chunk_by(|one, next| one.room == next.room) {
                let targets: Vec<_> = in_room.iter().map(|message| message.seq).collect();
                self.engine.delete_messages(&in_room[0].room, &targets, by).await?;
            }
            after = step.next;
            if after.is_none() {
                break;
            }
        }
        loop {
            let step = messages.reactions(UserQuery::new(author.clone()), after).await?;
            for UserReaction { message, username, emoji, .. } in &step.found {
                let (room, target) = (&message.room, message.seq);
                self.engine.remove_reaction(room, target, (author, username), emoji).await?;
            }
            after = step.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }
}
