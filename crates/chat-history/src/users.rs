//! The messages of one user in all rooms, to be exported or deleted.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use chat_protocol::{Emoji, Message, RoomName, UserId, Username};
use futures::future::BoxFuture;

use crate::HistoryError;

/// A position in a walk through all messages, or in what a search finds. Its text form can be given
/// to a client, which continues with it later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor(i64);

/// The text is not a cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a valid position to continue from")]
pub struct InvalidCursor;

/// One step of a walk through all messages.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Step<T> {
    /// What the step has found. It may be empty although there is more.
    pub found: T,
    /// Where the next step begins; `None` after the last step.
    pub next: Option<Cursor>,
}

/// Which messages are meant: those of a user, or those that the user sent under one name.
///
/// Messages that were stored before messages had the id of their author belong to
/// [`UserId::unknown`]; only the name tells these authors apart.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UserQuery {
    /// The author.
    pub user: UserId,
    /// The author's name when the message was sent. `None`: any name.
    pub name: Option<Username>,
}

/// Identifies a message.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MessageKey {
    /// The room.
    pub room: RoomName,
    /// The number of the message in the room.
    pub seq: u64,
}

/// A reaction of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UserReaction {
    /// The message.
    pub message: MessageKey,
    /// The user's name when it reacted.
    pub username: Username,
    /// The emoji.
    pub emoji: Emoji,
}

impl UserReaction {
    /// The emoji that a user of this name has put on a message.
    pub fn new(message: MessageKey, username: Username, emoji: Emoji) -> Self {
        Self { message, username, emoji }
    }
}

impl UserQuery {
    /// All messages of a user.
    pub fn new(user: UserId) -> Self {
        Self { user, name: None }
    }

    /// Restricts the query to messages that were sent under this name.
    #[must_use]
    pub fn with_name(self, name: Username) -> Self {
        Self { name: Some(name), ..self }
    }

    /// Whether a message of this user, sent under this name, is meant.
    pub fn matches(&self, user: &UserId, name: &Username) -> bool {
        self.user == *user && self.name.as_ref().is_none_or(|only| only == name)
    }
}

impl From<UserId> for UserQuery {
    fn from(user: UserId) -> Self {
        Self::new(user)
    }
}

impl MessageKey {
    /// The message with this number in this room.
    pub fn new(room: RoomName, seq: u64) -> Self {
        Self { room, seq }
    }
}

impl Cursor {
    /// A cursor at a position whose meaning the store defines. Negative positions are invalid.
    ///
    /// # Errors
    /// [`InvalidCursor`] if the position is negative.
    pub fn new(position: i64) -> Result<Self, InvalidCursor> {
        if position < 0 { Err(InvalidCursor) } else { Ok(Self(position)) }
    }

    /// The position.
    pub fn position(self) -> i64 {
        self.0
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

impl FromStr for Cursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // `from_str_radix` takes a sign
        let is_hex = text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let position = i64::from_str_radix(text, 16).ok().filter(|_| is_hex);
        position.ok_or(InvalidCursor).and_then(Self::new)
    }
}

impl<T> Step<T> {
    /// A step that has found this and continues at `next`.
    pub fn new(found: T, next: Option<Cursor>) -> Self {
        Self { found, next }
    }
}

/// Access to the messages and reactions of one user in all rooms, to export or to delete them.
///
/// All of these are walks in small steps: the first step has no cursor, each further step the
/// cursor that the previous one returned. What is sent during a walk may be missed by it.
pub trait UserMessages: fmt::Debug + Send + Sync + 'static {
    /// The next messages of a user, room by room, and within a room in order. A step returns about
    /// 1 MiB of text at most. Cancel-safe.
    ///
    /// # Errors
    /// [`HistoryError`] if the store fails.
    fn page(
        &self,
        query: UserQuery,
        after: Option<Cursor>,
    ) -> BoxFuture<'_, Result<Step<Vec<Arc<Message>>>, HistoryError>>;

    /// The rooms and numbers of the next messages of a user that are not deleted, room by room, and
    /// within a room in order: the targets of a [`NewDeletion`](crate::NewDeletion) for each room.
    /// Cancel-safe.
    ///
    /// A store still recognises the ids of deleted messages for as long as it recognises others (at
    /// most 24 hours), so that a deleted message that is sent again is not stored again. Until then
    /// it keeps the id with its author and the [digest](crate::NewMessage::digest) of the message.
    ///
    /// # Errors
    /// [`HistoryError`] if the store fails.
    fn find(
        &self,
        query: UserQuery,
        after: Option<Cursor>,
    ) -> BoxFuture<'_, Result<Step<Vec<MessageKey>>, HistoryError>>;

    /// The next reactions of a user, room by room, and within a room in the order of the messages.
    /// Its cursors are not those of the other walks. Cancel-safe.
    ///
    /// # Errors
    /// [`HistoryError`] if the store fails.
    fn reactions(
        &self,
        query: UserQuery,
        after: Option<Cursor>,
    ) -> BoxFuture<'_, Result<Step<Vec<UserReaction>>, HistoryError>>;
}
