//! The frames about the list of the user's rooms.
//!
//! The comments on frames and fields are also the descriptions in docs/asyncapi.json, so they
//! contain no links.

use serde::{Deserialize, Serialize};

use crate::{Epoch, Notify, Reference, RoomKind, RoomName, RoomRole, RoomTitle, Timestamp, UserId, Username};

/// The list of the user's rooms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RoomList {
    /// The rooms, by name.
    pub entries: Vec<RoomListEntry>,
    /// Whether another frame of this type follows with more rooms.
    pub more: bool,
    /// The users whom the user has blocked. Only in the last frame, and absent if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blocked: Vec<BlockedUser>,
}

/// A user whom the user has blocked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BlockedUser {
    /// The id.
    pub user: UserId,
    /// The name that it had then. Absent: a guest who was not connected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<Username>,
}

/// The user has blocked another one, or hears it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Blocked {
    /// The other user.
    #[serde(flatten)]
    pub user: BlockedUser,
    /// Whether it is blocked now.
    pub on: bool,
}

/// A room in the list of a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RoomListEntry {
    /// The room.
    pub room: RoomName,
    /// What kind of entry this is.
    pub kind: RoomKind,
    /// What the room is called. Absent: by its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<RoomTitle>,
    /// The other user of a direct room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub with: Option<Username>,
    /// The role of the user in the room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<RoomRole>,
    /// Who has invited the user. Only in an invitation, and absent if it was who runs the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Username>,
    /// When an invitation ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Whether the room is a favourite.
    pub favourite: bool,
    /// What the user is notified of.
    pub notify: Notify,
    /// The epoch to which the numbers belong.
    pub epoch: Epoch,
    /// The number of the newest event of the room. In an invitation, all numbers are 0.
    pub newest: u64,
    /// The number of the newest message that the user has read.
    pub read_up_to: u64,
    /// How many messages of others come after it; at most 100.
    pub unread: u64,
    /// How many of them mention the user; at most 100.
    pub mentions: u64,
    /// The number of the newest message that the other user of a direct room has read. Absent in
    /// other rooms, and if the other user has not read anything yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen_up_to: Option<u64>,
}

/// A room is in the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Kept {
    /// The `ref` of the `keep`, for the session that sent it.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference>,
    /// The entry.
    pub entry: RoomListEntry,
}

/// A room is no longer in the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Dropped {
    /// The `ref` of the `keep`, for the session that sent it.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference>,
    /// The room.
    pub room: RoomName,
}

/// The user has read messages of a room in the list, or the other user of a direct room has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Read {
    /// The `ref` of the `mark_read`, for the session that sent it.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference>,
    /// The room.
    pub room: RoomName,
    /// The epoch to which the number belongs.
    pub epoch: Epoch,
    /// The number of the newest message that was read.
    pub up_to: u64,
    /// The other user of a direct room, if that is who has read. Absent: the receiver has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<Username>,
    /// How many messages of others come after it; at most 100. Only if the receiver has read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unread: Option<u64>,
    /// How many of them mention the receiver; at most 100. Only if the receiver has read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mentions: Option<u64>,
}

/// There are new messages in a room of the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Inbox {
    /// The room.
    pub room: RoomName,
    /// The number of the newest message.
    pub up_to: u64,
    /// How many messages of others the user has not read; at most 100.
    pub unread: u64,
    /// How many of them mention the user; at most 100.
    pub mentions: u64,
    /// The name of the sender of the newest message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Username>,
}
