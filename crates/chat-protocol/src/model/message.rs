//! Messages as the history of a room stores them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::identity::UserId;
use crate::model::ids::{Epoch, MessageId};
use crate::model::mention::Mention;
use crate::model::name::{RoomName, Username};
use crate::model::reaction::Reaction;
use crate::model::time::Timestamp;

/// A message of a room.
///
/// Nodes of a cluster exchange it in its serialized form, which is not that of a dialect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    /// The message that this one replies to.
    pub reply_to: Option<Arc<ReplyTo>>,
    /// Whom the text addresses, at most [`MAX_MENTIONS`]; `None` if nobody.
    pub mentions: Option<Arc<[Mention]>>,
    /// The reactions, in the order in which each emoji was first used; `None` if there are none.
    pub reactions: Option<Arc<[Reaction]>>,
}

/// The maximum number of [`Text::mentions`].
pub const MAX_MENTIONS: usize = 20;

/// The message that another one replies to, as it was at that time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReplyTo {
    /// The number of the message in the room.
    pub seq: u64,
    /// The name of its author.
    pub from: Username,
    /// Its author.
    pub user: UserId,
}

impl Text {
    /// A text of the user `user`, whose name is `from`, as it was sent.
    pub fn new(id: MessageId, user: UserId, from: Username, body: impl Into<Arc<str>>) -> Self {
        let (reply_to, mentions, reactions) = (None, None, None);
        Self { id, user, from, body: body.into(), edited_at: None, reply_to, mentions, reactions }
    }

    /// The mentions, which may be none.
    pub fn mentions(&self) -> &[Mention] {
        self.mentions.as_deref().unwrap_or_default()
    }

    /// The reactions, which may be none.
    pub fn reactions(&self) -> &[Reaction] {
        self.reactions.as_deref().unwrap_or_default()
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

    /// The state of the message after the event `changed_seq` has replaced its text, and whom it
    /// addresses, at the time `edited_at`; `None` if it was deleted.
    #[must_use]
    pub fn edited(
        &self,
        body: Arc<str>,
        mentions: Option<Arc<[Mention]>>,
        edited_at: Timestamp,
        changed_seq: u64,
    ) -> Option<Self> {
        let text = Text { body, mentions, edited_at: Some(edited_at), ..self.text()?.clone() };
        let content = Content::Text(text);
        let (room, changed_seq) = (self.room.clone(), Some(changed_seq));
        Some(Self { room, seq: self.seq, sent_at: self.sent_at, content, changed_seq })
    }

    /// Sets the reactions. Returns `None` if the message was deleted, which has none.
    pub fn set_reactions(&mut self, reactions: Vec<Reaction>) -> Option<()> {
        let Content::Text(text) = &mut self.content else { return None };
        text.reactions = (!reactions.is_empty()).then(|| reactions.into());
        Some(())
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
        /// The field names, the time, the longest numbers and the longest value of `by`.
        const DELETED: usize = 128;
        match &self.content {
            Content::Text(text) => text.encoded_size() + self.changed_seq.map_or(0, |_| CHANGED_SEQ),
            Content::Deleted { .. } => DELETED,
        }
    }

    /// The approximate size in memory, in bytes.
    pub fn size(&self) -> usize {
        /// Everything except the text.
        const REST: usize = 272;
        match &self.content {
            Content::Text(text) => REST + text.size(),
            Content::Deleted { .. } => REST,
        }
    }
}

/// The size of the field with its name.
const CHANGED_SEQ: usize = r#","changed_seq":1099511627775"#.len();

impl Text {
    /// What the text adds to the [`Message::encoded_size`].
    fn encoded_size(&self) -> usize {
        /// The field names, the time and the longest number.
        const REST: usize = 104;
        const EDITED_AT: usize = r#","edited_at":"2026-11-24T08:00:00.123Z""#.len();
        const REPLY_TO: usize = r#","reply_to":{"seq":1099511627775,"from":"","user":""}"#.len();
        const MENTIONS: usize = r#","mentions":[]"#.len();
        const REACTIONS: usize = r#","reactions":[]"#.len();
        let names = self.user.as_str().len() + json_length(self.from.as_str());
        let mut size = REST + json_length(self.id.as_str()) + names + json_length(&self.body);
        size += self.edited_at.map_or(0, |_| EDITED_AT);
        if let Some(reply_to) = &self.reply_to {
            size += REPLY_TO + reply_to.user.as_str().len() + json_length(reply_to.from.as_str());
        }
        if let Some(mentions) = &self.mentions {
            let each = mentions.iter().map(|mention| mention.as_str().len() + r#""","#.len());
            size += MENTIONS + each.sum::<usize>();
        }
        if let Some(reactions) = &self.reactions {
            size += REACTIONS + reactions.iter().map(Reaction::encoded_size).sum::<usize>();
        }
        size
    }

    /// What the text adds to the [`Message::size`].
    fn size(&self) -> usize {
        let reply_to = self.reply_to.as_ref().map_or(0, |_| size_of::<ReplyTo>());
        let reactions = self.reactions().iter().map(Reaction::size).sum::<usize>();
        self.body.len() + reply_to + size_of_val(self.mentions()) + reactions
    }
}

/// The length of a JSON string in bytes, without the enclosing quotation marks (RFC 8259,
/// section 7).
pub(crate) fn json_length(text: &str) -> usize {
    // sums without branches in single bytes, which the compiler turns into vector instructions:
    // each page of history is measured
    let escapes = |byte: &u8| {
        let is_quoted = *byte == b'"' || *byte == b'\\';
        let has_short_escape = matches!(byte, 0x08 | b'\t' | b'\n' | 0x0c | b'\r');
        let is_control = *byte < 0x20;
        u8::from(is_quoted) + 5 * u8::from(is_control) - 4 * u8::from(has_short_escape)
    };
    // at most 5 for each byte, so that the sum fits
    let count = |bytes: &[u8]| usize::from(bytes.iter().map(escapes).sum::<u8>());
    let (chunks, rest) = text.as_bytes().as_chunks::<32>();
    text.len() + chunks.iter().map(|chunk| count(chunk)).sum::<usize>() + count(rest)
}
