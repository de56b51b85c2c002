//! Tokens as an identity provider makes them.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use ring::hmac;
use serde_json::{Value, json};

/// A JSON Web Token with these claims, signed with HMAC-SHA-256.
pub fn token(secret: &[u8], claims: &Value) -> String {
    signed(secret, &json!({"alg": "HS256", "typ": "JWT"}), claims)
}

/// Like [`token`], with a header of its own: it may say something else than how the token is
/// signed.
pub fn signed(secret: &[u8], header: &Value, claims: &Value) -> String {
    let encoded = |value: &Value| BASE64.encode(value.to_string());
    let text = format!("{}.{}", encoded(header), encoded(claims));
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), text.as_bytes());
    format!("{text}.{}", BASE64.encode(signature))
}
