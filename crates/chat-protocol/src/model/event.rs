//! Events of a room, independent of any wire protocol.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::error_code::ErrorCode;
use crate::model::ids::{Epoch, MessageId, Reference};
use crate::model::member::{Member, MemberGroup, MemberInfo, MemberList};
use crate::model::message::{DeletedBy, Message};
use crate::model::name::{RoomName, Username};
use crate::model::reaction::{OwnReactions, Reacted};
use crate::model::room_role::Standing;
use crate::model::room_settings::RoomSettings;
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
    /// Messages were deleted. Sessions that receive lists of members are not sent this event.
    Deleted(Arc<Deletion>),
    /// The author has replaced the text of a message. Sessions that receive lists of members are
    /// not sent this event.
    Edited(Arc<Edit>),
    /// Users have put emoji on a message, or removed them. Sessions that receive lists of members
    /// are not sent this event.
    Reacted(Arc<Reacted>),
    /// The settings of the room were changed. Sessions that receive lists of members are not sent
    /// this event.
    RoomChanged(Arc<RoomChange>),
    /// Stands for all events of a range that cannot be sent one by one. Sessions that receive lists
    /// of members are sent the messages of the range instead.
    Sync(Arc<EventRange>),
    /// A notice of the operator.
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
        /// What the rules of the room have against it, if that is why.
        denied: Option<DenialReason>,
        /// The reference of the command.
        reference: Option<Reference>,
        /// When the reason ends, if that is known.
        until: Option<Timestamp>,
        /// After how long it is worthwhile to send the command again, if that is known.
        retry_after: Option<Duration>,
        /// The members at that time.
        members: Arc<MemberList>,
    },
    /// The role of this member was changed, or it was muted, or may post again.
    StandingChanged {
        /// The room.
        room: RoomName,
        /// What the member is in the room from now on.
        standing: Standing,
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
        /// When the ban ends, if the member is banned and the ban has an end.
        until: Option<Timestamp>,
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

/// Messages of a room were deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Deletion {
    /// The room.
    pub room: RoomName,
    /// The number of this event in the room.
    pub seq: u64,
    /// Who deleted the messages.
    pub by: DeletedBy,
    /// The messages as they are now, in order, at least one.
    pub messages: Vec<Arc<Message>>,
}

impl Deletion {
    /// The event with this number that has deleted `messages`.
    pub fn new(room: RoomName, seq: u64, by: DeletedBy, messages: Vec<Arc<Message>>) -> Self {
        Self { room, seq, by, messages }
    }
}

/// The author of a message has replaced its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Edit {
    /// The message as it is now: [`room`](Message::room) is the room, and
    /// [`changed_seq`](Message::changed_seq) the number of this event.
    pub message: Arc<Message>,
    /// The number of this event in the room.
    pub seq: u64,
}

impl Edit {
    /// The event with this number, after which the message is this one.
    pub fn new(seq: u64, message: Arc<Message>) -> Self {
        Self { message, seq }
    }
}

/// The settings of a room were changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RoomChange {
    /// The room.
    pub room: RoomName,
    /// The number of this event in the room.
    pub seq: u64,
    /// The settings from now on.
    pub settings: RoomSettings,
    /// Who has changed them; `None`: who runs the server.
    pub by: Option<Username>,
}

impl RoomChange {
    /// The event with this number that has changed the settings.
    pub fn new(room: RoomName, seq: u64, settings: RoomSettings) -> Self {
        Self { room, seq, settings, by: None }
    }

    /// Sets who has changed them.
    #[must_use]
    pub fn by(self, by: Option<Username>) -> Self {
        Self { by, ..self }
    }
}

/// A range of the events of a room, by their outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EventRange {
    /// The room.
    pub room: RoomName,
    /// The number of the first event in the range.
    pub first_seq: u64,
    /// The number of the last event in the range.
    pub seq: u64,
    /// The outcome; `None` if the server cannot tell it. Then a client has to ask for the events
    /// after the last one that it has applied.
    pub outcome: Option<Outcome>,
    /// The settings of the room; `None` if the server cannot tell them.
    pub settings: Option<Arc<RoomSettings>>,
}

