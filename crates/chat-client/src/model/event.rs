//! Events of a client.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chat_protocol::v2::{
    Announcement, Bye, Deleted, Edited, ErrorCode, HistoryPage, Inbox, Invited, LeftReason, MemberInfo,
    Notice, Presence, ReactionChange, Reactions, Reactor, Read, RoomListEntry, RoomSettings, Since, Standing,
    StoredMessage, Typing, User, Warned, WelcomeLimits,
};
use chat_protocol::{Emoji, Epoch, RoomName, Timestamp, UserId, Username};

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
    /// The session has joined a room, or has resumed the room's stream. [`Client::join`] returns
    /// the same value; the event marks its position in the stream. It is repeated after each
    /// reconnect, and whenever the client has missed events of the room and asked for them.
    ///
    /// If [`recovered`](Joined::recovered) is false, everything that the program holds of the room
    /// is void, and the room starts with [`Joined::messages`]. So it is at the first join. If it is
    /// true, the missed changes and messages follow, and then [`Recovered`](Self::Recovered).
    ///
    /// [`Client::join`]: crate::Client::join
    Joined(Arc<Joined>),
    /// A new message in a room: each message once, in the order of `seq`. The numbers have gaps,
    /// because other events of the room have numbers as well. A message that was missed is
    /// delivered in its current state, so it may have been deleted meanwhile.
    Message {
        /// The room.
        room: RoomName,
        /// The message.
        message: StoredMessage,
    },
    /// A message that was posted earlier has changed, and the client has missed the change: this is
    /// its current state. A program that does not have the message ignores this.
    Changed {
        /// The room.
        room: RoomName,
        /// The message.
        message: StoredMessage,
    },
    /// The author has replaced the text of a message. A program replaces the message if it has it,
    /// unless its `changed_seq` is at least the `seq` of this event. [`Timeline`](crate::Timeline)
    /// does that.
    Edited(Edited),
    /// Messages were deleted: at most 500. A program replaces those of them that it has, unless
    /// their `changed_seq` is at least the `seq` of this event. [`Timeline`](crate::Timeline) does
    /// that.
    Deleted(Deleted),
    /// Users have put emoji on a message, or removed them: one event of the room, or several that
    /// follow each other. A program changes the message if it has it, unless its `changed_seq` is
    /// at least the `seq` of this event. [`Timeline`](crate::Timeline) does that.
    Reacted(Reacted),
    /// These are the settings of a room from now on. The event may come although nothing has
    /// changed.
    RoomChanged {
        /// The room.
        room: RoomName,
        /// All settings.
        info: RoomSettings,
        /// The topic as sanitised HTML; see [`Options::render`](crate::Options::render).
        topic_html: Option<Arc<str>>,
    },
    /// The role of the user in a room has changed, or the user was muted or may post again.
    StandingChanged {
        /// The room.
        room: RoomName,
        /// What the user is in the room from now on.
        standing: Standing,
    },
    /// A moderator has warned the user. A program should show this until the user has seen it.
    Warned(Warned),
    /// The user is invited into a room. [Joining](crate::Client::join) it accepts the invitation.
    Invited(Invited),
    /// A page of the history. [`Client::history`](crate::Client::history) returns the same value;
    /// the event marks its position in the room's stream: the page contains the effects of all
    /// events before it, and may contain those of events after it.
    History(Arc<HistoryPage>),
    /// Every missed message and change has been delivered, between the room's
    /// [`Joined`](Self::Joined) and this event.
    Recovered {
        /// The room.
        room: RoomName,
        /// The number of missed messages.
        count: u64,
    },
    /// Members joined and left: changes to the set that [`Joined::members`] began.
    Presence(Presence),
    /// A member is typing.
    Typing(Typing),
    /// The list of the user's rooms, which the server keeps for all devices of an account. It comes
    /// once for each session, some time after [`Connected`](Self::Connected). Guests have none.
    Rooms(Vec<RoomListEntry>),
    /// A room is in the list, or its entry has changed: by this client, or another session of the
    /// user.
    Kept(RoomListEntry),
    /// A room is no longer in the list.
    Dropped(RoomName),
    /// The user has read messages of a room in the list, with this client or another session.
    Read(Read),
    /// The other user of a direct room has read its messages up to this position.
    Seen {
        /// The room.
        room: RoomName,
        /// The other user.
        username: Username,
        /// The newest message that was read.
        up_to: Since,
    },
    /// Whom the user has blocked, as a program that hides their messages needs it: all of them,
    /// when an account has connected, and when this client or another session has changed it. The
    /// name is that of then; `None` for a guest who was not connected.
    Blocked(BTreeMap<UserId, Option<Username>>),
    /// News in a room of the list that the session has not joined; at most one a second for each
    /// room.
    Inbox(Inbox),
    /// A notice of the operator.
    Notice(Notice),
    /// The announcement of the operator from now on, in place of the one before. `None` if it was
    /// withdrawn. Each announcement is reported once, also over reconnects. If there is one when a
    /// session begins, it comes right after [`Connected`](Self::Connected).
    Announcement(Option<Announcement>),
    /// The session has left a room, and the client does not join it again on its own.
    Left {
        /// The room.
        room: RoomName,
        /// The reason.
        reason: LeftReason,
        /// When the ban ends, if the user is banned and the ban has an end.
        until: Option<Timestamp>,
    },
    /// The room cannot be joined again yet after a reconnect, or its stream cannot be resumed yet.
    /// The client tries again after a delay, until it succeeds, or the program leaves the room. The
    /// room's messages are not delivered meanwhile. The code
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

