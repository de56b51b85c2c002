//! Comings and goings that a big room gathers before it tells them.

use std::mem;
use std::sync::Arc;

use chat_protocol::{Member, MemberGroup, MemberId};

use crate::delivery::audience::Moment;

/// What has come and gone since the window was opened. Empty while no window is open.
#[derive(Debug, Default)]
pub(crate) struct Gather {
    /// When the window was opened; none while it is closed.
    since: Option<Moment>,
    /// MemberGroup came and is still there, in order of arrival.
    entered: Vec<(Moment, Arc<Member>)>,
    /// MemberGroup went, in the order of going.
    left: Vec<Departure>,
}

#[derive(Debug)]
struct Departure {
    at: Moment,
    member: Arc<Member>,
    /// When it had come.
    arrival: Moment,
}

/// What is to be told when the window closes, and to whom.
#[derive(Debug)]
pub(crate) struct Gathered {
    /// The changes as they look to those who were there before the window was opened.
    pub(crate) to_all: Changes,
    /// Whoever arrived before this moment is one of them.
    pub(crate) before: Moment,
    /// Each newcomer, and the changes since it came.
    pub(crate) to_newcomers: Vec<(MemberId, Changes)>,
}

/// MemberGroup went and who came. Whoever came and went in between is in neither.
#[derive(Debug)]
pub(crate) struct Changes {
    pub(crate) left: Option<MemberGroup>,
    pub(crate) entered: Option<MemberGroup>,
}

impl Gather {
    /// Notes somebody who came. True when this opened the window.
    pub(crate) fn entered(&mut self, at: Moment, member: Arc<Member>) -> bool {
        self.entered.push((at, member));
        self.open(at)
    }

    /// Notes that somebody went, who had come at `arrival`. True when this opened the window.
    pub(crate) fn left(&mut self, at: Moment, member: Arc<Member>, arrival: Moment) -> bool {
        self.entered.retain(|(_, entered)| entered.id != member.id);
        self.left.push(Departure { at, member, arrival });
        self.open(at)
    }

    fn open(&mut self, at: Moment) -> bool {
        let opened = self.since.is_none();
        self.since.get_or_insert(at);
        opened
    }

    /// Closes the window, if one is open.
    pub(crate) fn close(&mut self) -> Option<Gathered> {
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
        Some(Gathered {
            to_newcomers: to_newcomers.collect(),
            to_all: Changes { left: gone(&|gone| gone.arrival < before), entered },
            before,
        })
    }
}
