//! Why something that a program asked for did not happen.

use chat_history::HistoryError;
use chat_presence::StoreError;

/// Why somebody was not let into a room.
#[derive(Debug, Clone, thiserror::Error)]
pub enum JoinError {
    /// The name is taken in that room. Its holder has been asked for a sign of life.
    #[error("the name is already in use")]
    NameTaken,
    /// There are as many members in the room as there may be.
    #[error("the room is full")]
    RoomFull,
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

/// Why nothing was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The member is out: its outlet took nothing more.
    #[error("no longer a member of the room")]
    NotAMember,
}

/// Why something can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The member is out: its outlet took nothing more.
    #[error("no longer a member of the room")]
    NotAMember,
    /// The store does not answer.
    #[error(transparent)]
    History(#[from] HistoryError),
}