/// The state of a room at the time of joining, or of resuming its stream.
///
/// A program that needs every message, such as an archive, reads what could not be recovered from
/// the history, starting at its own position:
///
/// ```no_run
/// # async fn run(client: chat_client::Client, joined: &chat_client::Joined) -> Result<(), Box<dyn
/// std::error::Error>> { use chat_client::Page;
///
/// if let Some(since) = joined.since.as_ref().filter(|_| !joined.recovered) {
///     // numbers of another epoch have no meaning in this one
///     let mut last = if since.epoch == joined.epoch { since.seq } else { 0 };
///     while last < joined.seq {
///         let page = client.history(&joined.room, Page::After { seq: last, limit: 200 }).await?;
///         for message in page.messages.iter().filter(|message| message.seq() <= joined.seq) {
///             println!("missed: {message:?}");
///         }
///         last = if page.more { page.last } else { joined.seq };
///     }
/// }
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Joined {
    /// The room.
    pub room: RoomName,
    /// The epoch of the store. Numbers of another epoch have no meaning.
    pub epoch: Epoch,
    /// The number of the newest event, 0 if there never was one. The live stream begins after it.
    pub seq: u64,
    /// Messages with a smaller number are gone: the server's retention has removed them. A program
    /// that has such messages drops them.
    pub oldest: u64,
    /// The settings of the room.
    pub info: RoomSettings,
    /// The topic as sanitised HTML; see [`Options::render`](crate::Options::render).
    pub topic_html: Option<Arc<str>>,
    /// The user's role in the room, and whether it is muted.
    pub standing: Standing,
    /// The first page of the members, ordered by username. It replaces an earlier list.
    /// [`Client::members`](crate::Client::members) returns the others.
    pub members: Vec<MemberInfo>,
    /// The number of all members.
    pub member_count: u64,
    /// The number with which the range of [`messages`](Self::messages) begins; it ends with
    /// [`seq`](Self::seq). Older messages are read with [`Page::Before`](crate::Page::Before) this
    /// number.
    pub first: u64,
    /// The newest messages, oldest first, as many as
    /// [`JoinOptions::history`](crate::JoinOptions::history) requests. Empty if
    /// [`recovered`](Self::recovered) is true: missed messages are delivered as
    /// [`Event::Message`].
    pub messages: Vec<StoredMessage>,
    /// Whether everything after [`since`](Self::since) is delivered, by the events up to
    /// [`Event::Recovered`]. If not, all messages of the room that the program has are void, and
    /// the room starts with [`messages`](Self::messages).
    pub recovered: bool,
    /// The position that the client had in the room's stream: everything up to it has been
    /// delivered. `None` if the program has just joined the room.
    pub since: Option<Since>,
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

/// Reactions, and which of them are of the user of this client.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reacted {
    /// The reactions.
    pub reactions: Reactions,
    /// What has become of the user's own reactions: the emoji, and whether the user has put it on
    /// the message or removed it.
    pub mine: Vec<(Emoji, bool)>,
}

impl Reacted {
    /// The reactions, for the user with these ids: the present one, and those that it had as a
    /// guest.
    pub fn new(reactions: Reactions, own_ids: &[UserId]) -> Self {
        let has_own = |reactors: &[Reactor]| reactors.iter().any(|reactor| own_ids.contains(&reactor.user));
        let own = |change: &ReactionChange| {
            let (is_added, is_removed) = (has_own(&change.added), has_own(&change.removed));
            (is_added || is_removed).then(|| (change.emoji.clone(), is_added))
        };
        let mine = reactions.changes.iter().filter_map(own).collect();
        Self { reactions, mine }
    }
}
