//! The protocol of new clients: many rooms on one connection, acks, history and recovery.
//!
//! Frames are JSON objects tagged by `type`. Unknown fields are ignored on both sides.

mod announcement;
#[cfg(feature = "schema")]
mod asyncapi;
mod client;
mod commands;
mod event;
mod field;
mod from_field;
mod list;
mod reactions;
mod read;
mod rendered;
mod rooms;
mod search;
mod server;
mod write;

pub use announcement::{Announcement, AnnouncementFrame};
#[cfg(feature = "schema")]
pub use asyncapi::asyncapi;
pub use client::{
    Audit, ClientFrame, Command, ConfigureRoom, CreateRoom, Delete, Directory, Edit, Hello, History,
    InviteLink, Join, Keep, MarkRead, Members, Moderate, React, Removable, Report, Reports, Roles, Search,
    Send, SetRole,
};
pub use event::frame;
pub use list::{Blocked, BlockedUser, Dropped, Inbox, Kept, Read, RoomList, RoomListEntry};
pub use reactions::{ReactionChange, ReactionCount, Reactions};
pub use read::{Rejected, read};
pub use rendered::{RENDERED_BYTES, Renderer, Written, write_rendered};
pub use rooms::{
    AuditInfo, AuditPage, DirectRoom, DirectoryEntry, DirectoryPage, InviteLinkFrame, Invited, ReportInfo,
    ReportsPage,
};
pub use search::{Found, FoundMessage};
pub use server::{
    Ack, Bye, Deleted, Done, Edited, Error, HistoryPage, Joined, Left, MembersPage, MessageFrame, Notice,
    Presence, Renewed, RoleInfo, RolesPage, RoomChanged, RoomInfo, ServerFrame, StoredMessage, SyncFrame,
    Typing, User, Warned, Welcome, WelcomeLimits, You,
};
pub use write::{size_hint, write, write_frame};

pub use crate::model::{
    DeletedBy, DenialReason, ErrorCode, InviteCode, LeftReason, MayJoin, MayPost, MemberInfo, Mention,
    MentionRoom, Moderation, NoticeLevel, Notify, Reactor, Reason, ReplyTo, RoomKind, RoomRole, RoomSettings,
    RoomTitle, Since, Standing, Topic, Visibility,
};

/// The name of the protocol in `Sec-WebSocket-Protocol`.
pub const SUBPROTOCOL: &str = "chat.v2";

/// The maximum number of messages in a page of history, and of newest messages in a [`Joined`].
pub const PAGE_MESSAGES: usize = 200;

/// The number of messages in a page of history if the client sets no limit.
pub const PAGE_MESSAGES_DEFAULT: usize = 50;

/// The maximum size in bytes of a page of history, and of the messages that a `join` recovers, as
/// counted by [`Message::encoded_size`](crate::Message::encoded_size). With the rest of its frame
/// (for example the first page of members), it stays below 1 MiB, the default frame limit of many
/// WebSocket libraries.
pub const PAGE_BYTES: usize = (1 << 20) - (64 << 10);

/// The maximum number of messages that a `join` with `since` recovers, in both lists together.
pub const RECOVERED_MESSAGES: usize = 1_000;

/// The maximum number of messages that one search finds.
pub const FOUND_MESSAGES: usize = 50;

/// The number of messages that one search finds if the client sets no limit.
pub const FOUND_MESSAGES_DEFAULT: usize = 20;

/// The maximum number of members in a page, and in [`Joined`].
pub const PAGE_MEMBERS: usize = 200;

/// The number of members in a page if the client sets no limit.
pub const PAGE_MEMBERS_DEFAULT: usize = 100;

/// The maximum length of each list of a [`Presence`] in a room with more members than
/// [`LISTED_MEMBERS`](crate::LISTED_MEMBERS).
pub const PARTIAL_PRESENCE: usize = 50;
