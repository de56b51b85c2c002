//! Ids of members, messages, commands and stores.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The id of one membership of a user in a room: the id of its presence record. Ids increase over
/// time and are never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct MemberId(i64);

impl MemberId {
    /// The id of the presence record with this number.
    pub const fn new(number: i64) -> Self {
        Self(number)
    }

    /// The number of the presence record.
    pub const fn get(self) -> i64 {
        self.0
    }
}

/// An opaque, random name of a member's connection. Other members see it; it grants nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ChannelName(u64);

impl ChannelName {
    /// A name made from 64 bits, which should be random.
    pub const fn new(bits: u64) -> Self {
        Self(bits)
    }

    /// The bits that it was made from.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "c{:016x}", self.0)
    }
}

impl Serialize for ChannelName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Why a text is not a valid [`MessageId`], [`Reference`] or [`AnnouncementId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it must have {} {max} characters", if *min == 0 { "at most".to_owned() } else { format!("{min} to") })]
pub struct LengthError {
    /// The minimum number of characters.
    pub min: usize,
    /// The maximum number of characters.
    pub max: usize,
}

macro_rules! short_text {
    ($(#[$doc:meta])* $name:ident, $min:literal..=$max:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The maximum number of characters.
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
    /// A client's id for a command, by which it recognises the reply: at most 64 characters.
    Reference, 0..=64
}

short_text! {
    /// The id of an announcement of the operator: 1 to 64 characters.
    AnnouncementId, 1..=64
}

impl AnnouncementId {
    /// Makes an id from 64 random bits.
    pub fn from_random(bits: u64) -> Self {
        Self(format!("{bits:016x}").into())
    }
}

impl MessageId {
    /// An id for a message whose sender gave none: 128 random bits in hexadecimal digits.
    pub fn from_random(bits: u128) -> Self {
        Self(format!("{bits:032x}").into())
    }
}

/// One lifetime of a store. It changes when history was lost, reset or restored from a backup, and
/// at each start of a store in memory; a `seq` of one epoch means nothing in another.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Epoch(Arc<str>);

impl Epoch {
    /// The epoch with this text.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Makes an epoch from 64 random bits.
    pub fn from_random(bits: u64) -> Self {
        Self(format!("{bits:016x}").into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_references_are_limited_in_length() {
        assert!("".parse::<Reference>().is_ok());
        assert_eq!("".parse::<MessageId>(), Err(LengthError { min: 1, max: 64 }));
        assert!("é".repeat(64).parse::<MessageId>().is_ok());
        assert_eq!("é".repeat(65).parse::<Reference>(), Err(LengthError { min: 0, max: 64 }));
        assert_eq!(MessageId::from_random(1).as_str(), "00000000000000000000000000000001");
    }
}
