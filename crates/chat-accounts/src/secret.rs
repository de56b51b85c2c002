//! Secrets that are shown once, and the hashes that are stored of them.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// A text is not a valid secret. The text is not part of the error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it must have {length} characters of base64url")]
pub struct SecretError {
    length: usize,
}

macro_rules! secret {
    (
        $(#[$doc:meta])* $name:ident, $bytes:literal, $length:literal, $purpose:literal;
        $(#[$hash_doc:meta])* $hash:ident
    ) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name(Zeroizing<[u8; $bytes]>);

        impl $name {
            /// A new secret, of random bits that nobody can guess.
            pub fn random() -> Self {
                Self(Zeroizing::new(rand::random()))
            }

            /// The text form. It is a secret: do not log it.
            pub fn to_text(&self) -> String {
                BASE64_URL_SAFE_NO_PAD.encode(*self.0)
            }

            /// The hash that a store keeps.
            pub fn hash(&self) -> $hash {
                // the purpose is part of the hash, so that no other use of the bits has this result
                $hash(Sha256::new().chain_update($purpose).chain_update(*self.0).finalize().into())
            }
        }

        impl FromStr for $name {
            type Err = SecretError;

            fn from_str(text: &str) -> Result<Self, SecretError> {
                let wrong = SecretError { length: $length };
                let mut bits = Zeroizing::new([0; $bytes]);
                match BASE64_URL_SAFE_NO_PAD.decode_slice(text, &mut *bits) {
                    Ok($bytes) => Ok(Self(bits)),
                    _ => Err(wrong),
                }
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }

        $(#[$hash_doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $hash([u8; 32]);

        impl $hash {
            /// The hash with these bytes, as a store has kept it.
            pub fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// The bytes.
            pub fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }
        }

        impl fmt::Debug for $hash {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($hash), "(..)"))
            }
        }
    };
}

secret! {
    /// The secret of a session or an API token: 256 random bits.
    ///
    /// Its text form has 43 characters of base64url. Only the client has it; a store keeps a hash.
    /// `Debug` does not show it.
    ///
    /// ```
    /// use chat_accounts::TokenSecret;
    ///
    /// let secret = TokenSecret::random();
    /// let text = secret.to_text();
    /// assert_eq!(text.len(), 43);
    /// assert_eq!(text.parse::<TokenSecret>()?.hash(), secret.hash());
    /// assert_eq!(format!("{secret:?}"), "TokenSecret(..)");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    TokenSecret, 32, 43, "chatd token\0";

    /// What is stored of a [`TokenSecret`]: a SHA-256 hash. A fast hash is enough for random bits.
    /// `Debug` does not show it.
    TokenHash
}

secret! {
    /// The code of an invite to register: 128 random bits.
    ///
    /// Its text form has 22 characters of base64url. A store keeps a hash. `Debug` does not show
    /// it.
    InviteCode, 16, 22, "chatd invite\0";

    /// What is stored of an [`InviteCode`]: a SHA-256 hash. `Debug` does not show it.
    InviteHash
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

    #[test]
    fn the_hash_of_a_secret_never_changes() {
        let secret: TokenSecret = TEXT.parse().unwrap();
        assert_eq!(secret.to_text(), TEXT);
        // computed with another implementation: sha256("chatd token\0" + bytes 0 to 31)
        assert_eq!(hex(secret.hash().as_bytes()), TOKEN_HASH);
        let code: InviteCode = TEXT[..22].replace("Dx", "Dw").parse().unwrap();
        // sha256("chatd invite\0" + bytes 0 to 15)
        assert_eq!(hex(code.hash().as_bytes()), INVITE_HASH);
        assert_eq!(TokenHash::from_bytes(*secret.hash().as_bytes()), secret.hash());
    }

    const TOKEN_HASH: &str = "cfbb2da510f7f5533fdb0ae02099371ed5e5b7f948b123bec58b56e7ed3402f6";
    const INVITE_HASH: &str = "bf4d4766d6061a8345fd443b6912f644051c87146534fe7083f2ce4761910b85";

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn a_secret_is_the_encoding_of_its_bytes_and_nothing_else() {
        for wrong in
            ["", "AAAA", &TEXT[1..], &format!("{TEXT}="), &format!("{TEXT}A"), &TEXT.replace('A', "+")]
        {
            assert_eq!(wrong.parse::<TokenSecret>().unwrap_err(), SecretError { length: 43 }, "{wrong}");
        }
        // the last character has two bits that belong to no byte: they have to be zero
        assert!(TEXT.replace("h8", "h9").parse::<TokenSecret>().is_err());
        assert!(TEXT.parse::<InviteCode>().is_err());
    }

    #[test]
    fn secrets_are_random() {
        assert_ne!(TokenSecret::random().hash(), TokenSecret::random().hash());
        assert_eq!(InviteCode::random().to_text().len(), 22);
        assert_ne!(InviteCode::random().hash(), InviteCode::random().hash());
    }

    #[test]
    fn secrets_and_hashes_are_not_in_debug_output() {
        let (secret, code) = (TokenSecret::random(), InviteCode::random());
        let shown = format!("{secret:?} {:?} {code:?} {:?}", secret.hash(), code.hash());
        assert_eq!(shown, "TokenSecret(..) TokenHash(..) InviteCode(..) InviteHash(..)");
    }
}
