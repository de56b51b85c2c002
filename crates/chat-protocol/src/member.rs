//! Who sits in a room, and the list of them as it stands at one moment.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{RoomName, Username, classic};

/// The id of one stay of one person in one room: the id of its presence row. It grows with time and is never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct MemberId(pub i64);

/// An opaque, random name of the connection behind a member. It is shown to others and grants nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ChannelName(pub u64);

impl fmt::Display for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "c{:016x}", self.0)
    }
}

impl Serialize for ChannelName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Milliseconds since 1970-01-01 00:00 UTC. On the wire it is RFC 3339 in UTC with milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The last moment of the year 9999, the last that RFC 3339 can write.
    const LAST: u64 = 253_402_300_799_999;

    /// This moment, as the system's clock has it.
    pub fn now() -> Self {
        Self::from(SystemTime::now())
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = u64::try_from(self.0).unwrap_or_default().min(Self::LAST);
        humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(millis)).fmt(f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        humantime::parse_rfc3339(&text).map(Self::from).map_err(serde::de::Error::custom)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Timestamp {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Timestamp".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "format": "date-time" })
    }
}

/// One stay of one person in one room, from entering to leaving.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Which stay this is.
    pub id: MemberId,
    /// Where.
    pub room: RoomName,
    /// Who; unique in the room.
    pub username: Username,
    /// The connection behind it.
    pub channel: ChannelName,
    /// Since when.
    pub joined_at: Timestamp,
}

/// The members of a room as they stood when an event was made: the first [`LISTED_MEMBERS`](crate::LISTED_MEMBERS) in
/// order of arrival, and how many there are in all.
///
/// It does not change, is shared by every event until the room changes, and is written as classic JSON at most once,
/// when the first classic frame needs it.
#[derive(Debug)]
pub struct MemberList {
    first: Vec<Arc<Member>>,
    total: usize,
    classic: OnceLock<Box<[u8]>>,
}

impl MemberList {
    /// `first` has to be in ascending order of id; `total` counts the members that it leaves out, too.
    pub fn new(first: Vec<Arc<Member>>, total: usize) -> Self {
        debug_assert!(first.is_sorted_by_key(|member| member.id) && total >= first.len());
        Self { first, total, classic: OnceLock::new() }
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

    /// The list as the classic dialect writes it, without the closing bracket, so that whoever an event is about can
    /// be added behind it.
    pub(crate) fn classic_open(&self) -> &[u8] {
        self.classic.get_or_init(|| classic::open_list(&self.first).into())
    }
}
