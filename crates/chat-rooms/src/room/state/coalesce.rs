//! Comings and goings that a big room coalesces before it tells them.

use std::mem;
use std::sync::Arc;

use chat_protocol::{Member, MemberGroup, MemberId};

use crate::delivery::audience::LogicalTime;

/// What has come and gone since the window was opened. Empty while no window is open.
#[derive(Debug, Default)]
pub(crate) struct PresenceBatcher {
    /// When the window was opened; none while it is closed.
    since: Option<LogicalTime>,
    /// MemberGroup came and is still there, in order of arrival.
    entered: Vec<(LogicalTime, Arc<Member>)>,
    /// MemberGroup went, in the order of going.
    left: Vec<Departure>,
}

#[derive(Debug)]
struct Departure {
    at: LogicalTime,
    member: Arc<Member>,
    /// When it had come.
    arrival: LogicalTime,
}

/// What is to be told when the window closes, and to whom.
#[derive(Debug)]
pub(crate) struct BatchedPresence {
    /// The changes as they look to those who were there before the window was opened.
    pub(crate) to_all: Changes,
    /// Whoever arrived before this moment is one of them.
    pub(crate) before: LogicalTime,
    /// Each newcomer, and the changes since it came.
    pub(crate) to_newcomers: Vec<(MemberId, Changes)>,
}

/// MemberGroup went and who came. Whoever came and went in between is in neither.
#[derive(Debug)]
pub(crate) struct Changes {
    pub(crate) left: Option<MemberGroup>,
    pub(crate) entered: Option<MemberGroup>,
}

impl PresenceBatcher {
    /// Notes somebody who came. True when this opened the window.
    pub(crate) fn entered(&mut self, at: LogicalTime, member: Arc<Member>) -> bool {
        self.entered.push((at, member));
        self.open(at)
    }

    /// Notes that somebody went, who had come at `arrival`. True when this opened the window.
    pub(crate) fn left(&mut self, at: LogicalTime, member: Arc<Member>, arrival: LogicalTime) -> bool {
        self.entered.retain(|(_, entered)| entered.id != member.id);
        self.left.push(Departure { at, member, arrival });
        self.open(at)
    }

    fn open(&mut self, at: LogicalTime) -> bool {
        let opened = self.since.is_none();
        self.since.get_or_insert(at);
        opened
    }

    /// Closes the window, if one is open.
    pub(crate) fn close(&mut self) -> Option<BatchedPresence> {
        let before = self.since.take()?;
        let (arrivals, left) = (mem::take(&mut self.entered), mem::take(&mut self.left));
        let gone = |seen: &dyn Fn(&&Departure) -> bool| {
            MemberGroup::new(left.iter().filter(seen).map(|gone| Arc::clone(&gone.member)).collect())
        };
        let entered = MemberGroup::new(arrivals.iter().map(|(_, member)| Arc::clone(member)).collect());
        let to_newcomers = arrivals.iter().enumerate().map(|(i, (arrival, newcomer))| {
            let left = gone(&|gone| gone.arrival < *arrival && gone.at > *arrival);
            (newcomer.id, Changes { left, entered: entered.as_ref().and_then(|all| all.after(i + 1)) })
        });
        Some(BatchedPresence {
            to_newcomers: to_newcomers.collect(),
            to_all: Changes { left: gone(&|gone| gone.arrival < before), entered },
            before,
        })
    }
}
