//! Authentication by JWT: tokens of an identity provider, which chatd verifies but does not issue.
//!
//! `verifier` checks tokens, `keys` selects the key for a token, `cache` loads keys and refreshes
//! them as `schedule` allows, `source`, `key_file` and `fetch` read them, and `provider` gives the
//! crate `jsonwebtoken` the cryptography of ring.

use base64::alphabet::URL_SAFE;
use base64::engine::general_purpose::NO_PAD;
use base64::engine::{Engine, GeneralPurpose};

mod cache;
mod error;
mod fetch;
mod key_file;
mod keys;
mod provider;
mod schedule;
mod source;
mod verifier;

pub use error::{JwtError, JwtErrorKind, JwtKeyError, JwtKeyErrorKind};
pub use source::JwtKeys;
pub use verifier::{JwtClaims, JwtVerifier};

const BASE64URL: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, NO_PAD);

/// Whether a text has the form of a signed JWT: three parts of base64url, none of them empty,
/// separated by dots. Session tokens and API tokens of this crate do not have it.
///
/// ```
/// use chat_accounts::{TokenSecret, looks_like_jwt};
///
/// assert!(looks_like_jwt("eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiI0MiJ9.c2lnbmF0dXJl"));
/// assert!(!looks_like_jwt(&TokenSecret::random().to_text()));
/// ```
pub fn looks_like_jwt(text: &str) -> bool {
    let is_base64url = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    text.split('.').count() == 3 && text.split('.').all(is_base64url)
}

/// Decodes a part of a token or of a key.
fn decode_base64url(text: &str) -> Option<Vec<u8>> {
    BASE64URL.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_of_a_jwt_is_recognized() {
        for text in ["a.b.c", "a-_0.Zz9.-"] {
            assert!(looks_like_jwt(text), "{text:?}");
        }
        for text in [
            "", "abc", "a.b", "a.b.", ".b.c", "a..c", "a.b.c.d", "a.b.c.", "a.b.c=", "a.b.ç", "a.b. c",
            "a+.b.c",
        ] {
            assert!(!looks_like_jwt(text), "{text:?}");
        }
    }
}
