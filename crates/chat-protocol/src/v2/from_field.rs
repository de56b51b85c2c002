//! Reads the value of a field as the type that the command declares.

use std::fmt::Display;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{IntoDeserializer, value};
use unicode_normalization::UnicodeNormalization;

use super::client::{Kind, Removable};
use super::field::Field;
use super::{ErrorCode, Since};
use crate::{
    Emoji, Epoch, GuestToken, InviteCode, MayJoin, MayPost, MentionRoom, MessageId, Moderation, Notify,
    Reference, RoomName, RoomRole, RoomTitle, Topic, UserId, Username, Visibility,
};

/// The code and the message of a [`Rejected`](super::Rejected), before the frame's `ref` is known.
pub(super) struct Reason(pub(super) ErrorCode, pub(super) String);

/// A type that a field of a command can have. Its implementation decides which values are valid,
/// and which code and message the others are rejected with.
pub(super) trait FromField: Sized {
    /// Reads the value of a field, which may be absent. The name is for the error message.
    fn from_field(field: &Field<'_>, name: &str) -> Result<Self, Reason>;
}

impl<T: FromField> FromField for Option<T> {
    fn from_field(field: &Field<'_>, name: &str) -> Result<Self, Reason> {
        match field {
            Field::Absent => Ok(None),
            field => T::from_field(field, name).map(Some),
        }
    }
}

impl FromField for Arc<str> {
    fn from_field(field: &Field<'_>, name: &str) -> Result<Self, Reason> {
        text(field, name).map(Self::from)
    }
}

impl FromField for String {
    fn from_field(field: &Field<'_>, name: &str) -> Result<Self, Reason> {
        text(field, name).map(Self::from)
    }
}

impl FromField for u64 {
    fn from_field(field: &Field<'_>, name: &str) -> Result<Self, Reason> {
        const EXPECTED: &str = "a whole number from 0 to 2^64 - 1";
        match field {
            Field::Number(number) => Ok(*number),
            Field::OutOfRange => Err(Reason(
                ErrorCode::BadJson,
                format!("the number in \"{name}\" is out of range: it must be {EXPECTED}"),
            )),
            other => Err(wrong_type(other, name, EXPECTED)),
        }
    }
}

impl FromField for bool {
    fn from_field(field: &Field<'_>, name: &str) -> Result<Self, Reason> {
        match field {
            Field::Flag(flag) => Ok(*flag),
            other => Err(wrong_type(other, name, "true or false")),
        }
    }
}

impl FromField for RoomName {
    fn from_field(field: &Field<'_>, name: &str) -> Result<Self, Reason> {
        let text = text(field, name)?;
        Self::parse(text).map_err(|error| Reason(ErrorCode::InvalidRoom, error.to_string()))
    }
}

impl FromField for Username {
    fn from_field(field: &Field<'_>, name: &str) -> Result<Self, Reason> {
        let text = text(field, name)?;
        Self::parse(text).map_err(|error| Reason(ErrorCode::InvalidUsername, error.to_string()))
    }
}

impl FromField for GuestToken {
    fn from_field(field: &Field<'_>, name: &str) -> Result<Self, Reason> {
        // the error does not quote the text, which may be a secret with a slip
        text(field, name)?.parse().map_err(|error| invalid(name, error))
    }
}

impl FromField for MessageId {
    fn from_field(field: &Field<'_>, name: &str) -> Result<Self, Reason> {
        text(field, name)?.parse().map_err(|error| invalid(name, error))
    }
}

impl FromField for Reference {
    fn from_field(field: &Field<'_>, name: &str) -> Result<Self, Reason> {
        text(field, name)?.parse().map_err(|error| invalid(name, error))
    }
}

impl FromField for Since {
    fn from_field(field: &Field<'_>, name: &str) -> Result<Self, Reason> {
        match field {
            Field::Object(since) => Ok(Self {
                epoch: text(&since.epoch, "since.epoch").map(Epoch::new)?,
                seq: u64::from_field(&since.seq, "since.seq")?,
            }),
            other => Err(wrong_type(other, name, "an object")),
        }
    }
}

impl FromField for Emoji {
    fn from_field(field: &Field<'_>, name: &str) -> Result<Self, Reason> {
        text(field, name)?.parse().map_err(|error| invalid(name, error))
    }
}

impl FromField for Epoch {
    fn from_field(field: &Field<'_>, name: &str) -> Result<Self, Reason> {
        text(field, name).map(Self::new)
    }
}

impl FromField for Notify {
    fn from_field(field: &Field<'_>, name: &str) -> Result<Self, Reason> {
        let text = text(field, name)?;
        Self::deserialize(text.into_deserializer())
            .map_err(|_: value::Error| invalid(name, "it must be \"all\", \"mentions\" or \"none\""))
    }
}

impl FromField for UserId {
    fn from_field(field: &Field<'_>, name: &str) -> Result<Self, Reason> {
        text(field, name)?.parse().map_err(|error| invalid(name, error))
    }
}

impl FromField for crate::Reason {
    fn from_field(field: &Field<'_>, name: &str) -> Result<Self, Reason> {
        text(field, name)?.parse().map_err(|error| invalid(name, error))
    }
}

impl FromField for RoomTitle {
    fn from_field(field: &Field<'_>, name: &str) -> Result<Self, Reason> {
        text(field, name)?.parse().map_err(|error| invalid(name, error))
    }
}

impl FromField for Topic {
    fn from_field(field: &Field<'_>, name: &str) -> Result<Self, Reason> {
        text(field, name)?.parse().map_err(|error| invalid(name, error))
    }
}

impl FromField for InviteCode {
    fn from_field(field: &Field<'_>, name: &str) -> Result<Self, Reason> {
        // the error does not quote the text, which may be a secret with a slip
        text(field, name)?.parse().map_err(|error| invalid(name, error))
    }
}

impl<T: FromField> FromField for Removable<T> {
    fn from_field(field: &Field<'_>, name: &str) -> Result<Self, Reason> {
        match field {
            Field::Text(text) if text.is_empty() => Ok(Self(None)),
            field => T::from_field(field, name).map(|value| Self(Some(value))),
        }
    }
}

impl FromField for RoomRole {
    fn from_field(field: &Field<'_>, name: &str) -> Result<Self, Reason> {
        text(field, name)?.parse().map_err(|error| invalid(name, error))
    }
}

impl FromField for Moderation {
    fn from_field(field: &Field<'_>, name: &str) -> Result<Self, Reason> {
        let text = text(field, name)?;
        let known = Self::ALL.into_iter().find(|action| action.as_str() == text);
        let expected = "it must be \"kick\", \"ban\", \"unban\", \"mute\", \"unmute\" or \"warn\"";
        known.ok_or_else(|| invalid(name, expected))
    }
}

/// Reads one of the values that a setting of this version can have.
macro_rules! setting {
    ($type:ident, $expected:literal $(, $except:pat)?) => {
        impl FromField for $type {
            fn from_field(field: &Field<'_>, name: &str) -> Result<Self, Reason> {
                let text = text(field, name)?;
                match Self::deserialize(text.into_deserializer()) {
                    Err::<_, value::Error>(_) | Ok(Self::Unknown $(| $except)?) => {
                        Err(invalid(name, $expected))
                    }
                    Ok(value) => Ok(value),
                }
            }
        }
    };
}

setting!(MayJoin, "it must be \"everyone\", \"accounts\" or \"members\"");
setting!(MayPost, "it must be \"everyone\", \"accounts\", \"members\" or \"moderators\"");
// a room becomes direct only by the command for that
setting!(Visibility, "it must be \"public\", \"unlisted\" or \"private\"", Self::Direct);
setting!(MentionRoom, "it must be \"moderators\" or \"everyone\"");

impl FromField for Kind {
    fn from_field(field: &Field<'_>, name: &str) -> Result<Self, Reason> {
        /// How many characters of an unknown type the error quotes.
        const MAX_QUOTED_CHARS: usize = 64;

        let text = text(field, name)?;
        Self::deserialize(text.into_deserializer()).map_err(|_: value::Error| {
            let quoted: String = text.chars().take(MAX_QUOTED_CHARS).collect();
            Reason(ErrorCode::UnknownType, format!("unknown type \"{quoted}\""))
        })
    }
}

/// Normalises a part of a name to NFC, in which names are compared.
pub(super) fn nfc(part: Option<String>) -> Option<String> {
    part.map(|part| part.nfc().collect())
}

fn text<'f>(field: &'f Field<'_>, name: &str) -> Result<&'f str, Reason> {
    match field {
        Field::Text(text) => Ok(text),
        other => Err(wrong_type(other, name, "a string")),
    }
}

/// The reason why a value is not accepted although it has the right JSON type.
fn invalid(name: &str, error: impl Display) -> Reason {
    Reason(ErrorCode::MissingField, format!("the field \"{name}\" is invalid: {error}"))
}

/// The reason why a field does not have the JSON type that it must have.
fn wrong_type(field: &Field<'_>, name: &str, expected: &str) -> Reason {
    let message = match field {
        Field::Absent => format!("the field \"{name}\" is missing"),
        _ => format!("the field \"{name}\" must be {expected}"),
    };
    Reason(ErrorCode::MissingField, message)
}
