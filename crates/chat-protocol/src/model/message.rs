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
    /// The number of the event that posted the message. The events of a room are numbered 1, 2, 3
    /// and so on, without gaps; the numbers between two messages belong to other events.
    pub seq: u64,
    /// The time at which the message was stored.
    pub sent_at: Timestamp,
    /// The content.
    pub content: Content,
    /// The number of the last event that changed the message; `None` if it was never changed.
    pub changed_seq: Option<u64>,
}

/// The content of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Content {
    /// The text of a user.
    Text(Text),
    /// A deleted message. Its number remains in use.
    Deleted {
        /// Who deleted it.
        by: DeletedBy,
    },
}

/// Who deleted a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DeletedBy {
    /// Its author.
    Author,
    /// A moderator of the room or of the server.
    Moderator,
    /// The operator of the server.
    Operator,
    /// A kind of person that this version does not know. Nothing of this version sends it.
    #[serde(other)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    Unknown,
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
    /// When the author last edited the text; `None` if it is as it was sent.
    pub edited_at: Option<Timestamp>,
}

impl Text {
    /// A text of the user `user`, whose name is `from`, as it was sent.
    pub fn new(id: MessageId, user: UserId, from: Username, body: impl Into<Arc<str>>) -> Self {
        Self { id, user, from, body: body.into(), edited_at: None }
    }
}

/// A position in the events of a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Since {
    /// The epoch of the store to which `seq` belongs.
    pub epoch: Epoch,
    /// The number of the last event that the client has applied.
    pub seq: u64,
}

impl Message {
    /// A message with this number, stored at this time, that was never changed.
    pub fn new(room: RoomName, seq: u64, sent_at: Timestamp, content: Content) -> Self {
        Self { room, seq, sent_at, content, changed_seq: None }
    }

    /// The state of the message after the event `changed_seq` has deleted it.
    #[must_use]
    pub fn deleted(&self, by: DeletedBy, changed_seq: u64) -> Self {
        let content = Content::Deleted { by };
        Self {
            room: self.room.clone(),
            seq: self.seq,
            sent_at: self.sent_at,
            content,
            changed_seq: Some(changed_seq),
        }
    }

    /// The state of the message after the event `changed_seq` has replaced its text at the time
    /// `edited_at`; `None` if it was deleted.
    #[must_use]
    pub fn edited(&self, body: Arc<str>, edited_at: Timestamp, changed_seq: u64) -> Option<Self> {
        let text = Text { body, edited_at: Some(edited_at), ..self.text()?.clone() };
        let content = Content::Text(text);
        let (room, changed_seq) = (self.room.clone(), Some(changed_seq));
        Some(Self { room, seq: self.seq, sent_at: self.sent_at, content, changed_seq })
    }

    /// The text, or `None` if the message was deleted.
    pub fn text(&self) -> Option<&Text> {
        match &self.content {
            Content::Text(text) => Some(text),
            Content::Deleted { .. } => None,
        }
    }

    /// The maximum size of the message in bytes in a `chat.v2` list of messages, without `html`. It
    /// includes escaping: control characters, quotation marks and backslashes are longer in JSON.
    pub fn encoded_size(&self) -> usize {
        match &self.content {
            Content::Text(Text { id, user, from, body, edited_at }) => {
                text_size(id, user, from, body) + changed_size(self.changed_seq, *edited_at)
            }
            Content::Deleted { .. } => DELETED_SIZE,
        }
    }

    /// The approximate size in memory, in bytes.
    pub fn size(&self) -> usize {
        /// Everything except the text.
        const REST: usize = 240;
        match &self.content {
            Content::Text(Text { body, .. }) => REST + body.len(),
            Content::Deleted { .. } => REST,
        }
    }
}

/// The [`Message::encoded_size`] of a deleted message: the field names, the time, the longest
/// numbers and the longest value of `by`.
pub(crate) const DELETED_SIZE: usize = 128;

/// The [`Message::encoded_size`] of a message that was never changed, with these strings.
pub(crate) fn text_size(id: &MessageId, user: &UserId, from: &Username, body: &str) -> usize {
    /// The field names, the time and the longest number.
    const REST: usize = 104;
    let ids = json_length(id.as_str()) + user.as_str().len();
    REST + ids + json_length(from.as_str()) + json_length(body)
}

/// What changes add to the [`Message::encoded_size`].
pub(crate) fn changed_size(changed_seq: Option<u64>, edited_at: Option<Timestamp>) -> usize {
    changed_seq.map_or(0, |_| r#","changed_seq":1099511627775"#.len())
        + edited_at.map_or(0, |_| r#","edited_at":"2026-11-24T08:00:00.123Z""#.len())
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
