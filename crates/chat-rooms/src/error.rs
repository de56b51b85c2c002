//! Why something that a program asked for did not happen.

use std::time::Duration;

use chat_history::HistoryError;
use chat_presence::StoreError;

/// Why somebody was not let into a room.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum JoinError {
    /// The name is taken in that room. Its holder has been asked for a sign of life.
    #[error("the name is already in use")]
    NameTaken,
    /// The room has its maximum number of members.
    #[error("the room is full")]
    RoomFull,
    /// Too many joins are waiting for the presence store.
    #[error("too many joins are waiting for the presence store")]
    Busy {
        /// When a retry is worthwhile.
        retry_after: Duration,
    },
    /// The engine is shutting down.
    #[error("the engine is shutting down")]
    Closing,
    /// The presence store did not answer in time. The name is free again.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The history store did not answer. The name is free again.
    #[error(transparent)]
    History(#[from] HistoryError),
}

/// Why a message was not stored.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The member has left the room, or was removed: its sink is closed, or the operator removed it.
    #[error("no longer a member of the room")]
    NotAMember,
    /// The id was used before, with another text.
    #[error("this id was already used for another message")]
    IdReused,
    /// The history store failed. It is unknown whether the message is stored: send it again with the same id.
    #[error("the message could not be stored")]
    Store(#[source] HistoryError),
}

/// Why something cannot be read.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The member has left the room, or was removed.
    #[error("no longer a member of the room")]
    NotAMember,
    /// The history store failed.
    #[error(transparent)]
    History(#[from] HistoryError),
}
