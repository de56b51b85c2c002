//! The settings of a room.

use serde::{Deserialize, Serialize};

use crate::{RoomTitle, Topic};

/// The settings of a room. A room that nobody has configured has the default settings: everyone may
/// join, and everyone may post.
///
/// ```
/// use chat_protocol::{MayJoin, MayPost, RoomSettings};
///
/// let announcements = RoomSettings::default().join(MayJoin::Accounts).post(MayPost::Moderators);
/// assert_ne!(announcements, RoomSettings::default());
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct RoomSettings {
    /// What the room is called. Absent: by its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<RoomTitle>,
    /// What the room is about, in Markdown. Absent: it does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<Topic>,
    /// Who can find the room.
    #[serde(default)]
    pub visibility: Visibility,
    /// Who may join.
    #[serde(default)]
    pub join: MayJoin,
    /// Who may post.
    #[serde(default)]
    pub post: MayPost,
    /// How many seconds must pass between two messages of one user; 0: no time. Moderators need not
    /// wait.
    #[serde(default)]
    pub slow_mode_s: u32,
    /// Who may address everyone in the room with `@room`.
    #[serde(default)]
    pub mention_room: MentionRoom,
}

impl RoomSettings {
    /// Sets what the room is called.
    #[must_use]
    pub fn title(self, title: Option<RoomTitle>) -> Self {
        Self { title, ..self }
    }

    /// Sets what the room is about.
    #[must_use]
    pub fn topic(self, topic: Option<Topic>) -> Self {
        Self { topic, ..self }
    }

    /// Sets who can find the room.
    #[must_use]
    pub fn visibility(self, visibility: Visibility) -> Self {
        Self { visibility, ..self }
    }

    /// Sets who may join.
    #[must_use]
    pub fn join(self, join: MayJoin) -> Self {
        Self { join, ..self }
    }

    /// Sets who may post.
    #[must_use]
    pub fn post(self, post: MayPost) -> Self {
        Self { post, ..self }
    }

    /// Sets how many seconds must pass between two messages of one user.
    #[must_use]
    pub fn slow_mode_s(self, slow_mode_s: u32) -> Self {
        Self { slow_mode_s, ..self }
    }

    /// Sets who may address everyone in the room.
    #[must_use]
    pub fn mention_room(self, mention_room: MentionRoom) -> Self {
        Self { mention_room, ..self }
    }

    /// The largest [`slow_mode_s`](Self::slow_mode_s): one day.
    pub const MAX_SLOW_MODE_S: u32 = 86_400;
}

/// Who can find a room.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Visibility {
    /// Everyone: the room is in the directory.
    Public,
    /// Users who know its name.
    #[default]
    Unlisted,
    /// Users who have a role in the room. Nobody else may join.
    Private,
    /// The two users of a direct room. Such a room has no owner, and no settings can be changed.
    Direct,
    /// A value that this version does not know: it is the same as `private`. Nothing of this
    /// version sends it.
    #[serde(other)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    Unknown,
}

/// Who may join a room.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum MayJoin {
    /// Everyone.
    #[default]
    Everyone,
    /// Users with an account.
    Accounts,
    /// Users who have a role in the room.
    Members,
    /// A value that this version does not know: it admits moderators only. Nothing of this version
    /// sends it.
    #[serde(other)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    Unknown,
}

/// Who may post in a room.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum MayPost {
    /// Everyone in the room.
    #[default]
    Everyone,
    /// Users with an account.
    Accounts,
    /// Users who have a role in the room.
    Members,
    /// Moderators.
    Moderators,
    /// A value that this version does not know: it lets moderators post only. Nothing of this
    /// version sends it.
    #[serde(other)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    Unknown,
}

/// Who may address everyone in a room with `@room`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum MentionRoom {
    /// Moderators.
    #[default]
    Moderators,
    /// Everyone who may post.
    Everyone,
    /// A value that this version does not know: it lets moderators only. Nothing of this version
    /// sends it.
    #[serde(other)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    Unknown,
}
