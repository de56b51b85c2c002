//! Messages as a room's history keeps them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::ids::{Epoch, MessageId};
use crate::model::name::{RoomName, Username};
use crate::model::time::Timestamp;

/// A message in its place in a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Where.
    pub room: RoomName,
    /// Its place in the room's order: 1, 2, 3 and so on without a hole.
    pub seq: u64,
    /// When it was stored.
    pub sent_at: Timestamp,
    /// What it says.
    pub content: Content,
}

/// What a message says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Somebody said this.
    Said {
        /// What its sender calls it.
        id: MessageId,
        /// Who.
        from: Username,
        /// What, as it was written.
        body: Arc<str>,
    },
    /// It was erased; its place is_active.
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
    /// How many bytes it takes in a list of messages of `chat.v2`, without `html`: control characters, quotation marks and
    /// backslashes are longer there than in memory.
    pub fn encoded_size(&self) -> usize {
        match &self.content {
            Content::Said { id, from, body } => said_size(id, from, body),
            Content::Erased => ERASED_SIZE,
        }
    }

    /// About how many bytes it takes in memory.
    pub fn size(&self) -> usize {
        /// All but the text.
        const REST: usize = 192;
        match &self.content {
            Content::Said { body, .. } => REST + body.len(),
            Content::Erased => REST,
        }
    }
}

/// What [`Message::encoded_size`] is of an erased one, and of any without its texts: the names of the fields, the time and the
/// longest number.
pub(crate) const ERASED_SIZE: usize = 94;

/// What [`Message::encoded_size`] is of one with these texts.
pub(crate) fn said_size(id: &MessageId, from: &Username, body: &str) -> usize {
    ERASED_SIZE + json_length(id.as_str()) + json_length(from.as_str()) + json_length(body)
}

/// The length of a text as JSON, without the quotation marks around it (RFC 8259, section 7).
pub(crate) fn json_length(text: &str) -> usize {
    let length = |byte| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
        0..0x20 => 6,
        _ => 1,
    };
    text.bytes().map(length).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v2::StoredMessage;

    #[test]
    fn the_encoded_size_is_never_less_than_what_is_encoded() {
        let all: String = (0..0x2ff).filter_map(char::from_u32).collect();
        for (id, body) in [("a", ""), ("\u{1}\"\\é", "hello"), ("id", &all)] {
            let from = Username::parse("ana").unwrap();
            let content = Content::Said { id: id.parse().unwrap(), from, body: body.into() };
            for (content, slack) in [(content, 30), (Content::Erased, 80)] {
                for seq in [1, (1 << 40) - 1] {
                    let room = RoomName::parse("r").unwrap();
                    let message = Message { room, seq, sent_at: Timestamp::now(), content: content.clone() };
                    let encoded = serde_json::to_string(&StoredMessage::from(&message)).unwrap().len() + 1;
                    let size = message.encoded_size();
                    assert!((encoded..encoded + slack).contains(&size), "{encoded} {size}");
                }
            }
        }
    }
}
