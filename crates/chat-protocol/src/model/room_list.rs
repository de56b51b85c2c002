//! The list of a user's rooms.

use serde::{Deserialize, Serialize};

/// What a user is notified of in a room.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Notify {
    /// All messages.
    #[default]
    All,
    /// Messages that mention the user.
    Mentions,
    /// Nothing.
    None,
}

/// What kind of entry a room in the list is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RoomKind {
    /// A room that users join by its name.
    Room,
    /// A private room in which the user has a role.
    Private,
    /// A direct room: only this user and one other may join it.
    Direct,
    /// A room into which the user is invited. Joining it accepts the invitation.
    Invitation,
    /// A kind that this version does not know. Nothing of this version sends it.
    #[serde(other)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    Unknown,
}
