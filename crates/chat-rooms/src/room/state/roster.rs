//! The list for members with [`PresenceStyle::Changes`](crate::PresenceStyle::Changes): as of the
//! last change of presence, and what has changed since.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::ops::Bound;

use chat_protocol::{LISTED_MEMBERS, MemberInfo, Username};

use crate::sync::steps;

/// The list of a room's members, and the changes since it was last announced. Snapshots and changes
/// are consistent for a client that applies each change to its last snapshot as to a set.
#[derive(Debug, Default)]
pub(crate) struct Roster {
    /// The list as of the last announced changes.
    announced: BTreeMap<Username, MemberInfo>,
    /// The members that joined since and are not in `announced`, or are there as another user of
    /// the same name.
    joined: BTreeMap<Username, MemberInfo>,
    /// The names in `announced` whose members left since, and that nobody has now.
    left: BTreeSet<Username>,
    /// What has changed in `announced` since it was announced, while a window is being closed.
    closing: Made,
    /// Whether changes are being coalesced.
    is_open: bool,
}

/// The changes that are made and not announced yet.
#[derive(Debug, Default)]
struct Made {
    joined: BTreeMap<Username, MemberInfo>,
    left: BTreeSet<Username>,
    /// Whether there are more than are listed.
    is_cut: bool,
}

/// How far the closing of a window is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Closing {
    /// There are more changes to make.
    More,
    /// All changes are made. `None` if there were none.
    Done(Option<RosterChanges>),
}

/// The changes of a list.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct RosterChanges {
    pub(crate) joined: Vec<MemberInfo>,
    pub(crate) left: Vec<Username>,
    /// Whether there are more changes than these.
    pub(crate) is_cut: bool,
    /// The number of members now.
    pub(crate) count: usize,
}

/// A page of the list.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct RosterPage {
    pub(crate) members: Vec<MemberInfo>,
    /// The number of all members.
    pub(crate) count: usize,
    /// Whether more members match the query.
    pub(crate) more: bool,
}

/// A query for a page of the list.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RosterQuery<'a> {
    /// Only names after this one.
    pub(crate) after: Option<&'a str>,
    /// Only names that begin with this prefix.
    pub(crate) prefix: &'a str,
    /// The maximum number of members.
    pub(crate) limit: usize,
}

impl Made {
    fn left(&mut self, username: Username) {
        self.joined.remove(&username);
        self.left.insert(username);
        self.cut();
    }

    fn joined(&mut self, member: MemberInfo) {
        self.left.remove(&member.username);
        self.joined.insert(member.username.clone(), member);
        self.cut();
    }

    /// Forgets the last ones: a list that is cut need not be complete.
    fn cut(&mut self) {
        if self.joined.len() > LISTED_MEMBERS {
            self.joined.pop_last();
            self.is_cut = true;
        }
        if self.left.len() > LISTED_MEMBERS {
            self.left.pop_last();
            self.is_cut = true;
        }
    }

    fn finish(self, count: usize) -> Option<RosterChanges> {
        let Self { joined, left, is_cut } = self;
        let (joined, left) = (joined.into_values().collect::<Vec<_>>(), Vec::from_iter(left));
        let has_changes = !joined.is_empty() || !left.is_empty();
        has_changes.then_some(RosterChanges { joined, left, is_cut, count })
    }
}

impl Roster {
    /// Creates a list that every member knows.
    pub(crate) fn new(announced: impl Iterator<Item = MemberInfo>) -> Self {
        let announced = announced.map(|member| (member.username.clone(), member));
        Self { announced: announced.collect(), ..Self::default() }
    }

    /// Notes that a member joined. Returns `true` if this is the first change since the last
    /// announcement.
    pub(crate) fn entered(&mut self, member: MemberInfo) -> bool {
        self.left.remove(&member.username);
        match self.announced.get_mut(&member.username) {
            // left and rejoined: nothing has changed for the others
            Some(known) if known.user == member.user => *known = member,
            _ => {
                self.joined.insert(member.username.clone(), member);
            }
        }
        self.open()
    }

