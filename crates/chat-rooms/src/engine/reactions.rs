//! Reactions, apart from those of members.

use chat_history::{AppendError, Appended, HistoryError, NewReaction};
use chat_protocol::{Emoji, OwnReactions, RoomName, UserId, Username};

use crate::Engine;
use crate::member::pending_append::PendingAct;

impl Engine {
    /// Returns which reactions on these messages of a room are of one of the users in `users`, as
    /// one user. The room need not have members. Cancel-safe.
    ///
    /// # Errors
    /// [`HistoryError`] if the history store fails.
    pub async fn own_reactions(
        &self,
        room: &RoomName,
        targets: Vec<u64>,
        users: Vec<UserId>,
    ) -> Result<OwnReactions, HistoryError> {
        let own = self.shared.context.history.own_reactions(room.clone(), targets, users).await?;
        Ok(own.reactions)
    }

    /// Removes a reaction of a user, who need not be in the room, for example because the user is
    /// deleted. Everyone in the room receives [`Reacted`](chat_protocol::Event::Reacted), except
    /// sessions that joined [with lists](crate::Subscribe::with_lists). Returns whether there was
    /// one.
    ///
    /// Not cancel-safe: the reaction may be removed although the future is dropped.
    ///
    /// # Errors
    /// [`HistoryError`] if the store fails. It is safe to try again.
    pub async fn remove_reaction(
        &self,
        room: &RoomName,
        target: u64,
        (user, username): (&UserId, &Username),
        emoji: &Emoji,
    ) -> Result<bool, HistoryError> {
        let authors = [user.clone()].into();
        let removal = NewReaction::new(room.clone(), target, authors, username.clone(), emoji.clone(), false);
        match PendingAct::append(&self.shared, removal.into()).await {
            Ok(appended) => Ok(matches!(appended, Appended::Stored(_))),
            Err(AppendError::NotFound) => Ok(false),
            Err(AppendError::Unavailable(error)) => Err(error),
            Err(error) => Err(HistoryError::other(error)),
        }
    }
}
