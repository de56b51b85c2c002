//! Messages as the history of a room stores them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::ids::{Epoch, MessageId};
use crate::model::name::{RoomName, Username};
use crate::model::time::Timestamp;

/// A message of a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The room.
    pub room: RoomName,
    /// The message's number in the room: 1, 2, 3 and so on, without gaps.
    pub seq: u64,
    /// The time at which the message was stored.
    pub sent_at: Timestamp,
    /// The content.
    pub content: Content,
}

/// The content of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A message of a user.
    Said {
        /// The sender's id for the message.
        id: MessageId,
        /// The sender's name.
        from: Username,
        /// The text, unchanged.
        body: Arc<str>,
    },
    /// An erased message. Its number remains in use.
    Erased,
}

/// A position in a room's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Since {
    /// The epoch of the store to which `seq` belongs.
    pub epoch: Epoch,
    /// The number of the last message that the client has.
    pub seq: u64,
}

impl Message {
    /// The maximum size of the message in bytes in a `chat.v2` list of messages, without `html`. It
    /// includes escaping: control characters, quotation marks and backslashes are longer in JSON.
    pub fn encoded_size(&self) -> usize {
        match &self.content {
            Content::Said { id, from, body } => said_size(id, from, body),
            Content::Erased => ERASED_SIZE,
        }
    }

    /// The approximate size in memory, in bytes.
    pub fn size(&self) -> usize {
        /// Everything except the text.
        const REST: usize = 192;
        match &self.content {
            Content::Said { body, .. } => REST + body.len(),
            Content::Erased => REST,
        }
    }
}

/// The [`Message::encoded_size`] of an erased message, and of any message without its strings: the
/// field names, the time and the longest number.
pub(crate) const ERASED_SIZE: usize = 94;

/// The [`Message::encoded_size`] of a message with these strings.
pub(crate) fn said_size(id: &MessageId, from: &Username, body: &str) -> usize {
    ERASED_SIZE + json_length(id.as_str()) + json_length(from.as_str()) + json_length(body)
}

/// The length of a JSON string in bytes, without the enclosing quotation marks (RFC 8259,
/// section 7).
pub(crate) fn json_length(text: &str) -> usize {
    let length = |byte| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
        0..0x20 => 6,
        _ => 1,
    };
    text.bytes().map(length).sum()
}
