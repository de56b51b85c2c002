//! Which members an event is for.

use chat_protocol::MemberId;

/// A point in the order of a room's comings and goings.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LogicalTime(u64);

impl LogicalTime {
    /// Goes on to the next moment, and gives it.
    pub(crate) fn tick(&mut self) -> Self {
        self.0 += 1;
        *self
    }
}

/// How a member is told who is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PresenceStyle {
    /// At once, with the list of all: by `Entered` and `Left`.
    Lists,
    /// By what changed, gathered: by `presence`.
    Changes,
}

/// Who is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audience {
    /// Everybody.
    All,
    /// Those who are told at once who is there.
    Lists,
    /// Those of them who arrived before this moment.
    ListsBefore(LogicalTime),
    /// Those who are told what changed.
    Changes,
    /// Those of them who are not this member.
    ChangesExcept(MemberId),
    /// One member.
    Only(MemberId),
}
