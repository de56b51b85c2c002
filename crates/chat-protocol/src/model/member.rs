//! The members of a room, and the list of them at one moment.

use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};

use crate::model::ids::{ChannelName, MemberId};
use crate::model::name::{RoomName, Username};
use crate::model::time::Timestamp;

/// One stay of one person in one room, from entering to leaving.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Which stay this is.
    pub id: MemberId,
    /// Where.
    pub room: RoomName,
    /// MemberGroup; unique in the room.
    pub username: Username,
    /// The connection behind it.
    pub channel: ChannelName,
    /// Since when.
    pub joined_at: Timestamp,
}

/// The members of a room as they stood when an event was made: the first [`LISTED_MEMBERS`](crate::LISTED_MEMBERS) in
/// order of arrival, and how many there are in all.
///
/// It is immutable, and shared by every event until the room changes. A dialect that sends the list with every frame keeps its encoding
/// here: see [`encoded`](Self::encoded).
#[derive(Debug)]
pub struct MemberList {
    first: Vec<Arc<Member>>,
    total: usize,
    encoded: OnceLock<Box<[u8]>>,
}

impl MemberList {
    /// `first` has to be in ascending order of id; `total` counts the members that it leaves out, too.
    pub fn new(first: Vec<Arc<Member>>, total: usize) -> Self {
        debug_assert!(first.is_sorted_by_key(|member| member.id) && total >= first.len());
        Self { first, total, encoded: OnceLock::new() }
    }

    /// The listed members, in order of arrival.
    pub fn first(&self) -> &[Arc<Member>] {
        &self.first
    }

    /// How many members the room has, listed or not.
    pub fn total(&self) -> usize {
        self.total
    }

    /// Whether this member is among [`first`](Self::first).
    pub fn lists(&self, id: MemberId) -> bool {
        self.first.binary_search_by_key(&id, |member| member.id).is_ok()
    }

    /// The encoding of the list in the one dialect that sends whole lists: the first call runs `encode`, every later one returns what it
    /// returned.
    pub(crate) fn encoded(&self, encode: impl FnOnce(&[Arc<Member>]) -> Vec<u8>) -> &[u8] {
        self.encoded.get_or_init(|| encode(&self.first).into())
    }
}

/// A member of a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MemberInfo {
    /// The member's name.
    pub username: Username,
    /// The time at which the member joined.
    pub joined_at: Timestamp,
}

/// Those an event is about: never nobody. A clone shares the list, and so does the rest of it from somebody on.
#[derive(Debug, Clone)]
pub struct MemberGroup {
    people: Arc<[Arc<Member>]>,
    /// The first that is meant.
    from: usize,
}

impl MemberGroup {
    /// None of nobody.
    pub fn new(people: Vec<Arc<Member>>) -> Option<Self> {
        (!people.is_empty()).then(|| Self { people: people.into(), from: 0 })
    }

    /// Those behind the first `count`; none where that is nobody.
    pub fn after(&self, count: usize) -> Option<Self> {
        let from = self.from + count;
        (from < self.people.len()).then(|| Self { people: Arc::clone(&self.people), from })
    }
}

impl From<Arc<Member>> for MemberGroup {
    fn from(member: Arc<Member>) -> Self {
        Self { people: Arc::new([member]), from: 0 }
    }
}

impl Deref for MemberGroup {
    type Target = [Arc<Member>];

    fn deref(&self) -> &Self::Target {
        &self.people[self.from..]
    }
}
