//! The frames that the server sends.
//!
//! The comments on frames and fields are also the descriptions in docs/asyncapi.json, so they
//! contain no links.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::announcement::{Announcement, AnnouncementFrame};
use super::list::{Blocked, Dropped, Inbox, Kept, Read, RoomList};
use super::reactions::{ReactionCount, Reactions};
use super::rooms::{AuditPage, DirectRoom, DirectoryPage, InviteLinkFrame, Invited, ReportsPage};
use super::search::Found;
use crate::{
    Content, DeletedBy, DenialReason, Emoji, Epoch, ErrorCode, GuestToken, Identity, LeftReason, MemberInfo,
    Mention, Message, MessageId, NoticeLevel, Reason, Reference, ReplyTo, Role, RoomName, RoomRole,
    RoomSettings, Standing, Text, Timestamp, UserId, UserKind, Username,
};

/// One frame of the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum ServerFrame {
    /// The answer to `hello`.
    Welcome(Welcome),
    /// The answer to `join`.
    Joined(Joined),
    /// The session has left a room, at its own request or not.
    Left(Left),
    /// A new message.
    Message(MessageFrame),
    /// The author has replaced the text of a message.
    Edited(Edited),
    /// Messages were deleted.
    Deleted(Deleted),
    /// Users have put emoji on a message, or removed them.
    Reactions(Reactions),
    /// The settings of a room were changed.
    RoomChanged(RoomChanged),
    /// The role of the user in a room has changed, or the user was muted or may post again.
    You(You),
    /// A moderator has warned the user.
    Warned(Warned),
    /// A page of the users who have a role in a room.
    Roles(RolesPage),
    /// A command was carried out that has no other answer.
    Done(Done),
    /// The user is invited into a room.
    Invited(Invited),
    /// The answer to `invite_link`: the new link.
    InviteLink(InviteLinkFrame),
    /// A page of the reports in a room.
    Reports(ReportsPage),
    /// A page of the audit log of a room.
    Audit(AuditPage),
    /// A page of the public rooms.
    Directory(DirectoryPage),
    /// The answer to `direct`: the direct room with a user.
    Room(DirectRoom),
    /// Stands for all events from `first_seq` to `seq`, which the server cannot send one by one.
    Sync(SyncFrame),
    /// Members joined or left.
    Presence(Presence),
    /// A member is typing.
    Typing(Typing),
    /// The answer to `send`, `edit`, `delete` and `react`: what they have changed is stored.
    Ack(Ack),
    /// The answer to `history`.
    History(HistoryPage),
    /// The answer to `members`.
    Members(MembersPage),
    /// The answer to `search`.
    Found(Found),
    /// The list of the user's rooms. Comes once, after `welcome`.
    Rooms(RoomList),
    /// The answer to `keep`, also to the other sessions of the user: an entry of the list.
    Kept(Kept),
    /// The answer to `keep`, also to the other sessions of the user: a room is no longer in the
    /// list.
    Dropped(Dropped),
    /// The answer to `mark_read`, also to the other sessions of the user.
    Read(Read),
    /// The user has blocked another one, or hears it again; to all sessions of the user.
    Blocked(Blocked),
    /// News in a room of the list that the session has not joined; at most one a second per room.
    Inbox(Inbox),
    /// The answer to `renew`.
    Renewed(Renewed),
    /// A notice of the operator.
    Notice(Notice),
    /// The operator has made an announcement, or has withdrawn it.
    Announcement(AnnouncementFrame),
    /// A command was not carried out.
    Error(Error),
    /// The server is about to close the connection.
    Bye(Bye),
    /// The answer to `ping`.
    Pong {
        /// The `ref` of the `ping`.
        #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
        reference: Option<Reference>,
    },
}

/// The session has started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Welcome {
    /// The `ref` of the `hello`.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference>,
    /// An id for logs and lists, and for `replaces` in a later `hello` of the same user. It grants
    /// nothing.
    pub session: String,
    /// The user as whom the session acts.
    pub user: User,
    /// A secret for this client alone: with it and the same name, a later `hello` is the same
    /// guest. Only if the `hello` of a guest had none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guest_token: Option<GuestToken>,
    /// When the token expires with which the user has signed in. A session that is in use lasts
    /// longer. Absent if it does not expire, and for guests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// The server's name and version.
    pub server: String,
    /// The limits for what the client sends.
    pub limits: WelcomeLimits,
    /// A client that has received nothing for this long should send `ping`; milliseconds.
    pub heartbeat_ms: u64,
    /// The announcement of the operator, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub announcement: Option<Announcement>,
}

