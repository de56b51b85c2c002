//! What moderators do to users.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a moderator does to a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Moderation {
    /// Removes the user from the room. It may come back.
    Kick,
    /// Removes the user from the room, and keeps it out.
    Ban,
    /// Ends a ban.
    Unban,
    /// Lets the user only read.
    Mute,
    /// Ends a mute.
    Unmute,
    /// Tells the user something, in all of its sessions.
    Warn,
}

impl Moderation {
    /// All kinds.
    pub const ALL: [Self; 6] = [Self::Kick, Self::Ban, Self::Unban, Self::Mute, Self::Unmute, Self::Warn];

    /// The name, as on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Kick => "kick",
            Self::Ban => "ban",
            Self::Unban => "unban",
            Self::Mute => "mute",
            Self::Unmute => "unmute",
            Self::Warn => "warn",
        }
    }
}

impl fmt::Display for Moderation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
