//! Which members receive an event.

use chat_protocol::MemberId;

/// A point in the order in which a room's sessions join and leave.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LogicalTime(u64);

impl LogicalTime {
    /// Advances to the next point in time and returns it.
    pub(crate) fn tick(&mut self) -> Self {
        self.0 += 1;
        *self
    }
}

/// One session's subscription to the events of a room. Ids increase over time and are never reused
/// in a room.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SubscriptionId(u64);

impl SubscriptionId {
    /// Advances to the next id and returns it.
    pub(crate) fn next(&mut self) -> Self {
        self.0 += 1;
        *self
    }
}

/// How a session learns who is present in the room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PresenceStyle {
    /// By [`Entered`](chat_protocol::Event::Entered) and [`Left`](chat_protocol::Event::Left)
    /// events, each with the list of all members. They are sent at once, unless the room is large
    /// enough to coalesce them.
    Lists,
    /// By [`PresenceChanged`](chat_protocol::Event::PresenceChanged) events, each with the changes
    /// since the previous one.
    Changes,
}

/// The sessions that receive an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audience {
    /// All sessions.
    All,
    /// The sessions with [`PresenceStyle::Lists`].
    Lists,
    /// The sessions with [`PresenceStyle::Lists`] that arrived before this time.
    ListsBefore(LogicalTime),
    /// The sessions with [`PresenceStyle::Changes`].
    Changes,
    /// The sessions with [`PresenceStyle::Changes`], except those of this member.
    ChangesExcept(MemberId),
    /// One session.
    Only(SubscriptionId),
}
