//! Events of a room, independent of any wire protocol.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::error_code::ErrorCode;
use crate::model::ids::{Epoch, MessageId, Reference};
use crate::model::member::{Member, MemberGroup, MemberInfo, MemberList};
use crate::model::message::Message;
use crate::model::name::{RoomName, Username};
use crate::model::time::Timestamp;

/// An event that a room sends to its members. A protocol defines its encoding:
/// [`classic`](crate::classic) or [`v2`](crate::v2).
///
/// Presence reaches a member in one of two ways: as [`Entered`](Self::Entered) and
/// [`Left`](Self::Left), each with the list of members, or as
/// [`PresenceChanged`](Self::PresenceChanged), which coalesces changes. The variants from
/// [`Refused`](Self::Refused) on are sent to one member only: they reply to its own commands, or
/// notify it that it has left.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// Members joined; several if the room coalesces joins, in order of arrival.
    Entered {
        /// The members that joined.
        group: MemberGroup,
        /// The members after they joined.
        members: Arc<MemberList>,
    },
    /// Members left; several if the room coalesces leaves, in the order in which they left.
    Left {
        /// The members that left.
        group: MemberGroup,
        /// The members after they left.
        members: Arc<MemberList>,
    },
    /// A message.
    Message {
        /// The message.
        message: Arc<Message>,
        /// The sender's membership; `None` if it is no longer known.
        from: Option<Arc<Member>>,
        /// The members at that time.
        members: Arc<MemberList>,
    },
    /// An announcement of the operator.
    Notice {
        /// The room that it is for; `None` if it is for everyone.
        room: Option<RoomName>,
        /// The importance.
        level: NoticeLevel,
        /// The text.
        body: Arc<str>,
        /// The members at that time.
        members: Arc<MemberList>,
    },
    /// Members joined or left since the last event of this kind.
    PresenceChanged(Box<PresenceChange>),
    /// A member is typing.
    Typing {
        /// The room.
        room: RoomName,
        /// The member's name.
        username: Username,
    },
    /// A command of this member was not carried out.
    Refused {
        /// The reason, for programs.
        code: ErrorCode,
        /// The reason, a sentence for people.
        reason: Arc<str>,
        /// The reference of the command.
        reference: Option<Reference>,
        /// The members at that time.
        members: Arc<MemberList>,
    },
    /// This member has joined: the state of the room at the point where its stream of events
    /// begins.
    Joined(Box<Snapshot>),
    /// A message of this member is stored.
    Ack(Box<Ack>),
    /// A page of messages that this member asked for.
    History(Box<MessagePage>),
    /// A page of members that this member asked for.
    Members(Box<MemberPage>),
    /// This member has left. It is the last event of its stream.
    LeaveNotice {
        /// The reference of the command, if the member asked to leave.
        reference: Option<Reference>,
        /// The room.
        room: RoomName,
        /// The reason.
        reason: LeftReason,
    },
}

impl Event {
    /// The list of members that the event carries, or `None` if it carries none.
    pub fn members(&self) -> Option<&Arc<MemberList>> {
        match self {
            Self::Entered { members, .. }
            | Self::Left { members, .. }
            | Self::Message { members, .. }
            | Self::Notice { members, .. }
            | Self::Refused { members, .. } => Some(members),
            _ => None,
        }
    }
}

/// Members that joined or left since the last change of presence. A member that joined and left in
/// between is in neither list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PresenceChange {
    /// The room.
    pub room: RoomName,
    /// Members that joined, ordered by name.
    pub joined: Vec<MemberInfo>,
    /// Names of members that left, in order.
    pub left: Vec<Username>,
    /// The number of all members now.
    pub member_count: usize,
    /// Whether the lists are truncated. The count is exact.
    pub partial: bool,
}

/// The state of a room at the point where a member's stream of events begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The reference of the command.
    pub reference: Option<Reference>,
    /// The room.
    pub room: RoomName,
    /// The epoch of the history store.
    pub epoch: Epoch,
    /// The number of the newest message.
    pub seq: u64,
    /// The first page of the members, ordered by name, with every change sent so far and the member
    /// itself.
    pub members: Vec<MemberInfo>,
    /// The number of all members.
    pub member_count: usize,
    /// The messages that the member missed, or the newest ones; oldest first.
    pub messages: Vec<Arc<Message>>,
    /// Whether `messages` contains everything after the position that was asked for.
    pub recovered: bool,
}

/// A message is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ack {
    /// The reference of the command.
    pub reference: Option<Reference>,
    /// The room.
    pub room: RoomName,
    /// The message's number in the room.
    pub seq: u64,
    /// The sender's id for the message.
    pub id: MessageId,
    /// The time at which the message was stored.
    pub sent_at: Timestamp,
    /// Whether the message survives a crash.
    pub durable: bool,
}

/// A page of the messages of a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessagePage {
    /// The reference of the command.
    pub reference: Option<Reference>,
    /// The room.
    pub room: RoomName,
    /// The epoch of the history store.
    pub epoch: Epoch,
    /// The messages, oldest first.
    pub messages: Vec<Arc<Message>>,
    /// Whether there are more messages in the direction asked for.
    pub more: bool,
}

/// A page of the members of a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberPage {
    /// The reference of the command.
    pub reference: Option<Reference>,
    /// The room.
    pub room: RoomName,
    /// The members, ordered by name, with every change sent so far and the member itself.
    pub members: Vec<MemberInfo>,
    /// The number of all members.
    pub member_count: usize,
    /// Whether there are more members that match the query.
    pub more: bool,
}

/// Why a session has left a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LeftReason {
    /// The client asked to leave.
    Asked,
    /// The operator removed the user.
    Kicked,
    /// The operator closed the room.
    RoomClosed,
}

/// The importance of a notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum NoticeLevel {
    /// For information.
    Info,
    /// Users should act on it.
    Warning,
}
