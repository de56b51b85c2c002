//! Why a command was not carried out.

use serde::{Deserialize, Serialize};

/// The `code` of an `error`, for programs. The `message` is for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorCode {
    /// The frame is not a JSON object.
    BadJson,
    /// There is no command with this type.
    UnknownType,
    /// A required field is absent, or a field has the wrong type.
    MissingField,
    /// The first frame has to be `hello`.
    HelloFirst,
    /// The room's name is not valid.
    InvalidRoom,
    /// The username is not valid.
    InvalidUsername,
    /// Another user in that room has the name.
    UsernameTaken,
    /// The name, or one that looks like it, belongs to an account.
    NameReserved,
    /// The session is not in that room.
    NotInRoom,
    /// The session is already in that room.
    AlreadyInRoom,
    /// The session has joined as many rooms as it may.
    TooManyRooms,
    /// There is no such thing.
    NotFound,
    /// There are as many of these as there may be.
    LimitReached,
    /// The message is too large.
    MessageTooLarge,
    /// The same id was used for another message before.
    IdReused,
    /// Too fast, in a way that the server cannot throttle.
    RateLimited,
    /// The server did not accept the client's identity.
    Unauthorized,
    /// The token has expired: sign in again.
    Expired,
    /// Not allowed.
    Forbidden,
    /// The user is muted in that room.
    Muted,
    /// The room is in slow mode, and the user has posted a moment ago.
    SlowMode,
    /// The text has a word or a link that is not allowed. Nothing was stored.
    Filtered,
    /// The store does not answer. It is unknown whether the message was stored: send it again with
    /// the same id.
    StoreUnavailable,
    /// A fault of the server.
    Internal,
    /// A code that this version does not know. Nothing of this version sends it.
    #[serde(other)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    Unknown,
}

impl ErrorCode {
    /// Every code that a server of this version sends.
    pub const ALL: [Self; 24] = [
        Self::BadJson,
        Self::UnknownType,
        Self::MissingField,
        Self::HelloFirst,
        Self::InvalidRoom,
        Self::InvalidUsername,
        Self::UsernameTaken,
        Self::NameReserved,
        Self::NotInRoom,
        Self::AlreadyInRoom,
        Self::TooManyRooms,
        Self::NotFound,
        Self::LimitReached,
        Self::MessageTooLarge,
        Self::IdReused,
        Self::RateLimited,
        Self::Unauthorized,
        Self::Expired,
        Self::Forbidden,
        Self::Muted,
        Self::SlowMode,
        Self::Filtered,
        Self::StoreUnavailable,
        Self::Internal,
    ];

    /// The name of the code in an `error` frame.
    pub fn name(self) -> &'static str {
        match self {
            Self::BadJson => "bad_json",
            Self::UnknownType => "unknown_type",
            Self::MissingField => "missing_field",
            Self::HelloFirst => "hello_first",
            Self::InvalidRoom => "invalid_room",
            Self::InvalidUsername => "invalid_username",
            Self::UsernameTaken => "username_taken",
            Self::NameReserved => "name_reserved",
            Self::NotInRoom => "not_in_room",
            Self::AlreadyInRoom => "already_in_room",
            Self::TooManyRooms => "too_many_rooms",
            Self::NotFound => "not_found",
            Self::LimitReached => "limit_reached",
            Self::MessageTooLarge => "message_too_large",
            Self::IdReused => "id_reused",
            Self::RateLimited => "rate_limited",
            Self::Unauthorized => "unauthorized",
            Self::Expired => "expired",
            Self::Forbidden => "forbidden",
            Self::Muted => "muted",
            Self::SlowMode => "slow_mode",
            Self::Filtered => "filtered",
            Self::StoreUnavailable => "store_unavailable",
            Self::Internal => "internal",
            Self::Unknown => "unknown",
        }
    }

    /// Whether the frame itself was invalid, regardless of the server's state. This is a bug in the
    /// client; too many such frames close the connection.
    pub fn is_wrong_frame(self) -> bool {
        matches!(self, Self::BadJson | Self::UnknownType | Self::MissingField | Self::HelloFirst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_protocol_documentation_names_every_code() {
        let documentation = include_str!("../../../../docs/protocol.md");
        for code in ErrorCode::ALL {
            let name = serde_json::to_value(code).unwrap();
            let name = name.as_str().unwrap();
            assert_eq!(name, code.name());
            assert!(documentation.contains(&format!("`{name}`")), "docs/protocol.md does not name {name}");
        }
    }
}
