//! Coalesces the joins and leaves of a large room.

use std::collections::BTreeMap;
use std::sync::Arc;

use chat_protocol::{Member, MemberGroup, MemberId};

use crate::delivery::audience::LogicalTime;

/// The joins and leaves since the window was opened. Empty while no window is open.
#[derive(Debug, Default)]
pub(crate) struct PresenceBatcher {
    /// When the window was opened; `None` while it is closed.
    since: Option<LogicalTime>,
    /// The members that joined and are still in the room, in order of arrival.
    entered: BTreeMap<LogicalTime, Arc<Member>>,
    /// The members that left, in the order in which they left.
    left: Vec<Departure>,
}

#[derive(Debug)]
struct Departure {
    at: LogicalTime,
    member: Arc<Member>,
    /// When the member had joined.
    arrival: LogicalTime,
}

/// The events to send when the window closes, and their audiences.
#[derive(Debug)]
pub(crate) struct BatchedPresence {
    /// The changes for the members that joined before the window was opened.
    pub(crate) to_all: Changes,
    /// Those are the members that arrived before this time.
    pub(crate) before: LogicalTime,
    /// Each newcomer, with the changes since it joined.
    pub(crate) to_newcomers: Vec<(MemberId, Changes)>,
}

/// The members that left and those that joined. A member that joined and left in between is in
/// neither.
#[derive(Debug)]
pub(crate) struct Changes {
    pub(crate) left: Option<MemberGroup>,
    pub(crate) entered: Option<MemberGroup>,
}

impl PresenceBatcher {
    /// Notes that a member joined. Returns `true` if this opened the window.
    pub(crate) fn entered(&mut self, at: LogicalTime, member: Arc<Member>) -> bool {
        self.entered.insert(at, member);
        self.open(at)
    }

    /// Notes that a member left that had joined at `arrival`. Returns `true` if this opened the
    /// window.
    pub(crate) fn left(&mut self, at: LogicalTime, member: Arc<Member>, arrival: LogicalTime) -> bool {
        self.entered.remove(&arrival);
        self.left.push(Departure { at, member, arrival });
        self.open(at)
    }

    /// Whether a window is open.
    pub(crate) fn is_open(&self) -> bool {
        self.since.is_some()
    }

    fn open(&mut self, at: LogicalTime) -> bool {
        let opened = self.since.is_none();
        self.since.get_or_insert(at);
        opened
    }

    /// Closes the window, if one is open. `receives_lists` says which newcomers need the changes.
    pub(crate) fn close(self, receives_lists: impl Fn(MemberId) -> bool) -> Option<BatchedPresence> {
        let Self { since, entered: arrivals, left } = self;
        let before = since?;
        let group = |departed: &[Departure], arrival: LogicalTime| {
            let seen = departed.iter().filter(|departed| departed.arrival < arrival);
            MemberGroup::new(seen.map(|departed| Arc::clone(&departed.member)).collect())
        };
        let entered = MemberGroup::new(arrivals.values().map(Arc::clone).collect());
        let newcomers = arrivals.iter().enumerate().filter(|(_, (_, newcomer))| receives_lists(newcomer.id));
        let to_newcomers = newcomers.map(|(i, (arrival, newcomer))| {
            let since = left.partition_point(|departed| departed.at <= *arrival);
            let left = group(&left[since..], *arrival);
            (newcomer.id, Changes { left, entered: entered.as_ref().and_then(|all| all.after(i + 1)) })
        });
        Some(BatchedPresence {
            to_newcomers: to_newcomers.collect(),
            to_all: Changes { left: group(&left, before), entered },
            before,
        })
    }
}
