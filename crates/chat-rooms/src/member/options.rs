//! The options and arguments of a member's commands.

use std::sync::Arc;
use std::time::Duration;

use chat_access::{Denied, Network};
use chat_history::{MAX_PAGE_BYTES, Mentions, MessageContext, Page};
use chat_protocol::{Emoji, MessageId, Reference, Since, Timestamp, UserId};

use crate::delivery::audience::PresenceStyle;
use crate::delivery::sink::Sink;
use crate::room::catch_up::CatchUpLimits;
use crate::room::state::roster::RosterQuery;

/// How a member joins a room, and what it receives.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Subscribe {
    /// Where the events of the member go.
    pub sink: Sink,
    /// How the member learns who is present.
    pub presence: PresenceStyle,
    /// The position after which the member wants everything.
    pub since: Option<Since>,
    /// How many of the newest messages the member wants if `since` is `None` or cannot be
    /// recovered.
    pub history: usize,
    /// The limits on the messages that are recovered.
    pub limits: CatchUpLimits,
    /// The maximum number of members in the snapshot.
    pub members: usize,
    /// Ids that the user had before: reactions of these are the user's own, too.
    pub former_ids: Vec<UserId>,
    /// Where a guest connects from, if that is known: others from there may be banned.
    pub network: Option<Network>,
    /// The reference that the snapshot carries.
    pub reference: Option<Reference>,
}

impl Subscribe {
    /// Sends the events of the member to `sink`.
    ///
    /// The first event is [`Joined`](chat_protocol::Event::Joined), a snapshot with at most 100
    /// members and no messages. After it, the member receives every event of the room, without a
    /// gap or a repeat.
    pub fn new(sink: Sink) -> Self {
        Self {
            sink,
            presence: PresenceStyle::Changes,
            since: None,
            history: 0,
            limits: CatchUpLimits::default(),
            members: 100,
            former_ids: Vec::new(),
            network: None,
            reference: None,
        }
    }

    /// Sends the member whole lists of who is present.
    ///
    /// There is no snapshot: the first event is the member's own
    /// [`Entered`](chat_protocol::Event::Entered). The other options have no effect in this case.
    #[must_use]
    pub fn with_lists(self) -> Self {
        Self { presence: PresenceStyle::Lists, ..self }
    }

    /// Includes everything after this position in the snapshot. If that is not possible, the
    /// snapshot contains the newest messages: see [`history`](Self::history).
    #[must_use]
    pub fn since(self, since: impl Into<Option<Since>>) -> Self {
        Self { since: since.into(), ..self }
    }

    /// Includes up to `count` of the newest messages in the snapshot, if [`since`](Self::since) is
    /// not set or cannot be recovered.
    #[must_use]
    pub fn history(self, count: usize) -> Self {
        Self { history: count, ..self }
    }

    /// Sets the limits for the messages in the snapshot.
    #[must_use]
    pub fn limits(self, limits: CatchUpLimits) -> Self {
        Self { limits, ..self }
    }

    /// Sets the maximum number of members in the snapshot.
    #[must_use]
    pub fn members(self, count: usize) -> Self {
        Self { members: count, ..self }
    }

    /// Sets the ids that the user had before.
    #[must_use]
    pub fn former_ids(self, ids: Vec<UserId>) -> Self {
        Self { former_ids: ids, ..self }
    }

    /// Sets where a guest connects from.
    #[must_use]
    pub fn network(self, network: Option<Network>) -> Self {
        Self { network, ..self }
    }

    /// Sets the reference that the snapshot carries.
    #[must_use]
    pub fn reference(self, reference: Option<Reference>) -> Self {
        Self { reference, ..self }
    }
}

/// What a session asks for when it [resyncs](crate::Membership::resync).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Resync {
    /// The last event that the session has applied.
    pub since: Since,
    /// How many of the newest messages the session wants if `since` cannot be recovered.
    pub history: usize,
    /// The limits on what is recovered.
    pub limits: CatchUpLimits,
    /// The maximum number of members in the snapshot.
    pub members: usize,
    /// Ids that the user had before: reactions of these are the user's own, too.
    pub former_ids: Vec<UserId>,
    /// The reference that the snapshot carries.
    pub reference: Option<Reference>,
}

impl Resync {
    /// Asks for everything after this position, with at most 100 members and, if it cannot be
    /// recovered, no messages.
    pub fn new(since: Since) -> Self {
        let (limits, former_ids) = (CatchUpLimits::default(), Vec::new());
        Self { since, history: 0, limits, members: 100, former_ids, reference: None }
    }

    /// Includes up to `count` of the newest messages if the position cannot be recovered.
    #[must_use]
    pub fn history(self, count: usize) -> Self {
        Self { history: count, ..self }
    }

    /// Sets the limits for the messages in the snapshot.
    #[must_use]
    pub fn limits(self, limits: CatchUpLimits) -> Self {
        Self { limits, ..self }
    }

    /// Sets the maximum number of members in the snapshot.
    #[must_use]
    pub fn members(self, count: usize) -> Self {
        Self { members: count, ..self }
    }

    /// Sets the ids that the user had before.
    #[must_use]
    pub fn former_ids(self, ids: Vec<UserId>) -> Self {
        Self { former_ids: ids, ..self }
    }

    /// Sets the reference that the snapshot carries.
    #[must_use]
    pub fn reference(self, reference: Option<Reference>) -> Self {
        Self { reference, ..self }
    }
}

/// Where a message is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stored {
    /// The number of the message in its room.
    pub seq: u64,
    /// The id under which the message was sent.
    pub id: MessageId,
    /// The time at which the message was stored.
    pub sent_at: Timestamp,
    /// Whether the message survives a crash.
    pub durable: bool,
}

