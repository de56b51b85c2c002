//! Who a user is: ids, identities, and the tokens of guests.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::model::mention::Mention;
use crate::model::name::Username;

/// The opaque id of a user: 1 to 64 characters of `A-Za-z0-9_-`. Names repeat over time, ids do
/// not.
///
/// The ids of guests, and only those, begin with `g_`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(Arc<str>);

/// A text is not a valid [`UserId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it must have 1 to {} characters of A-Z, a-z, 0-9, '_' and '-'", UserId::MAX)]
pub struct UserIdError;

/// What the ids of guests begin with.
const GUEST_PREFIX: &str = "g_";

/// How many bytes of the hash are in the id of a guest: 128 bits, so that two guests never share
/// an id.
const GUEST_ID_BYTES: usize = 16;

impl UserId {
    /// The maximum number of characters.
    pub const MAX: usize = 64;

    /// The author of messages that were stored before messages had the id of their author. No user
    /// has this id.
    pub fn unknown() -> Self {
        Self("g_0".into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is the id of a guest.
    pub fn is_guest(&self) -> bool {
        self.0.starts_with(GUEST_PREFIX)
    }

    fn guest(bits: &[u8]) -> Self {
        Self(format!("{GUEST_PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(bits)).into())
    }
}

impl FromStr for UserId {
    type Err = UserIdError;

    fn from_str(text: &str) -> Result<Self, UserIdError> {
        let is_valid = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        if (1..=Self::MAX).contains(&text.len()) && text.bytes().all(is_valid) {
            Ok(Self(text.into()))
        } else {
            Err(UserIdError)
        }
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl Serialize for UserId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for UserId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for UserId {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "UserId".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$" })
    }
}

/// A secret of 256 bits that makes a client the same guest again: the same token and name are the
/// same user.
///
/// Its text form has 43 characters of base64url. Nothing stores it but the client: a server knows
/// only the id that is derived from it. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct GuestToken([u8; Self::BYTES]);

/// A text is not a valid [`GuestToken`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it must be the base64url encoding of 32 bytes, which has 43 characters")]
pub struct GuestTokenError;

impl GuestToken {
    /// The number of random bytes.
    const BYTES: usize = 32;

    /// Creates a token from 256 bits, which must come from a cryptographically secure source.
    pub fn from_random(bits: [u8; 32]) -> Self {
        Self(bits)
    }

    /// The text form. It is a secret: do not log it.
    pub fn to_text(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(self.0)
    }

    /// The id of the guest that has this token under this name: a hash of the two.
    fn user_id(&self, username: &Username) -> UserId {
        let mut hash = Sha256::new();
        // the purpose is part of the hash, so that no other use of the token has the same result
        hash.update(b"chatd guest\0");
        hash.update(self.0);
        hash.update(username.as_str());
        UserId::guest(&hash.finalize()[..GUEST_ID_BYTES])
    }
}

impl FromStr for GuestToken {
    type Err = GuestTokenError;

    fn from_str(text: &str) -> Result<Self, GuestTokenError> {
        let bits = BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| GuestTokenError)?;
        bits.try_into().map(Self).map_err(|_| GuestTokenError)
    }
}

impl fmt::Debug for GuestToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GuestToken(..)")
    }
}

impl Serialize for GuestToken {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_text())
    }
}

impl<'de> Deserialize<'de> for GuestToken {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for GuestToken {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "GuestToken".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[A-Za-z0-9_-]{43}$" })
    }
}

/// What kind of user an identity is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum UserKind {
    /// A user without an account.
    Guest,
    /// A user with an account.
    Account,
    /// A program.
    Service,
}

/// What a user may do on the whole server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Role {
    /// What every user may do.
    #[default]
    User,
    /// Also moderate every room.
    Moderator,
    /// Everything.
    Admin,
}

/// A user: an id, and the name that others see.
///
/// A user may be present in several rooms, and in each with several sessions. Two sessions belong
/// to the same user if their ids are equal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    id: UserId,
    kind: UserKind,
    username: Username,
    role: Role,
}

/// An id of an embedding program begins with `g_`, which only the ids of guests do, or is `room`,
/// which stands for everyone in a [`Mention`](crate::Mention).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the ids of guests, and only those, begin with \"{GUEST_PREFIX}\", and no user has the id \"room\"")]
pub struct ReservedIdError;

