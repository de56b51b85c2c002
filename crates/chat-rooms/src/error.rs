//! The errors of the engine.

use std::time::Duration;

use chat_access::{ActError, Denied};
use chat_history::HistoryError;
use chat_presence::StoreError;

/// The error returned if a client cannot join a room.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum JoinError {
    /// The name is taken in that room. The connection of the member that has it is probed.
    #[error("the name is already in use")]
    NameTaken,
    /// The room has its maximum number of members.
    #[error("the room is full")]
    RoomFull,
    /// The policy of the room does not admit the user.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// Too many joins are waiting for the presence store.
    #[error("too many joins are waiting for the presence store")]
    Busy {
        /// The time after which a retry is worthwhile.
        retry_after: Duration,
    },
    /// The engine is shutting down.
    #[error("the engine is shutting down")]
    Closing,
    /// The presence store failed, or did not answer in time. The name is free again.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The history store failed. The name is free again.
    #[error(transparent)]
    History(#[from] HistoryError),
}

/// The error returned if a message is not stored.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The member has left the room or was removed from it: its sink is closed, or an operator
    /// removed it.
    #[error("no longer a member of the room")]
    NotAMember,
    /// The id was used before, with another text.
    #[error("this id was already used for another message")]
    IdReused,
    /// There is no such message, or it was deleted.
    #[error("there is no such message")]
    NotFound,
    /// The message is of another user.
    #[error("only the author may do this")]
    NotAuthor,
    /// The message is too old to be edited.
    #[error("the message is too old to be edited")]
    TooLate,
    /// The message has as many different reactions as a message may have.
    #[error("the message has too many different reactions")]
    LimitReached,
    /// The policy of the room does not let the user post.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The history store failed. It is unknown whether the message is stored: send it again with
    /// the same id.
    #[error("the message could not be stored")]
    Store(#[source] HistoryError),
}

/// The error returned if a room is not registered.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterError {
    /// Others are in the room, or it has a history: only a moderator of the server can register it.
    #[error("the room is in use; ask a moderator of the server")]
    InUse,
    /// The act is not carried out.
    #[error(transparent)]
    Act(#[from] ActError),
}

/// The error returned if the settings of a room are not changed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigureError {
    /// The member has left the room or was removed from it.
    #[error("no longer a member of the room")]
    NotAMember,
    /// The user may not change them.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// A store failed. It is unknown whether the settings are changed.
    #[error(transparent)]
    Store(#[from] HistoryError),
}

/// The error returned if something cannot be read.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The member has left the room or was removed from it.
    #[error("no longer a member of the room")]
    NotAMember,
    /// The history store failed.
    #[error(transparent)]
    History(#[from] HistoryError),
}
