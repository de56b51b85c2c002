//! Messages as a room's history keeps them.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{RoomName, Timestamp, Username};

/// Why a text is no [`MessageId`] or [`Reference`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it must have {} {max} characters", if *min == 0 { "at most".to_owned() } else { format!("{min} to") })]
pub struct LengthError {
    /// The fewest characters.
    pub min: usize,
    /// The most characters.
    pub max: usize,
}

macro_rules! short_text {
    ($(#[$doc:meta])* $name:ident, $min:literal..=$max:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The most characters.
            pub const MAX: usize = $max;

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = LengthError;

            fn from_str(text: &str) -> Result<Self, LengthError> {
                if ($min..=$max).contains(&text.chars().take($max + 1).count()) {
                    Ok(Self(text.into()))
                } else {
                    Err(LengthError { min: $min, max: $max })
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }

        #[cfg(feature = "schema")]
        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "minLength": $min, "maxLength": $max })
            }
        }
    };
}

short_text! {
    /// A client's id for a message, so that sending it again is safe: 1 to 64 characters, random.
    MessageId, 1..=64
}

short_text! {
    /// A client's id for a command, so that it recognises the answer: at most 64 characters.
    Reference, 0..=64
}

impl MessageId {
    /// An id for a message whose sender gave none: 128 random bits in hexadecimal digits.
    pub fn from_random(bits: u128) -> Self {
        Self(format!("{bits:032x}").into())
    }
}

/// One lifetime of a store. It changes when history was lost, reset or restored from a backup, and at each start of a store
/// in memory; a `seq` of one epoch means nothing in another.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Epoch(pub Arc<str>);

impl Epoch {
    /// A new one, from 64 random bits.
    pub fn from_random(bits: u64) -> Self {
        Self(format!("{bits:016x}").into())
    }
}

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
    /// It was erased; its place stays.
    Erased,
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

    #[test]
    fn ids_and_references_are_short() {
        assert!("".parse::<Reference>().is_ok());
        assert_eq!("".parse::<MessageId>(), Err(LengthError { min: 1, max: 64 }));
        assert!("é".repeat(64).parse::<MessageId>().is_ok());
        assert_eq!("é".repeat(65).parse::<Reference>(), Err(LengthError { min: 0, max: 64 }));
        assert_eq!(MessageId::from_random(1).as_str(), "00000000000000000000000000000001");
    }
}