/// The user as whom a session acts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct User {
    /// The id. Names repeat over time, ids do not.
    pub id: UserId,
    /// The name, in the spelling that everyone sees.
    pub username: Username,
    /// What kind of user this is.
    pub kind: UserKind,
    /// What the user may do on the whole server.
    pub role: Role,
    /// The ids that the user had as a guest, before it had an account.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub was: Vec<UserId>,
}

impl From<&Identity> for User {
    fn from(identity: &Identity) -> Self {
        Self {
            id: identity.id().clone(),
            username: identity.username().clone(),
            kind: identity.kind(),
            role: identity.role(),
            was: Vec::new(),
        }
    }
}

/// The limits for what a client sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WelcomeLimits {
    /// The largest frame, in bytes.
    pub message_bytes: u64,
    /// Rate limit, in frames per second; a faster client is throttled. 0: no rate limit.
    pub messages_per_second: u32,
    /// How many frames a client may send at once before the rate limit applies.
    pub burst: u32,
    /// How many rooms a session may join.
    pub rooms: u32,
    /// How many sessions a user may have. With more, the one that was silent for longest ends.
    pub sessions: u32,
    /// For how many seconds after it was sent a message may be edited. 0: always.
    #[serde(default)]
    pub edit_window_s: u32,
}

/// The session has joined the room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Joined {
    /// The `ref` of the `join`.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference>,
    /// The room.
    pub room: RoomName,
    /// The epoch of the store.
    pub epoch: Epoch,
    /// The number of the newest event; the live stream begins after it.
    pub seq: u64,
    /// Messages with a smaller number are gone.
    pub oldest: u64,
    /// The settings of the room, and what the user is there.
    #[serde(default)]
    pub info: RoomInfo,
    /// The first page of the members, ordered by username. It reflects every `presence` sent so
    /// far, plus the session itself.
    pub members: Vec<MemberInfo>,
    /// The number of all members.
    pub member_count: u64,
    /// The number with which the range of `messages` begins.
    pub first: u64,
    /// The number with which it ends, inclusive: the same as `seq`.
    pub last: u64,
    /// All messages of that range, oldest first, as requested by `since` or `history`.
    pub messages: Vec<StoredMessage>,
    /// The messages up to `since` that were changed after it, oldest first. Only if `recovered` is
    /// true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed: Option<Vec<StoredMessage>>,
    /// Whether `messages` and `changed` contain everything after `since`. If not, the client drops
    /// all messages of the room that it has.
    pub recovered: bool,
}

/// The session has left the room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Left {
    /// The `ref` of the `leave`.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference>,
    /// The room.
    pub room: RoomName,
    /// The reason.
    pub reason: LeftReason,
    /// When the ban ends, if the user is banned and the ban has an end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// A new message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MessageFrame {
    /// The room.
    pub room: RoomName,
    /// The message's number in the room.
    pub seq: u64,
    /// The sender's id for the message.
    pub id: MessageId,
    /// The sender's name.
    pub from: Username,
    /// The sender.
    pub user: UserId,
    /// The text, in Markdown, unchanged.
    pub body: Arc<str>,
    /// The text as sanitised HTML.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub html: Option<Arc<str>>,
    /// The message that this one replies to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<Arc<ReplyTo>>,
    /// Whom the message addresses: ids of users, and `room` for everyone in the room. Absent if
    /// nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mentions: Option<Arc<[Mention]>>,
    /// The time at which the message was stored.
    pub sent_at: Timestamp,
}

/// The author has replaced the text of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Edited {
    /// The room.
    pub room: RoomName,
    /// The number of this event in the room.
    pub seq: u64,
    /// The number of the message.
    pub target: u64,
    /// The new text, in Markdown, unchanged.
    pub body: Arc<str>,
    /// The new text as sanitised HTML.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub html: Option<Arc<str>>,
    /// Whom the message addresses from now on. Absent if nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mentions: Option<Arc<[Mention]>>,
    /// When the text was replaced.
    pub edited_at: Timestamp,
}

/// Messages were deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Deleted {
    /// The room.
    pub room: RoomName,
    /// The number of this event in the room.
    pub seq: u64,
    /// The numbers of the deleted messages, at most 500.
    pub targets: Vec<u64>,
    /// Who deleted them.
    pub by: DeletedBy,
}

