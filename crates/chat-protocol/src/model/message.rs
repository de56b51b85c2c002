//! Messages as the history of a room stores them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::identity::UserId;
use crate::model::ids::{Epoch, MessageId};
use crate::model::name::{RoomName, Username};
use crate::model::time::Timestamp;

/// A message of a room.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
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
#[non_exhaustive]
pub enum Content {
    /// The text of a user.
    Text(Text),
    /// An erased message. Its number remains in use.
    Erased,
}

/// The text of a message, and who sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Text {
    /// The sender's id for the message.
    pub id: MessageId,
    /// The sender.
    pub user: UserId,
    /// The sender's name when the message was sent.
    pub from: Username,
    /// The text, unchanged.
    pub body: Arc<str>,
}

impl Text {
    /// A text of the user `user`, whose name is `from`.
    pub fn new(id: MessageId, user: UserId, from: Username, body: impl Into<Arc<str>>) -> Self {
        Self { id, user, from, body: body.into() }
    }
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
    /// A message with this number, stored at this time.
    pub fn new(room: RoomName, seq: u64, sent_at: Timestamp, content: Content) -> Self {
        Self { room, seq, sent_at, content }
    }

    /// The text, or `None` if the message was erased.
    pub fn text(&self) -> Option<&Text> {
        match &self.content {
            Content::Text(text) => Some(text),
            Content::Erased => None,
        }
    }

    /// The maximum size of the message in bytes in a `chat.v2` list of messages, without `html`. It
    /// includes escaping: control characters, quotation marks and backslashes are longer in JSON.
    pub fn encoded_size(&self) -> usize {
        match &self.content {
            Content::Text(Text { id, user, from, body }) => text_size(id, user, from, body),
            Content::Erased => ERASED_SIZE,
        }
    }

    /// The approximate size in memory, in bytes.
    pub fn size(&self) -> usize {
        /// Everything except the text.
        const REST: usize = 224;
        match &self.content {
            Content::Text(Text { body, .. }) => REST + body.len(),
            Content::Erased => REST,
        }
    }
}

/// The [`Message::encoded_size`] of an erased message, and of any message without its strings: the
/// field names, the time and the longest number.
pub(crate) const ERASED_SIZE: usize = 104;

/// The [`Message::encoded_size`] of a message with these strings.
pub(crate) fn text_size(id: &MessageId, user: &UserId, from: &Username, body: &str) -> usize {
    let ids = json_length(id.as_str()) + user.as_str().len();
    ERASED_SIZE + ids + json_length(from.as_str()) + json_length(body)
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
