//! The dialect of new clients: many rooms on one connection, acks, history and resume.
//!
//! Frames are JSON objects tagged by `type`. Unknown fields are ignored on both sides.

#[cfg(feature = "schema")]
mod asyncapi;
mod client;
mod event;
mod field;
mod read;
mod rendered;
mod server;
mod write;

#[cfg(feature = "schema")]
pub use asyncapi::asyncapi;
pub use client::{ClientFrame, Command, Hello, History, Join, Members, Send};
pub use event::frame;
pub use read::{Rejected, read};
pub use rendered::{RENDERED_BYTES, Written, write_rendered};
pub use server::{
    Ack, Bye, Error, HistoryPage, Joined, Left, MembersPage, MessageFrame, Notice, Presence, ServerFrame,
    StoredMessage, Typing, Welcome, WelcomeLimits,
};
pub use write::{size_hint, write, write_frame};

pub use crate::model::{ErrorCode, LeftReason, MemberInfo, NoticeLevel, Since};

/// The name of the dialect in `Sec-WebSocket-Protocol`.
pub const SUBPROTOCOL: &str = "chat.v2";

/// The most messages in one page of history, and the most of the newest that a `join` brings.
pub const PAGE_MESSAGES: usize = 200;

/// How many messages a page of history has where a client does not say.
pub const PAGE_MESSAGES_DEFAULT: usize = 50;

/// A page of history ends here, too, counted by [`Message::encoded_size`](crate::Message::encoded_size); so does what is
/// recovered. With what else is in its frame (the first page of members, say) it stays below 1 MiB, the largest frame that many
/// WebSocket libraries take unless they are told otherwise.
pub const PAGE_BYTES: usize = (1 << 20) - (64 << 10);

/// The most messages that a `join` with `since` recovers.
pub const RECOVERED_MESSAGES: usize = 1_000;

/// The most members in one page, and in [`Joined`].
pub const PAGE_MEMBERS: usize = 200;

/// How many members a page has where a client does not say.
pub const PAGE_MEMBERS_DEFAULT: usize = 100;

/// In a room with more members than [`LISTED_MEMBERS`](crate::LISTED_MEMBERS) each list of a [`Presence`] is cut here.
pub const PARTIAL_PRESENCE: usize = 50;
