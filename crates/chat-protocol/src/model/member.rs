//! The members of a room, and snapshots of the list of members.

use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};

use crate::model::identity::UserId;
use crate::model::ids::{ChannelName, MemberId};
use crate::model::name::{RoomName, Username};
use crate::model::time::Timestamp;

/// The presence of a user in a room: from joining with the first session to leaving with the last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The id of the membership.
    pub id: MemberId,
    /// The room.
    pub room: RoomName,
    /// The user.
    pub user: UserId,
    /// The user's name, unique in the room.
    pub username: Username,
    /// The name of the member's connection.
    pub channel: ChannelName,
    /// The time at which the member joined.
    pub joined_at: Timestamp,
}

/// The members of a room when an event was created: the first
/// [`LISTED_MEMBERS`](crate::LISTED_MEMBERS) in order of arrival, and the total number.
///
/// The list is immutable, and shared by all events until the room changes. It caches its encoding
/// in the classic protocol, which sends the list with every frame.
#[derive(Debug)]
pub struct MemberList {
    first: Vec<Arc<Member>>,
    total: usize,
    encoded: OnceLock<Box<[u8]>>,
}

impl MemberList {
    /// Makes a list. `first` must be in ascending order of id; `total` includes members that are
    /// not in `first`.
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

    /// The encoding of the list in the only protocol that sends whole lists. The first call runs
    /// `encode`; later calls return its result.
    pub(crate) fn encoded(&self, encode: impl FnOnce(&[Arc<Member>]) -> Vec<u8>) -> &[u8] {
        self.encoded.get_or_init(|| encode(&self.first).into())
    }
}

/// A member of a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct MemberInfo {
    /// The member's name.
    pub username: Username,
    /// The user.
    pub user: UserId,
    /// The time at which the member joined.
    pub joined_at: Timestamp,
}

impl MemberInfo {
    /// A member with this name, who joined at this time.
    pub fn new(username: Username, user: UserId, joined_at: Timestamp) -> Self {
        Self { username, user, joined_at }
    }
}

impl From<&Member> for MemberInfo {
    fn from(member: &Member) -> Self {
        Self::new(member.username.clone(), member.user.clone(), member.joined_at)
    }
}

/// The members that an event is about; never empty. Clones and the groups that
/// [`after`](Self::after) returns share the allocation.
#[derive(Debug, Clone)]
pub struct MemberGroup {
    members: Arc<[Arc<Member>]>,
    /// The index of the first member that belongs to the group.
    start: usize,
}

impl MemberGroup {
    /// Makes a group, or returns `None` if `members` is empty.
    pub fn new(members: Vec<Arc<Member>>) -> Option<Self> {
        (!members.is_empty()).then(|| Self { members: members.into(), start: 0 })
    }

    /// The members after the first `count`, or `None` if there are none.
    pub fn after(&self, count: usize) -> Option<Self> {
        let start = self.start + count;
        (start < self.members.len()).then(|| Self { members: Arc::clone(&self.members), start })
    }
}

impl From<Arc<Member>> for MemberGroup {
    fn from(member: Arc<Member>) -> Self {
        Self { members: Arc::new([member]), start: 0 }
    }
}

impl Deref for MemberGroup {
    type Target = [Arc<Member>];

    fn deref(&self) -> &Self::Target {
        &self.members[self.start..]
    }
}
