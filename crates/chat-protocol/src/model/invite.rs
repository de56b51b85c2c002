//! The code of an invite link.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

/// The secret part of a link that invites users with an account into a room.
///
/// Its text form has 22 characters of base64url. A server stores only its
/// [hash](Self::hash). `Debug` does not show it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct InviteCode([u8; Self::BYTES]);

/// A text is not a valid [`InviteCode`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it must be the code of an invite link, which has 22 characters")]
pub struct InviteCodeError;

impl InviteCode {
    /// The number of random bytes.
    const BYTES: usize = 16;

    /// Creates a code from 128 bits, which must come from a cryptographically secure source.
    pub fn from_random(bits: u128) -> Self {
        Self(bits.to_be_bytes())
    }

    /// The text form. It is a secret: do not log it.
    pub fn to_text(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(self.0)
    }

    /// The hash, by which a store finds the link.
    pub fn hash(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        // the purpose is part of the hash, so that no other use of the code has the same result
        hash.update(b"chatd invite link\0");
        hash.update(self.0);
        hash.finalize().into()
    }
}

impl FromStr for InviteCode {
    type Err = InviteCodeError;

    fn from_str(text: &str) -> Result<Self, InviteCodeError> {
        let bits = BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| InviteCodeError)?;
        bits.try_into().map(Self).map_err(|_| InviteCodeError)
    }
}

impl fmt::Debug for InviteCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InviteCode(..)")
    }
}

impl Serialize for InviteCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_text())
    }
}

impl<'de> Deserialize<'de> for InviteCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for InviteCode {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "InviteCode".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[A-Za-z0-9_-]{22}$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_one_text_and_is_not_shown() {
        let code = InviteCode::from_random(u128::MAX / 3);
        let text = code.to_text();
        assert_eq!(text.len(), 22);
        assert_eq!(text.parse(), Ok(code));
        assert!(!format!("{code:?}").contains(&text));
        assert_ne!(code.hash(), InviteCode::from_random(1).hash());
        for wrong in ["", "a", &text[1..], &format!("{text}A"), &text.replace('V', "=")] {
            assert_eq!(wrong.parse::<InviteCode>(), Err(InviteCodeError), "{wrong}");
        }
    }
}
