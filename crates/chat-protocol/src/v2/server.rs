//! What the server sends.
//!
//! What is written beside frames and fields goes into the contract for machines, too: it links to nothing.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{Content, Epoch, Message, MessageId, Reference, RoomName, Timestamp, Username};

use super::ErrorCode;

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
    /// The session is not in a room any more; asked for or not.
    Left(Left),
    /// Somebody said something.
    Message(MessageFrame),
    /// Who came and who went.
    Presence(Presence),
    /// Somebody is typing.
    Typing(Typing),
    /// The answer to `send`: the message is stored.
    Ack(Ack),
    /// The answer to `history`.
    History(HistoryPage),
    /// The answer to `members`.
    Members(MembersPage),
    /// The operator says something.
    Notice(Notice),
    /// A command was not carried out.
    Error(Error),
    /// The server is about to close the connection.
    Bye(Bye),
    /// The answer to `ping`.
    Pong {
        /// Of the `ping`.
        #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
        reference: Option<Reference>,
    },
}

/// The session has begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Welcome {
    /// Of the `hello`.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference>,
    /// An id for logs and lists. It grants nothing.
    pub session: String,
    /// A secret for this client alone, with which a later `hello` takes this session's seats over.
    pub resume: String,
    /// The name, in the spelling that everyone sees.
    pub username: Username,
    /// The server's name and version.
    pub server: String,
    /// What the client may send.
    pub limits: WelcomeLimits,
    /// A client that heard nothing for so long should `ping`; milliseconds.
    pub heartbeat_ms: u64,
}

/// What a client may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WelcomeLimits {
    /// The largest frame, in bytes.
    pub message_bytes: u64,
    /// Frames a second in the long run; what comes faster is read more slowly. 0: no pace.
    pub messages_per_second: u32,
    /// How many frames may come at once before the pace holds.
    pub burst: u32,
    /// How many rooms a session may be in.
    pub rooms: u32,
}

/// Somebody in a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MemberInfo {
    /// Who.
    pub username: Username,
    /// Since when.
    pub joined_at: Timestamp,
}

/// The session is in the room now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Joined {
    /// Of the `join`.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference>,
    /// Where.
    pub room: RoomName,
    /// The life of the store.
    pub epoch: Epoch,
    /// The newest message's; the live stream begins behind it.
    pub seq: u64,
    /// The first page of who is there, by username, as the last `presence` left it, and oneself.
    pub members: Vec<MemberInfo>,
    /// How many are there in all.
    pub member_count: u64,
    /// What was asked for with `since` or `history`, oldest first.
    pub messages: Vec<StoredMessage>,
    /// Whether `messages` is everything after `since`.
    pub recovered: bool,
}

/// Why a session is not in a room any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LeftReason {
    /// It asked to leave.
    Asked,
    /// The operator put it out.
    Kicked,
    /// The operator let it in no more.
    Banned,
    /// There is no such room any more.
    RoomClosed,
}

/// The session is not in the room any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Left {
    /// Of the `leave`.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference>,
    /// Where.
    pub room: RoomName,
    /// Why.
    pub reason: LeftReason,
}

/// Somebody said something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MessageFrame {
    /// Where.
    pub room: RoomName,
    /// Its place in the room's order.
    pub seq: u64,
    /// What its sender calls it.
    pub id: MessageId,
    /// Who.
    pub from: Username,
    /// What, in Markdown, as it was written.
    pub body: Arc<str>,
    /// The same, rendered and sanitised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub html: Option<Arc<str>>,
    /// When it was stored.
    pub sent_at: Timestamp,
}

/// A message in a list of one room's messages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum StoredMessage {
    /// Somebody said something.
    Said {
        /// Its place in the room's order.
        seq: u64,
        /// What its sender calls it.
        id: MessageId,
        /// Who.
        from: Username,
        /// What, in Markdown, as it was written.
        body: Arc<str>,
        /// The same, rendered and sanitised.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        html: Option<Arc<str>>,
        /// When it was stored.
        sent_at: Timestamp,
    },
    /// A message was here.
    Erased {
        /// Its place in the room's order.
        seq: u64,
        /// When it was stored.
        sent_at: Timestamp,
        /// True.
        #[cfg_attr(feature = "schema", schemars(extend("const" = true)))]
        erased: bool,
    },
}

impl StoredMessage {
    /// Its place in the room's order.
    pub fn seq(&self) -> u64 {
        match self {
            Self::Said { seq, .. } | Self::Erased { seq, .. } => *seq,
        }
    }
}

impl From<&Message> for StoredMessage {
    fn from(message: &Message) -> Self {
        let (seq, sent_at) = (message.seq, message.sent_at);
        match &message.content {
            Content::Said { id, from, body } => Self::Said {
                seq,
                id: id.clone(),
                from: from.clone(),
                body: Arc::clone(body),
                html: None,
                sent_at,
            },
            Content::Erased => Self::Erased { seq, sent_at, erased: true },
        }
    }
}

/// Who came and who went since the last one, to be applied as to a set. Whoever came and went in between is in neither list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Presence {
    /// Where.
    pub room: RoomName,
    /// Who came.
    pub joined: Vec<MemberInfo>,
    /// Who went.
    pub left: Vec<Username>,
    /// How many are there now.
    pub member_count: u64,
    /// Whether the lists are cut: the count is right, and what a client knows of the members is a sample.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub partial: bool,
}

/// Somebody is typing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Typing {
    /// Where.
    pub room: RoomName,
    /// Who.
    pub username: Username,
}

/// A message is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Ack {
    /// Of the `send`.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference>,
    /// Where.
    pub room: RoomName,
    /// Its place in the room's order.
    pub seq: u64,
    /// What its sender calls it.
    pub id: MessageId,
    /// When it was stored.
    pub sent_at: Timestamp,
    /// False where the server stores nothing: a crash can take the message back.
    #[serde(default = "yes", skip_serializing_if = "Clone::clone")]
    pub stored: bool,
}

fn yes() -> bool {
    true
}

/// A page of what was said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HistoryPage {
    /// Of the `history`.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference>,
    /// Where.
    pub room: RoomName,
    /// The life of the store.
    pub epoch: Epoch,
    /// Oldest first.
    pub messages: Vec<StoredMessage>,
    /// Whether there are more in the direction that was asked for.
    pub more: bool,
}

/// A page of who is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MembersPage {
    /// Of the `members`.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference>,
    /// Where.
    pub room: RoomName,
    /// By username, as the last `presence` left it, and oneself.
    pub members: Vec<MemberInfo>,
    /// How many are there in all, whatever was asked for.
    pub member_count: u64,
    /// Whether there are more that fit what was asked for.
    pub more: bool,
}

/// How much a notice matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum NoticeLevel {
    /// Good to know.
    Info,
    /// Something to act on.
    Warning,
}

/// The operator says something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Notice {
    /// To whom; to everyone where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<RoomName>,
    /// How much it matters.
    pub level: NoticeLevel,
    /// What.
    pub body: Arc<str>,
}

/// A command was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Error {
    /// Of the command.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference>,
    /// Why, for a program.
    pub code: ErrorCode,
    /// Why, in a sentence for a person.
    pub message: Arc<str>,
    /// When it is worth trying again; milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

/// The server is about to close the connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Bye {
    /// The close code that follows.
    pub code: u16,
    /// Why, in a sentence for a person.
    pub reason: String,
    /// Whether to come back.
    pub reconnect: bool,
    /// When; milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_ms: Option<u64>,
}
