#![doc = include_str!("../README.md")]

// From top to bottom: each module uses only those below it.
mod client;
mod events;
mod receipt;

mod driver;

mod connection;
mod session;

mod command;

mod model;

pub use chat_protocol::v2::{
    Announcement, AuditInfo, AuditPage, Bye, Deleted, DeletedBy, DenialReason, DirectRoom, DirectoryEntry,
    DirectoryPage, Edited, ErrorCode, Found, FoundMessage, HistoryPage, Inbox, InviteLinkFrame, Invited,
    LeftReason, MemberInfo, MembersPage, Mention, Notice, NoticeLevel, Notify, Presence, ReactionChange,
    ReactionCount, Reactions, Reactor, Read, ReplyTo, ReportInfo, ReportsPage, RoleInfo, RolesPage, RoomKind,
    RoomListEntry, RoomSettings, Since, Standing, StoredMessage, Typing, User, Warned, WelcomeLimits,
};
pub use chat_protocol::{
    AnnouncementId, CloseCode, Emoji, EmojiError, Epoch, GuestToken, GuestTokenError, InviteCode,
    InviteCodeError, LengthError, MayJoin, MayPost, MentionRoom, MessageId, Moderation, NameError, Reason,
    Reference, Role, RoomName, RoomRole, RoomTitle, TextError, Timestamp, Topic, UserId, UserKind, Username,
    Visibility,
};
pub use client::Client;
pub use events::Events;
pub use model::{
    Ack, Act, Backoff, Cause, Closed, CommandError, ConnectError, Connected, Counters, Disconnect, Draft,
    Event, JoinOptions, Joined, KeepRoom, MembersQuery, Options, Page, Reacted, SearchQuery, SettingsChange,
    Timeline,
};
pub use receipt::Receipt;
/// The TLS library, for [`Options::tls`].
#[cfg(feature = "tls")]
pub use tokio_rustls::rustls;