/// The settings of a room were changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RoomChanged {
    /// The room.
    pub room: RoomName,
    /// The number of this event in the room.
    pub seq: u64,
    /// Who has changed them. Absent: who runs the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Username>,
    /// All settings of the room, as they are from now on. Without what the user is there.
    pub info: RoomInfo,
}

/// The settings of a room, and what the user is there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RoomInfo {
    /// The settings.
    #[serde(flatten)]
    pub settings: RoomSettings,
    /// The topic as sanitised HTML, if the session asked for rendered text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic_html: Option<Arc<str>>,
    /// What the user is in the room.
    #[serde(flatten)]
    pub standing: Standing,
}

impl From<RoomSettings> for RoomInfo {
    fn from(settings: RoomSettings) -> Self {
        Self { settings, ..Self::default() }
    }
}

/// The role of the user in a room has changed, or the user was muted or may post again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct You {
    /// The room.
    pub room: RoomName,
    /// What the user is in the room from now on.
    #[serde(flatten)]
    pub standing: Standing,
}

/// A moderator has warned the user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Warned {
    /// The room. Absent: the whole server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<RoomName>,
    /// Who has warned. Absent: who runs the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Username>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// When.
    pub at: Timestamp,
}

/// A command was carried out that has no other answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Done {
    /// The `ref` of the command.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference>,
}

/// A page of the users who have a role in a room, ordered by their ids.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RolesPage {
    /// The `ref` of the `roles`.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference>,
    /// The room.
    pub room: RoomName,
    /// The users.
    pub roles: Vec<RoleInfo>,
    /// Whether there are more.
    pub more: bool,
}

/// A user who has a role in a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RoleInfo {
    /// The name of the user when it got the role.
    pub username: Username,
    /// The id of the user.
    pub user: UserId,
    /// The role.
    pub role: RoomRole,
}

/// Stands for all events of a range.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SyncFrame {
    /// The room.
    pub room: RoomName,
    /// The number of the first event of the range.
    pub first_seq: u64,
    /// The number of the last event of the range.
    pub seq: u64,
    /// Whether `messages` and `changed` contain the outcome of the range. If not, they are absent,
    /// and the client joins again with its last position as `since`.
    pub recovered: bool,
    /// The messages that were posted in the range, oldest first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub messages: Option<Vec<StoredMessage>>,
    /// The messages before the range that were changed in it or later, oldest first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed: Option<Vec<StoredMessage>>,
    /// The settings of the room, which may have been changed in the range. Without what the user is
    /// there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub info: Option<RoomInfo>,
}

/// A message in a list of messages of one room, in its current state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum StoredMessage {
    /// The text of a user.
    Text {
        /// The message's number in the room.
        seq: u64,
        /// The sender's id for the message.
        id: MessageId,
        /// The sender's name when the message was sent.
        from: Username,
        /// The sender.
        user: UserId,
        /// The text, in Markdown, unchanged.
        body: Arc<str>,
        /// The text as sanitised HTML.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        html: Option<Arc<str>>,
        /// The message that this one replies to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reply_to: Option<Arc<ReplyTo>>,
        /// Whom the message addresses: ids of users, and `room` for everyone in the room. Absent
        /// if nobody.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mentions: Option<Arc<[Mention]>>,
        /// The time at which the message was stored.
        sent_at: Timestamp,
        /// When the author last replaced the text.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        edited_at: Option<Timestamp>,
        /// The number of the last event that changed the message.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        changed_seq: Option<u64>,
        /// The reactions, in the order in which each emoji was first used. Absent if there are
        /// none.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        reactions: Vec<ReactionCount>,
    },
    /// A deleted message.
    Deleted {
        /// The message's number in the room.
        seq: u64,
        /// The time at which the message was stored.
        sent_at: Timestamp,
        /// Always true.
        #[cfg_attr(feature = "schema", schemars(extend("const" = true)))]
        deleted: bool,
        /// Who deleted it.
        by: DeletedBy,
        /// The number of the last event that changed the message.
        changed_seq: u64,
    },
}

impl StoredMessage {
    /// The message's number in the room.
    pub fn seq(&self) -> u64 {
        match self {
            Self::Text { seq, .. } | Self::Deleted { seq, .. } => *seq,
        }
    }

