//! What a client tells its user.

use std::sync::Arc;
use std::time::Duration;

use chat_protocol::v2::{
    Bye, ErrorCode, LeftReason, MemberInfo, Notice, Presence, StoredMessage, Typing, WelcomeLimits,
};
use chat_protocol::{Epoch, RoomName, Username};

use super::error::ConnectError;

/// Something that happened, in the order in which it did.
///
/// What the user asked for is answered where it was asked; what comes from others, and what the client does by itself, is told
/// here. Of a room nothing comes before its [`Joined`](Self::Joined) or after its [`Left`](Self::Left) or
/// [`RejoinRefused`](Self::RejoinRefused).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A session began: the first one, and one after each [`Disconnected`](Self::Disconnected) that could be mended.
    Connected(Connected),
    /// The connection ended, or could not be made again. The client tries again after a pause.
    Disconnected {
        /// Why.
        reason: Disconnect,
        /// How long the pause is.
        retry_in: Duration,
    },
    /// The session is in a room. [`Client::join`](crate::Client::join) has the same answer; it is told here too, since only here is it
    /// in its place in front of the room's first message and first change of presence. Also after each reconnect, for each room.
    Joined(Arc<Joined>),
    /// Somebody said something in a room: each message once, in the order of `seq`. After a reconnect those that were missed are
    /// told in the same way, and messages that were erased meanwhile are among them.
    Message {
        /// Where.
        room: RoomName,
        /// What.
        message: StoredMessage,
    },
    /// After a reconnect: everything that was missed has been told, as messages between the room's [`Joined`](Self::Joined) and this.
    Recovered {
        /// Where.
        room: RoomName,
        /// How many messages that were.
        count: u64,
    },
    /// After a reconnect: messages may be missing. It comes before the first message behind the gap.
    Gap(Gap),
    /// A fault of the server: a message came whose `seq` does not follow the last one's. It is told next. Counted in
    /// [`Counters::holes`](crate::Counters::holes).
    Hole {
        /// Where.
        room: RoomName,
        /// The seq that should have come.
        expected: u64,
        /// The seq that came.
        got: u64,
    },
    /// Who came and who went, to be applied as to a set to [`Joined::members`].
    Presence(Presence),
    /// Somebody is typing.
    Typing(Typing),
    /// The operator says something.
    Notice(Notice),
    /// The session is not in a room any more, and the client will not join it again by itself.
    Left {
        /// Where.
        room: RoomName,
        /// Why.
        reason: LeftReason,
    },
    /// After a reconnect: the room can't be joined again yet; the client tries again after a pause, until it is let in or told to
    /// leave. With [`UsernameTaken`](ErrorCode::UsernameTaken) either its own dead connection still holds the name, for 10 s at most,
    /// or somebody else took it.
    RejoinDelayed {
        /// Which.
        room: RoomName,
        /// Why, for a program.
        code: ErrorCode,
        /// Why, for a person.
        message: Arc<str>,
        /// How long the pause is.
        retry_in: Duration,
    },
    /// After a reconnect: the room does not let the session in any more, and the client gives it up. Messages to it that had no
    /// ack are refused with the same code.
    RejoinRefused {
        /// Which.
        room: RoomName,
        /// Why, for a program.
        code: ErrorCode,
        /// Why, for a person.
        message: Arc<str>,
    },
    /// The client is closed for good. The last event there is.
    Closed(Closed),
}

/// A session that began.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Connected {
    /// An id for logs. It grants nothing.
    pub session: String,
    /// The name, in the spelling that everyone sees.
    pub username: Username,
    /// The server's name and version.
    pub server: String,
    /// What the client may send.
    pub limits: WelcomeLimits,
}

/// A room as it stood when it was joined.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Joined {
    /// Which.
    pub room: RoomName,
    /// The life of the store.
    pub epoch: Epoch,
    /// The newest message's; the live stream begins behind it.
    pub seq: u64,
    /// The first page of who is there, by username; [`Client::members`](crate::Client::members) has the rest.
    pub members: Vec<MemberInfo>,
    /// How many are there in all.
    pub member_count: u64,
    /// The newest messages, as many as [`JoinOptions::history`](crate::JoinOptions::history) asked for, oldest first. Empty where the
    /// client joined again by itself: what it missed comes as [`Event::Message`].
    pub messages: Vec<StoredMessage>,
    /// Whether the client joined again by itself after a reconnect. What was known of the members is replaced by `members`.
    pub rejoined: bool,
}

/// A place in a room's stream at which messages may be missing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Gap {
    /// Where.
    pub room: RoomName,
    /// The last seq that was told before.
    pub last_seen: u64,
    /// The seq with which the stream goes on: of the next message that is told, now or later. Without a change of epoch, those from
    /// `last_seen + 1` up to here can be read by [`Client::history`](crate::Client::history) with [`Page::After`](crate::Page::After).
    pub resumes_at: u64,
    /// Whether the room's history is another one now: what was told before is void, and its seqs mean nothing any more.
    pub epoch_changed: bool,
}

/// Why a connection ended, or did not come about again.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Disconnect {
    /// The server said that it would close it.
    Bye(Bye),
    /// The server closed it without a `bye`.
    Closed {
        /// The code in its close frame; 1005 where there was none.
        code: u16,
        /// The reason in its close frame.
        reason: String,
    },
    /// It broke.
    Lost(String),
    /// The server gave no sign of life: nothing came for a heartbeat, and nothing followed a `ping`.
    Silent,
    /// It could not be made again.
    Unreachable(ConnectError),
}

/// Why a client is closed for good.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Closed {
    /// [`Client::close`](crate::Client::close) was called, or the last [`Client`](crate::Client) was dropped.
    Asked,
    /// The server said not to come back.
    Bye(Bye),
    /// The server closed the connection with a code that says that coming back is of no use: 4401, 4403 or 4409.
    Forbidden {
        /// The code in its close frame.
        code: u16,
        /// The reason in its close frame.
        reason: String,
    },
    /// The server refused the session when the client came back, in a way that would not change.
    Refused(ConnectError),
}