/// What has become of the messages of a room by the events of a range.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome {
    /// The messages that were posted in the range, as they are now, oldest first.
    pub messages: Vec<Arc<Message>>,
    /// The older messages that were changed in the range or later, as they are now, oldest first.
    pub changed: Vec<Arc<Message>>,
}

impl EventRange {
    /// The range from `first_seq` to `seq`.
    pub fn new(room: RoomName, first_seq: u64, seq: u64, outcome: Option<Outcome>) -> Self {
        Self { room, first_seq, seq, outcome, settings: None }
    }
}

impl Outcome {
    /// The messages that were posted, and the older ones that were changed.
    pub fn new(messages: Vec<Arc<Message>>, changed: Vec<Arc<Message>>) -> Self {
        Self { messages, changed }
    }
}

/// The state of a room at the point where a member's stream of events begins, or continues after a
/// resync.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The reference of the command.
    pub reference: Option<Reference>,
    /// The room.
    pub room: RoomName,
    /// The epoch of the history store.
    pub epoch: Epoch,
    /// The number of the newest event before this point in the stream.
    pub seq: u64,
    /// The number of the oldest message that is kept. Older ones were removed by retention.
    pub oldest: u64,
    /// The settings of the room.
    pub settings: Arc<RoomSettings>,
    /// What the member is in the room.
    pub standing: Standing,
    /// The first page of the members, ordered by name, with every change sent so far and the member
    /// itself.
    pub members: Vec<MemberInfo>,
    /// The number of all members.
    pub member_count: usize,
    /// The number with which the range of `messages` begins. It ends with `seq`.
    pub first: u64,
    /// The messages of that range, as they are now, oldest first: those that the member missed, or
    /// the newest ones.
    pub messages: Vec<Arc<Message>>,
    /// The messages before that range that were changed after the position that was asked for, as
    /// they are now, oldest first. `None` if not everything after that position could be recovered.
    pub changed: Option<Vec<Arc<Message>>>,
    /// Which of the reactions on these messages are the member's own.
    pub mine: OwnReactions,
}

/// A command of a member is carried out, and what it has changed is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ack {
    /// The reference of the command.
    pub reference: Option<Reference>,
    /// The room.
    pub room: RoomName,
    /// The number of the event in the room; `None` if the command has changed nothing.
    pub seq: Option<u64>,
    /// The sender's id for the message or the edit; `None` for other commands.
    pub id: Option<MessageId>,
    /// The time at which the message was stored; `None` if the command was not a message.
    pub sent_at: Option<Timestamp>,
    /// Whether the event survives a crash.
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
    /// The number with which the range of `messages` begins.
    pub first: u64,
    /// The number with which it ends, inclusive; `first - 1` if the range is empty.
    pub last: u64,
    /// All messages of that range, as they are now, oldest first.
    pub messages: Vec<Arc<Message>>,
    /// Which of the reactions on these messages are the member's own.
    pub mine: OwnReactions,
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
    /// A moderator or the operator removed the user.
    Kicked,
    /// The user is banned.
    Banned,
    /// The operator closed the room.
    RoomClosed,
    /// The settings of the room were changed, and do not allow the user any more.
    NotAllowed,
    /// A reason that this version does not know. Nothing of this version sends it.
    #[serde(other)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    Unknown,
}

/// Why rules do not let a user do something, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DenialReason {
    /// The user is banned from the room.
    Banned,
    /// The user is banned from the whole server.
    BannedFromServer,
    /// It is only for users with an account.
    NeedsAccount,
    /// It is only for users who have a role in the room.
    NeedsRole,
    /// It is only for moderators of the room.
    ModeratorsOnly,
    /// It is only for owners of the room.
    OwnersOnly,
    /// It cannot be done in a direct room.
    DirectRoom,
    /// A reason that this version does not know. Nothing of this version sends it.
    #[serde(other)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    Unknown,
}

/// The importance of a notice or an announcement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum NoticeLevel {
    /// For information.
    Info,
    /// Users should act on it.
    Warning,
    /// An importance that this version does not know. Nothing of this version sends it.
    #[serde(other)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    Unknown,
}
