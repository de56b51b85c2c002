//! Search in frames.
//!
//! The comments on frames and fields are also the descriptions in docs/asyncapi.json, so they
//! contain no links.

use serde::{Deserialize, Serialize};

use super::StoredMessage;
use crate::{Reference, RoomName};

/// What a search has found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Found {
    /// The `ref` of the `search`.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference>,
    /// The messages, newest first. There may be fewer than asked for, and none, although there are
    /// more.
    pub messages: Vec<FoundMessage>,
    /// Whether there may be more: search again with `before`.
    pub more: bool,
    /// Where the search continues. Only if `more` is true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
}

/// A message that a search has found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FoundMessage {
    /// The room.
    pub room: RoomName,
    /// The message.
    #[serde(flatten)]
    pub message: StoredMessage,
}