/// A message to send.
///
/// Anything that converts to `Arc<str>` converts to a message with nothing but this text.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// The text.
    pub body: Arc<str>,
    /// The sender's id for the message: if it is sent again with the same id, it is the same
    /// message. `None` if each one is a new message.
    pub id: Option<MessageId>,
    /// The reference that the reply carries.
    pub reference: Option<Reference>,
    /// What the message replies to, and whom it addresses. The engine does not look for names in
    /// the text: see [`Membership::find`](crate::Membership::find).
    pub context: Option<Box<MessageContext>>,
    /// Why the program does not let the user send this, for example because of a word in it. The
    /// room refuses it then, unless it is stored already under the same id.
    pub denied: Option<Denied>,
}

impl<T: Into<Arc<str>>> From<T> for Outgoing {
    fn from(body: T) -> Self {
        Self { body: body.into(), id: None, reference: None, context: None, denied: None }
    }
}

/// An edit: the author of a message replaces its text.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Edit {
    /// The number of the message.
    pub target: u64,
    /// The new text.
    pub body: Arc<str>,
    /// Whom the new text addresses.
    pub mentions: Mentions,
    /// The user's id for the edit: if it is sent again with the same id, it is the same edit.
    pub id: Option<MessageId>,
    /// The reference that the reply carries.
    pub reference: Option<Reference>,
    /// Ids that the user had before: messages of these are the user's own, too.
    pub former_ids: Vec<UserId>,
    /// The maximum age of a message that is edited. `None`: any age.
    pub window: Option<Duration>,
    /// Why the program does not let the user write this: see [`Outgoing::denied`].
    pub denied: Option<Denied>,
}

impl Edit {
    /// Replaces the text of the message `target` by `body`.
    pub fn new(target: u64, body: impl Into<Arc<str>>) -> Self {
        let (body, mentions, former_ids) = (body.into(), Mentions::default(), Vec::new());
        Self { target, body, mentions, id: None, reference: None, former_ids, window: None, denied: None }
    }
}

/// The deletion of a message: by its author, or by a moderator.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Delete {
    /// The number of the message.
    pub target: u64,
    /// The reference that the reply carries.
    pub reference: Option<Reference>,
    /// Ids that the user had before: messages of these are the user's own, too.
    pub former_ids: Vec<UserId>,
    /// Whether the message may be one of another user: set once the deletion is
    /// [recorded](crate::Membership::record_deletion).
    pub is_recorded: bool,
}

impl Delete {
    /// Deletes the message `target`.
    pub fn new(target: u64) -> Self {
        Self { target, reference: None, former_ids: Vec::new(), is_recorded: false }
    }
}

/// A reaction: a user puts an emoji on a message, or removes it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct React {
    /// The number of the message.
    pub target: u64,
    /// The emoji.
    pub emoji: Emoji,
    /// Whether the emoji is put on the message; if not, it is removed.
    pub is_added: bool,
    /// The reference that the reply carries.
    pub reference: Option<Reference>,
    /// Ids that the user had before: reactions of these are the user's own, too.
    pub former_ids: Vec<UserId>,
}

impl React {
    /// Puts an emoji on the message `target`.
    pub fn add(target: u64, emoji: Emoji) -> Self {
        Self { target, emoji, is_added: true, reference: None, former_ids: Vec::new() }
    }

    /// Removes an emoji from the message `target`.
    pub fn remove(target: u64, emoji: Emoji) -> Self {
        Self { is_added: false, ..Self::add(target, emoji) }
    }
}

/// A query for a page of the messages.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct HistoryQuery {
    /// The page.
    pub page: Page,
    /// The maximum size of the page, counted by
    /// [`Message::encoded_size`](chat_protocol::Message::encoded_size). One message always fits.
    pub max_bytes: usize,
    /// Ids that the user had before: reactions of these are the user's own, too.
    pub former_ids: Vec<UserId>,
    /// The reference that the page carries.
    pub reference: Option<Reference>,
}

impl HistoryQuery {
    /// Queries this page, of at most 960 KiB.
    pub fn new(page: Page) -> Self {
        Self { page, max_bytes: MAX_PAGE_BYTES, former_ids: Vec::new(), reference: None }
    }

    /// Sets the maximum size of the page in bytes.
    #[must_use]
    pub fn max_bytes(self, max_bytes: usize) -> Self {
        Self { max_bytes, ..self }
    }

    /// Sets the ids that the user had before.
    #[must_use]
    pub fn former_ids(self, ids: Vec<UserId>) -> Self {
        Self { former_ids: ids, ..self }
    }

    /// Sets the reference that the page carries.
    #[must_use]
    pub fn reference(self, reference: Option<Reference>) -> Self {
        Self { reference, ..self }
    }
}

/// A query for a range of the members, ordered by name.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct MembersQuery {
    /// Only names after this one.
    pub after: Option<String>,
    /// Only names that begin with this prefix.
    pub prefix: String,
    /// The maximum number of members.
    pub limit: usize,
}

impl MembersQuery {
    /// Queries the first `limit` members.
    pub fn new(limit: usize) -> Self {
        Self { after: None, prefix: String::new(), limit }
    }

    /// Restricts the query to names after this one.
    #[must_use]
    pub fn after(self, name: impl Into<Option<String>>) -> Self {
        Self { after: name.into(), ..self }
    }

    /// Restricts the query to names that begin with `prefix`.
    #[must_use]
    pub fn prefix(self, prefix: impl Into<String>) -> Self {
        Self { prefix: prefix.into(), ..self }
    }
}

impl<'a> From<&'a MembersQuery> for RosterQuery<'a> {
    fn from(query: &'a MembersQuery) -> Self {
        Self { after: query.after.as_deref(), prefix: &query.prefix, limit: query.limit }
    }
}
