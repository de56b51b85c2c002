//! What the tests share: keys, an issuer, claims.

mod issuer;
mod signer;

use std::time::{SystemTime, UNIX_EPOCH};

use chat_accounts::{JwtClaims, JwtError, JwtErrorKind, JwtKeys, JwtVerifier};
use serde_json::{Value, json};

pub(crate) use issuer::{Answer, Issuer};
pub(crate) use signer::{Signer, encoded};

pub(crate) const ISSUER: &str = "https://login.example/";
pub(crate) const AUDIENCE: &str = "chat.example";
pub(crate) const SUBJECT: &str = "subject-7f3c";

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// Claims that are accepted.
pub(crate) fn claims() -> Value {
    json!({
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": SUBJECT,
        "exp": now() + 3_600,
        "preferred_username": "ana",
    })
}

/// These claims with one of another value. Null removes it.
pub(crate) fn claims_with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    let members = claims.as_object_mut().unwrap();
    members.remove(name);
    if !value.is_null() {
        members.insert(name.to_owned(), value);
    }
    claims
}

pub(crate) fn verifier(keys: JwtKeys) -> JwtVerifier {
    JwtVerifier::new(keys, ISSUER, AUDIENCE)
}

/// A JWKS with these keys.
pub(crate) fn jwks(keys: &[Value]) -> Value {
    json!({"keys": keys})
}

/// A verifier that has loaded a file.
pub(crate) struct Loaded {
    pub(crate) verifier: JwtVerifier,
    pub(crate) path: std::path::PathBuf,
    _folder: tempfile::TempDir,
}

impl Loaded {
    async fn new(content: &[u8], keys: fn(&std::path::Path) -> JwtKeys) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        std::fs::write(&path, content).unwrap();
        let verifier = verifier(keys(&path));
        verifier.load().await.unwrap();
        Self { verifier, path, _folder: folder }
    }

    /// A JWKS with these keys.
    pub(crate) async fn jwks(keys: &[Value]) -> Self {
        Self::new(jwks(keys).to_string().as_bytes(), |path| JwtKeys::jwks_file(path)).await
    }

    /// A key in a file of its own.
    pub(crate) async fn key(content: impl AsRef<[u8]>) -> Self {
        Self::new(content.as_ref(), |path| JwtKeys::key_file(path)).await
    }

    pub(crate) async fn verify(&self, token: &str) -> Result<JwtClaims, JwtError> {
        self.verifier.verify(token).await
    }

    /// Why a token is not accepted.
    pub(crate) async fn refusal(&self, token: &str) -> JwtErrorKind {
        self.verify(token).await.unwrap_err().kind()
    }
}
