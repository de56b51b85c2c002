//! Which members receive an event.

use chat_protocol::MemberId;

/// A point in the order in which a room's members join and leave.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LogicalTime(u64);

impl LogicalTime {
    /// Advances to the next point in time and returns it.
    pub(crate) fn tick(&mut self) -> Self {
        self.0 += 1;
        *self
    }
}

/// How a member learns who is present in the room.
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

/// The members that receive an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audience {
    /// All members.
    All,
    /// The members with [`PresenceStyle::Lists`].
    Lists,
    /// The members with [`PresenceStyle::Lists`] that arrived before this time.
    ListsBefore(LogicalTime),
    /// The members with [`PresenceStyle::Changes`].
    Changes,
    /// The members with [`PresenceStyle::Changes`], except this one.
    ChangesExcept(MemberId),
    /// One member.
    Only(MemberId),
}