    /// Marks the reactions with these emoji as those of the session that receives the message.
    pub fn mark_own(&mut self, own: &[Emoji]) {
        if let Self::Text { reactions, .. } = self {
            reactions.iter_mut().for_each(|reaction| reaction.mine = own.contains(&reaction.emoji));
        }
    }
}

impl From<&Message> for StoredMessage {
    fn from(message: &Message) -> Self {
        let (seq, sent_at) = (message.seq, message.sent_at);
        match &message.content {
            Content::Text(text @ Text { id, user, from, body, .. }) => Self::Text {
                seq,
                id: id.clone(),
                from: from.clone(),
                user: user.clone(),
                body: Arc::clone(body),
                html: None,
                reply_to: text.reply_to.clone(),
                mentions: text.mentions.clone(),
                sent_at,
                edited_at: text.edited_at,
                changed_seq: message.changed_seq,
                reactions: text.reactions().iter().map(ReactionCount::from).collect(),
            },
            Content::Deleted { by } => Self::Deleted {
                seq,
                sent_at,
                deleted: true,
                by: *by,
                changed_seq: message.changed_seq.unwrap_or(seq),
            },
        }
    }
}

/// Members that joined or left since the last `presence`. Treat the list of members as a set when
/// you apply it. A member that joined and left in between is in neither list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Presence {
    /// The room.
    pub room: RoomName,
    /// Members that joined.
    pub joined: Vec<MemberInfo>,
    /// Names of members that left.
    pub left: Vec<Username>,
    /// The number of all members now.
    pub member_count: u64,
    /// Whether the lists are cut: the count is exact, but the client's list of members is a sample.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub partial: bool,
}

/// A member is typing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Typing {
    /// The room.
    pub room: RoomName,
    /// The member's name.
    pub username: Username,
}

/// A command is carried out, and what it has changed is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Ack {
    /// The `ref` of the command.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference>,
    /// The room.
    pub room: RoomName,
    /// The number of the event in the room. Absent if the command has changed nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// The client's id for the message or the edit. In the answer to `send` it is always there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<MessageId>,
    /// The time at which the message was stored. Only in the answer to `send`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<Timestamp>,
    /// False if the server stores nothing: a crash can lose the event.
    #[serde(default = "yes", skip_serializing_if = "Clone::clone")]
    pub stored: bool,
}

fn yes() -> bool {
    true
}

/// A page of the message history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HistoryPage {
    /// The `ref` of the `history`.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference>,
    /// The room.
    pub room: RoomName,
    /// The epoch of the store.
    pub epoch: Epoch,
    /// The number with which the range of `messages` begins.
    pub first: u64,
    /// The number with which it ends, inclusive; `first - 1` if the range is empty.
    pub last: u64,
    /// All messages of that range, oldest first.
    pub messages: Vec<StoredMessage>,
    /// Whether there are more messages in the requested direction.
    pub more: bool,
}

/// A page of the members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MembersPage {
    /// The `ref` of the `members`.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference>,
    /// The room.
    pub room: RoomName,
    /// The members, ordered by username. The list reflects every `presence` sent so far, plus the
    /// session itself.
    pub members: Vec<MemberInfo>,
    /// The number of all members, whatever was asked for.
    pub member_count: u64,
    /// Whether there are more members that match the request.
    pub more: bool,
}

/// The session continues with another token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Renewed {
    /// The `ref` of the `renew`.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference>,
    /// When the token expires; absent if it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// A notice of the operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Notice {
    /// The room that it is for; absent if it is for everyone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<RoomName>,
    /// The importance.
    pub level: NoticeLevel,
    /// The text.
    pub body: Arc<str>,
}

/// A command was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Error {
    /// The `ref` of the command.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference>,
    /// The reason, for programs.
    pub code: ErrorCode,
    /// The reason, a sentence for people.
    pub message: Arc<str>,
    /// After how long a retry is worthwhile; milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// What rules have against it, if `code` is `forbidden` for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub denied: Option<DenialReason>,
    /// When the reason ends: a mute or a ban. Absent if it has no end, or the reason has no time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// The server is about to close the connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Bye {
    /// The close code that follows.
    pub code: u16,
    /// The reason, a sentence for people.
    pub reason: String,
    /// Whether to reconnect.
    pub reconnect: bool,
    /// How long to wait before reconnecting; milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_ms: Option<u64>,
}