    /// Notes that the member of this name left. Returns `true` if this is the first change since
    /// the last announcement.
    pub(crate) fn left(&mut self, username: &Username) -> bool {
        self.joined.remove(username);
        if self.announced.contains_key(username) {
            self.left.insert(username.clone());
        }
        self.open()
    }

    fn open(&mut self) -> bool {
        !mem::replace(&mut self.is_open, true)
    }

    /// Closes the window: makes up to `max` changes, and returns whether there are more. The list
    /// may be used in between. A client that has made some of the changes may make all of them
    /// again.
    pub(crate) fn close(&mut self, max: usize) -> Closing {
        self.is_open = false;
        for _ in 0..max {
            steps::count(1);
            if let Some(username) = self.left.pop_first() {
                self.announced.remove(&username);
                self.closing.left(username);
            } else if let Some((username, member)) = self.joined.pop_first() {
                self.announced.insert(username, member.clone());
                self.closing.joined(member);
            } else {
                // an empty map keeps the memory of its last entry, in each room that is quiet
                (self.joined, self.left) = Default::default();
                return Closing::Done(mem::take(&mut self.closing).finish(self.announced.len()));
            }
        }
        Closing::More
    }

    /// Returns a page of the list as it was last announced, with the requesting member itself.
    pub(crate) fn page(&self, requester: &MemberInfo, query: RosterQuery<'_>) -> RosterPage {
        let own = requester;
        let is_listed = self.announced.contains_key(&own.username);
        let count = self.announced.len() + usize::from(!is_listed);
        // names are ordered as text, so the names with a prefix are a range
        let after = query.after.filter(|after| *after >= query.prefix);
        let from = after.map_or(Bound::Included(query.prefix), Bound::Excluded);
        let is_after = |name: &str| after.is_none_or(|after| name > after);
        let matches = |name: &str| name.starts_with(query.prefix);
        let mut own = (!is_listed && matches(own.username.as_str()) && is_after(own.username.as_str()))
            .then(|| own.clone());
        let mut members = Vec::new();
        let mut announced = self
            .announced
            .range::<str, _>((from, Bound::Unbounded))
            .take_while(|(username, _)| matches(username.as_str()))
            // the name may have been announced with another user, who has left
            .map(|(username, member)| if *username == requester.username { requester } else { member })
            .cloned()
            .peekable();
        while members.len() < query.limit {
            let own_is_next = match (&own, announced.peek()) {
                (Some(own), Some(next)) => own.username < next.username,
                (Some(_), None) => true,
                (None, Some(_)) => false,
                (None, None) => break,
            };
            members.extend(if own_is_next { own.take() } else { announced.next() });
        }
        let more = own.is_some() || announced.next().is_some();
        RosterPage { members, count, more }
    }
}

#[cfg(test)]
mod tests {
    use chat_protocol::{Identity, Timestamp, UserId};
    use proptest::prelude::*;

    use super::*;

    fn name(n: u8) -> Username {
        Username::parse(&format!("p{n:03}")).unwrap()
    }

    /// The first of several users of a name.
    fn member(n: u8) -> MemberInfo {
        member_as(n, 0)
    }

    fn member_as(n: u8, number: u8) -> MemberInfo {
        let user = Identity::one_time_guest(number.into(), name(n));
        MemberInfo::new(name(n), user.id().clone(), Timestamp::from_millis(0))
    }

    fn all(own: &Roster, me: &MemberInfo) -> BTreeMap<Username, UserId> {
        let page = own.page(me, RosterQuery { after: None, prefix: "", limit: usize::MAX });
        assert!(!page.more);
        assert_eq!(page.count, page.members.len());
        page.members.into_iter().map(|member| (member.username, member.user)).collect()
    }

