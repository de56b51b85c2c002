//! The ids of tokens and invites, which are not secret.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

/// What the ids of accounts begin with. It is not what the ids of guests begin with.
const ACCOUNT_PREFIX: &str = "u_";

/// How many random bytes an id has: 128 bits, so that no two are equal.
const BYTES: usize = 16;

/// A text is not a valid id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it must have the prefix \"{prefix}\" and 22 characters of base64url")]
pub struct IdError {
    prefix: &'static str,
}

fn random(prefix: &str) -> Arc<str> {
    format!("{prefix}{}", BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; BYTES]>())).into()
}

/// The text of a new id of an account.
pub(crate) fn random_account_id() -> Arc<str> {
    random(ACCOUNT_PREFIX)
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// A new id of 128 random bits.
            pub fn random() -> Self {
                Self(random($prefix))
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let bits = text.strip_prefix($prefix).map(|bits| BASE64_URL_SAFE_NO_PAD.decode(bits));
                match bits {
                    Some(Ok(bits)) if bits.len() == BYTES => Ok(Self(text.into())),
                    _ => Err(IdError { prefix: $prefix }),
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
    };
}

id! {
    /// The id of a token. It grants nothing, unlike the secret of the token.
    TokenId, "t_"
}

id! {
    /// The id of an invite. It grants nothing, unlike the code of the invite.
    InviteId, "i_"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_a_prefix_and_128_bits() {
        let id = TokenId::random();
        assert_eq!(id.as_str().len(), 24);
        assert_eq!(id.as_str().parse::<TokenId>(), Ok(id.clone()));
        assert_ne!(id, TokenId::random());
        for wrong in [
            "",
            "t_",
            &id.as_str()[2..],
            &id.as_str()[..23],
            &format!("{id}A"),
            &id.as_str().replace("t_", "i_"),
        ] {
            assert_eq!(wrong.parse::<TokenId>(), Err(IdError { prefix: "t_" }), "{wrong}");
        }
    }
}
