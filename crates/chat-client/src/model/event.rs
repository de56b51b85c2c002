//! Events of a client.

use std::sync::Arc;
use std::time::Duration;

use chat_protocol::v2::{
    Bye, ErrorCode, LeftReason, MemberInfo, Notice, Presence, StoredMessage, Typing, User, WelcomeLimits,
};
use chat_protocol::{Epoch, RoomName};

use super::error::ConnectError;

/// An event, in the order in which events happened.
///
/// The answer to a command is returned by the command. Events are what others do, and what the
/// client does on its own. No event of a room comes before its [`Joined`](Self::Joined), or after
/// its [`Left`](Self::Left) or [`RejoinRefused`](Self::RejoinRefused).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A session began: the first one, and one after each [`Disconnected`](Self::Disconnected)
    /// from which the client recovered.
    Connected(Connected),
    /// The connection ended, or could not be established again. The client tries again after a
    /// delay.
    Disconnected {
        /// The reason.
        reason: Disconnect,
        /// The delay.
        retry_in: Duration,
    },
    /// The session has joined a room. [`Client::join`](crate::Client::join) returns the same value;
    /// the event marks its position before the room's first message and first change of presence.
    /// It is repeated after each reconnect, for each room.
    Joined(Arc<Joined>),
    /// A message in a room: each message once, in the order of `seq`. After a reconnect, missed
    /// messages are delivered in the same way, and among them messages that were erased meanwhile.
    Message {
        /// The room.
        room: RoomName,
        /// The message.
        message: StoredMessage,
    },
    /// After a reconnect: every missed message has been delivered, between the room's
    /// [`Joined`](Self::Joined) and this event.
    Recovered {
        /// The room.
        room: RoomName,
        /// The number of missed messages.
        count: u64,
    },
    /// After a reconnect: messages may be missing. The event comes before the first message after
    /// the gap.
    Gap(Gap),
    /// A fault of the server: a message whose `seq` does not follow the previous one. The message
    /// is delivered next. Counted in
    /// [`Counters::sequence_gaps`](crate::Counters::sequence_gaps).
    SequenceGap {
        /// The room.
        room: RoomName,
        /// The expected `seq`.
        expected: u64,
        /// The `seq` that arrived.
        got: u64,
    },
    /// Members joined and left: changes to the set that [`Joined::members`] began.
    Presence(Presence),
    /// A member is typing.
    Typing(Typing),
    /// A notice of the operator.
    Notice(Notice),
    /// The session has left a room, and the client does not join it again on its own.
    Left {
        /// The room.
        room: RoomName,
        /// The reason.
        reason: LeftReason,
    },
    /// After a reconnect: the room cannot be joined yet. The client tries again after a delay,
    /// until it has joined, or the program leaves the room. The code
    /// [`UsernameTaken`](ErrorCode::UsernameTaken) means that another user has taken the name
    /// meanwhile.
    RejoinDelayed {
        /// The room.
        room: RoomName,
        /// The reason, for a program.
        code: ErrorCode,
        /// The reason, for a person.
        message: Arc<str>,
        /// The delay.
        retry_in: Duration,
    },
    /// After a reconnect: the server refuses the room for good, and the client gives it up.
    /// Messages to the room without an ack are refused with the same code.
    RejoinRefused {
        /// The room.
        room: RoomName,
        /// The reason, for a program.
        code: ErrorCode,
        /// The reason, for a person.
        message: Arc<str>,
    },
    /// The client is closed for good. This is the last event.
    Closed(Closed),
}

/// A session that began.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Connected {
    /// An id for logs. It grants no access.
    pub session: String,
    /// The user as whom the session acts: the id, and the name in the spelling that everyone sees.
    /// [`Client::user`](crate::Client::user) returns the same.
    pub user: User,
    /// The name and the version of the server.
    pub server: String,
    /// The limits for what the client sends.
    pub limits: WelcomeLimits,
}

/// The state of a room at the time of joining.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Joined {
    /// The room.
    pub room: RoomName,
    /// The epoch of the store.
    pub epoch: Epoch,
    /// The number of the newest message. The live stream begins after it.
    pub seq: u64,
    /// The first page of the members, ordered by username.
    /// [`Client::members`](crate::Client::members) returns the others.
    pub members: Vec<MemberInfo>,
    /// The number of all members.
    pub member_count: u64,
    /// The newest messages, oldest first, as many as
    /// [`JoinOptions::history`](crate::JoinOptions::history) requests. Empty if the client rejoined
    /// on its own: missed messages are delivered as [`Event::Message`].
    pub messages: Vec<StoredMessage>,
    /// Whether the client rejoined on its own after a reconnect. `members` then replaces the
    /// earlier list.
    pub rejoined: bool,
}

/// A position in a room's stream at which messages may be missing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Gap {
    /// The room.
    pub room: RoomName,
    /// The `seq` of the last message that was delivered before.
    pub last_seen: u64,
    /// The `seq` of the next message that will be delivered, now or later. Unless the epoch has
    /// changed, [`Client::history`](crate::Client::history) with
    /// [`Page::After`](crate::Page::After) returns the messages from `last_seen + 1` up to it.
    pub resumes_at: u64,
    /// Whether the room's history was replaced by another one. The messages delivered before are
    /// then void, and their numbers have no meaning any more.
    pub epoch_changed: bool,
}

/// Why a connection ended, or could not be established again.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Disconnect {
    /// The server announced the end with a `bye`.
    Bye(Bye),
    /// The server closed the connection without a `bye`.
    Closed {
        /// The code of the close frame; 1005 if it had none.
        code: u16,
        /// The reason of the close frame.
        reason: String,
    },
    /// The connection broke.
    Lost(String),
    /// Nothing arrived for a heartbeat interval, and nothing followed a `ping` in time.
    HeartbeatTimeout,
    /// The connection could not be established again.
    Unreachable(ConnectError),
}

/// Why a client is closed for good.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Closed {
    /// [`Client::close`](crate::Client::close) was called, or the last [`Client`](crate::Client)
    /// was dropped.
    Requested,
    /// The server asked the client not to reconnect.
    Bye(Bye),
    /// The server closed the connection with a code after which reconnecting is useless: 4401, 4403
    /// or 4409.
    Forbidden {
        /// The code of the close frame.
        code: u16,
        /// The reason of the close frame.
        reason: String,
    },
    /// The server refused the session of a reconnecting client, and would refuse it again.
    Refused(ConnectError),
}
