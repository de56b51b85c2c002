//! Reactions in frames.
//!
//! The comments on frames and fields are also the descriptions in docs/asyncapi.json, so they
//! contain no links.

use serde::{Deserialize, Deserializer, Serialize};

use crate::{Emoji, Reaction, Reactor, RoomName, Username};

/// Users have put emoji on a message, or removed them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Reactions {
    /// The room.
    pub room: RoomName,
    /// The number of the first event, if the frame stands for several that follow each other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_seq: Option<u64>,
    /// The number of the last event.
    pub seq: u64,
    /// The number of the message.
    pub target: u64,
    /// What has changed: one entry for each emoji, and at most 50 users in all entries together.
    pub changes: Vec<ReactionChange>,
}

/// What has become of one emoji on a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReactionChange {
    /// The emoji.
    #[serde(deserialize_with = "parsed")]
    pub emoji: Emoji,
    /// How many users have it on the message now; 0 if it is gone.
    pub count: u64,
    /// The users who have put it there, and have not removed it since.
    pub added: Vec<Reactor>,
    /// The users who have removed it, and have not put it there again.
    pub removed: Vec<Reactor>,
}

/// One emoji on a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReactionCount {
    /// The emoji.
    #[serde(deserialize_with = "parsed")]
    pub emoji: Emoji,
    /// How many users have put it on the message; at least one.
    pub count: u64,
    /// The names of some of them, at most 10.
    pub users: Vec<Username>,
    /// Whether the user of the session is one of them. Only in answers to this session.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mine: bool,
}

/// The server may know more emoji than this version.
fn parsed<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Emoji, D::Error> {
    String::deserialize(deserializer).map(Emoji::from_parsed)
}

impl From<&Reaction> for ReactionCount {
    fn from(Reaction { emoji, count, users }: &Reaction) -> Self {
        Self { emoji: emoji.clone(), count: *count, users: users.clone(), mine: false }
    }
}

impl From<crate::ReactionChange> for ReactionChange {
    fn from(change: crate::ReactionChange) -> Self {
        let crate::ReactionChange { emoji, count, added, removed } = change;
        Self { emoji, count, added, removed }
    }
}
