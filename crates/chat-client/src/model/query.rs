//! What may be asked of a room.

use chat_protocol::v2::{History, Members};
use chat_protocol::{RoomName, Username};

/// How a room is joined.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct JoinOptions {
    pub(crate) history: u64,
}

impl JoinOptions {
    /// How many of the newest messages come with the answer, at most 200; without this none. After a reconnect, so many come where
    /// what was missed can't be had, behind an [`Event::Gap`](crate::Event::Gap).
    pub fn history(mut self, messages: u64) -> Self {
        self.history = messages;
        self
    }
}

/// Which part of what was said in a room. A page has at most `limit` messages, never more than 200, and ends at 1 MiB of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// The newest.
    Newest {
        /// How many at most.
        limit: u64,
    },
    /// Those right before a message.
    Before {
        /// The seq of that message.
        seq: u64,
        /// How many at most.
        limit: u64,
    },
    /// Those right after a message.
    After {
        /// The seq of that message; 0: from the beginning.
        seq: u64,
        /// How many at most.
        limit: u64,
    },
}

impl Page {
    pub(crate) fn of(self, room: RoomName) -> History {
        let (before, after, limit) = match self {
            Self::Newest { limit } => (None, None, limit),
            Self::Before { seq, limit } => (Some(seq), None, limit),
            Self::After { seq, limit } => (None, Some(seq), limit),
        };
        History { room, before, after, limit: Some(limit) }
    }
}

/// Which part of who is in a room, by username.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MembersQuery {
    after: Option<Username>,
    prefix: Option<String>,
    limit: Option<u64>,
}

impl MembersQuery {
    /// Those whose names come after this one: the last of the page before.
    pub fn after(mut self, username: Username) -> Self {
        self.after = Some(username);
        self
    }

    /// Those whose names begin so.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = Some(prefix.into());
        self
    }

    /// How many at most, never more than 200; without this 100.
    pub fn limit(mut self, members: u64) -> Self {
        self.limit = Some(members);
        self
    }

    pub(crate) fn of(self, room: RoomName) -> Members {
        Members {
            room,
            after: self.after.map(|name| name.as_str().to_owned()),
            prefix: self.prefix,
            limit: self.limit,
        }
    }
}