impl Identity {
    /// Creates the identity of a user with an account. `id` has to be the same each time for the
    /// same user, and different from the ids of all other users, whatever their names are.
    ///
    /// # Errors
    /// [`ReservedIdError`] if the id begins with `g_`, or is `room`.
    ///
    /// ```
    /// use chat_protocol::Identity;
    ///
    /// let ana = Identity::account("u_17".parse()?, "ana".parse()?)?;
    /// assert_eq!(ana.username().as_str(), "ana");
    /// assert!(Identity::account("g_17".parse()?, "ana".parse()?).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn account(id: UserId, username: Username) -> Result<Self, ReservedIdError> {
        Self::registered(id, UserKind::Account, username)
    }

    /// Creates the identity of a program. See [`account`](Self::account).
    ///
    /// # Errors
    /// [`ReservedIdError`] if the id begins with `g_`, or is `room`.
    pub fn service(id: UserId, username: Username) -> Result<Self, ReservedIdError> {
        Self::registered(id, UserKind::Service, username)
    }

    fn registered(id: UserId, kind: UserKind, username: Username) -> Result<Self, ReservedIdError> {
        if id.is_guest() || id.as_str() == Mention::Room.as_str() {
            return Err(ReservedIdError);
        }
        Ok(Self { id, kind, username, role: Role::User })
    }

    /// Creates the identity of a guest. The same token and name are the same guest.
    ///
    /// ```
    /// use chat_protocol::{GuestToken, Identity};
    ///
    /// let token: GuestToken = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".parse()?;
    /// let ana = Identity::guest(&token, "ana".parse()?);
    /// assert!(ana.id().is_guest());
    /// assert_eq!(ana, Identity::guest(&token, "ana".parse()?));
    /// assert_ne!(ana.id(), Identity::guest(&token, "bob".parse()?).id());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn guest(token: &GuestToken, username: Username) -> Self {
        let id = token.user_id(&username);
        Self { id, kind: UserKind::Guest, username, role: Role::User }
    }

    /// Creates the identity of a guest that nobody can be again, from 128 random bits.
    pub fn one_time_guest(bits: u128, username: Username) -> Self {
        let id = UserId::guest(&bits.to_be_bytes());
        Self { id, kind: UserKind::Guest, username, role: Role::User }
    }

    /// Sets what the user may do on the whole server (default: [`Role::User`]).
    #[must_use]
    pub fn with_role(self, role: Role) -> Self {
        Self { role, ..self }
    }

    /// The id of the user.
    pub fn id(&self) -> &UserId {
        &self.id
    }

    /// What kind of user this is.
    pub fn kind(&self) -> UserKind {
        self.kind
    }

    /// The name that others see.
    pub fn username(&self) -> &Username {
        &self.username
    }

    /// What the user may do on the whole server.
    pub fn role(&self) -> Role {
        self.role
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

    #[test]
    fn the_id_of_a_guest_is_a_hash_of_token_and_name() {
        let token: GuestToken = TOKEN.parse().unwrap();
        assert_eq!(token.to_text(), TOKEN);
        let guest = |name: &str| Identity::guest(&token, Username::parse(name).unwrap());
        // computed with another implementation: the first 16 bytes of
        // sha256("chatd guest\0" + bytes 0 to 31 + "ana")
        assert_eq!(guest("ana").id().as_str(), "g_5OthID-2se9c45nby1W8mg");
        assert_ne!(guest("ana").id(), guest("anb").id());
        assert_eq!(guest("e\u{301}").id(), guest("\u{e9}").id(), "two spellings of one name");
    }

    #[test]
    fn a_token_is_the_encoding_of_32_bytes_and_nothing_else() {
        let wrong =
            ["", "AAAA", &TOKEN[1..], &format!("{TOKEN}="), &format!("{TOKEN}A"), &TOKEN.replace('A', "+")];
        for text in wrong {
            assert_eq!(text.parse::<GuestToken>(), Err(GuestTokenError), "{text}");
        }
        // the last character has two bits that belong to no byte: they have to be zero
        assert!(TOKEN.replace("h8", "h9").parse::<GuestToken>().is_err());
    }

    #[test]
    fn a_token_is_not_in_its_debug_output() {
        let token: GuestToken = TOKEN.parse().unwrap();
        assert_eq!(format!("{token:?}"), "GuestToken(..)");
    }

    #[test]
    fn ids_have_limits() {
        for id in ["u", "A-Za-z0-9_-", &"x".repeat(64)] {
            assert_eq!(id.parse::<UserId>().unwrap().as_str(), id);
        }
        for id in ["", " ", "ü", "a.b", &"x".repeat(65)] {
            assert_eq!(id.parse::<UserId>(), Err(UserIdError), "{id}");
        }
        assert!(UserId::unknown().is_guest());
    }
}
