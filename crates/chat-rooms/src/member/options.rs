//! What a member asks for, and why it may not get it.

use std::sync::Arc;

use chat_protocol::{MessageId, Reference, Since, Timestamp};

use crate::delivery::audience::PresenceStyle;
use crate::delivery::sink::Sink;
use crate::room::catch_up::CatchUpLimits;
use crate::room::state::roster::RosterQuery;

/// How a member joins, and what it gets.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Subscribe {
    /// Where its events go.
    pub sink: Sink,
    /// How it learns who is present.
    pub presence: PresenceStyle,
    /// The position after which it wants every message.
    pub since: Option<Since>,
    /// How many of the newest messages it wants if `since` is `None` or cannot be recovered.
    pub history: usize,
    /// How much is recovered at most.
    pub limits: CatchUpLimits,
    /// How many members its snapshot contains at most.
    pub members: usize,
    /// The reference of its snapshot.
    pub reference: Option<Reference>,
}

impl Subscribe {
    /// Sends the member's events to `sink`. Its first event is [`Joined`](chat_protocol::Event::Joined), a snapshot with at most 100
    /// members and no messages; then follows every event of the room, without a gap or a repeat.
    pub fn new(sink: Sink) -> Self {
        Self {
            sink,
            presence: PresenceStyle::Changes,
            since: None,
            history: 0,
            limits: CatchUpLimits::default(),
            members: 100,
            reference: None,
        }
    }

    /// The member learns who is present from whole lists: there is no snapshot, and its first event is its own
    /// [`Entered`](chat_protocol::Event::Entered). The other options have no effect then.
    #[must_use]
    pub fn with_lists(self) -> Self {
        Self { presence: PresenceStyle::Lists, ..self }
    }

    /// The snapshot contains every message after this position. If it cannot, it contains the newest messages: see
    /// [`history`](Self::history).
    #[must_use]
    pub fn since(self, since: impl Into<Option<Since>>) -> Self {
        Self { since: since.into(), ..self }
    }

    /// The snapshot contains up to `count` of the newest messages if [`since`](Self::since) is not given or cannot be recovered.
    #[must_use]
    pub fn history(self, count: usize) -> Self {
        Self { history: count, ..self }
    }

    /// Limits for the messages of the snapshot.
    #[must_use]
    pub fn limits(self, limits: CatchUpLimits) -> Self {
        Self { limits, ..self }
    }

    /// The maximum number of members in the snapshot.
    #[must_use]
    pub fn members(self, count: usize) -> Self {
        Self { members: count, ..self }
    }

    /// The reference that the snapshot carries.
    #[must_use]
    pub fn reference(self, reference: Option<Reference>) -> Self {
        Self { reference, ..self }
    }
}

/// Where a message is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stored {
    /// The message's number in the room.
    pub seq: u64,
    /// The id under which it was sent.
    pub id: MessageId,
    /// The time at which it was stored.
    pub sent_at: Timestamp,
    /// Whether it survives a crash.
    pub durable: bool,
}

/// Something to say.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// What.
    pub body: Arc<str>,
    /// What its sender calls it: sent again under the same id, it is the same message. None: each is a new one.
    pub id: Option<MessageId>,
    /// What the answer is to be called.
    pub reference: Option<Reference>,
}

impl<T: Into<Arc<str>>> From<T> for Outgoing {
    fn from(body: T) -> Self {
        Self { body: body.into(), id: None, reference: None }
    }
}

/// A part of the members, ordered by name.
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
    /// The first `limit` members.
    pub fn new(limit: usize) -> Self {
        Self { after: None, prefix: String::new(), limit }
    }

    /// Only names after this one.
    #[must_use]
    pub fn after(self, name: impl Into<Option<String>>) -> Self {
        Self { after: name.into(), ..self }
    }

    /// Only names that begin with `prefix`.
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
