//! The roles of users in a room.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// What a user with an account is in one room, from the least to the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RoomRole {
    /// May enter and post where only members may.
    Member,
    /// May also moderate the room.
    Moderator,
    /// May also change the settings and give roles.
    Owner,
}

/// A text is not the name of a [`RoomRole`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it must be \"member\", \"moderator\" or \"owner\"")]
pub struct RoomRoleError;

impl RoomRole {
    /// All roles, in their order.
    pub const ALL: [Self; 3] = [Self::Member, Self::Moderator, Self::Owner];

    /// The name, as on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Moderator => "moderator",
            Self::Owner => "owner",
        }
    }
}

impl fmt::Display for RoomRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for RoomRole {
    type Err = RoomRoleError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or(RoomRoleError)
    }
}

/// What a user is in a room, and whether it may post there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Standing {
    /// The user's role in the room. Absent if it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<RoomRole>,
    /// Whether the user is muted. Absent if not.
    #[serde(default, skip_serializing_if = "is_false")]
    pub muted: bool,
    /// When the mute ends. Absent if the user is not muted, or until a moderator ends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub muted_until: Option<Timestamp>,
}

impl Standing {
    /// A user with this role, who is muted until this time; `Some(None)` if that has no end.
    pub fn new(role: Option<RoomRole>, mute: Option<Option<Timestamp>>) -> Self {
        Self { role, muted: mute.is_some(), muted_until: mute.flatten() }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_false(value: &bool) -> bool {
    !value
}