    #[test]
    fn a_member_that_joins_and_leaves_in_between_is_in_neither_list() {
        let mut roster = Roster::new([member(1)].into_iter());
        assert!(roster.entered(member(2)));
        assert!(!roster.left(&name(2)));
        assert_eq!(roster.close(9), Closing::Done(None));
        assert!(roster.left(&name(1)), "the window was closed");
        roster.entered(member(1));
        assert_eq!(roster.close(9), Closing::Done(None));
        roster.entered(member(3));
        roster.left(&name(1));
        let (joined, left) = (vec![member(3)], vec![name(1)]);
        let changes = RosterChanges { joined, left, is_cut: false, count: 1 };
        assert_eq!(roster.close(9), Closing::Done(Some(changes)));
    }

    #[test]
    fn pages_are_ordered_by_name_and_include_the_requester() {
        let mut roster = Roster::new((0..10).map(|n| member(n * 2)));
        roster.entered(member(5));
        let me = member(5);
        let mut seen = Vec::new();
        let mut after = None;
        loop {
            let query = RosterQuery { after: after.as_deref(), prefix: "", limit: 3 };
            let page = roster.page(&me, query);
            assert_eq!(page.count, 11);
            seen.extend(page.members.iter().map(|member| member.username.clone()));
            after = seen.last().map(ToString::to_string);
            if !page.more {
                break;
            }
        }
        let expected: Vec<_> = [0, 2, 4, 5, 6, 8, 10, 12, 14, 16, 18].map(name).into();
        assert_eq!(seen, expected);
        let query = RosterQuery { after: Some("a"), prefix: "p00", limit: 100 };
        assert_eq!(roster.page(&me, query).members.len(), 6, "an `after` before the prefix has no effect");
        let query = RosterQuery { after: Some("p004"), prefix: "p00", limit: 1 };
        let page = roster.page(&me, query);
        assert_eq!((page.members, page.more), (vec![member(5)], true));
        let query = RosterQuery { after: Some("q"), prefix: "p00", limit: 1 };
        assert!(roster.page(&me, query).members.is_empty());
    }

    proptest! {
        /// A client that takes a snapshot at any time and applies the changes announced after it
        /// knows which users are present, also when a name passes from one user to another.
        #[test]
        fn snapshots_and_changes_add_up(
            steps in prop::collection::vec((0..12_u8, 0..2_u8, 0..4_u8), 1..200),
            max in 1..20_usize,
        ) {
            let mut roster = Roster::default();
            let mut present = BTreeMap::new();
            let mut views: Vec<(MemberInfo, BTreeMap<Username, UserId>)> = Vec::new();
            for (n, number, step) in steps {
                match step {
                    0 | 1 if !present.contains_key(&name(n)) => {
                        let member = member_as(n, number);
                        present.insert(name(n), member.user.clone());
                        roster.entered(member.clone());
                        let snapshot = all(&roster, &member);
                        prop_assert_eq!(snapshot.get(&name(n)), Some(&member.user));
                        views.push((member, snapshot));
                    }
                    2 if present.remove(&name(n)).is_some() => {
                        roster.left(&name(n));
                        views.retain(|(member, _)| member.username != name(n));
                    }
                    // a window is closed in pieces, and anything may happen between them
                    _ => if let Closing::Done(Some(changes)) = roster.close(max) {
                        prop_assert_eq!(changes.count, present.len());
                        let joined = |name: &Username| changes.joined.iter().any(|member| member.username == *name);
                        prop_assert!(!changes.left.iter().any(joined), "a name is in one of the lists");
                        for (_, view) in &mut views {
                            changes.left.iter().for_each(|username| { view.remove(username); });
                            let joined = changes.joined.iter().map(|m| (m.username.clone(), m.user.clone()));
                            view.extend(joined);
                            prop_assert_eq!(&*view, &present);
                        }
                    },
                }
            }
        }
    }
}
