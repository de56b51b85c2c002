//! Where keys come from.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::fetch::{Endpoint, MAX_SIZE};
use super::keys::KeySet;
use super::{JwtKeyError, JwtKeyErrorKind, key_file};

/// Where the keys come from that tokens are verified with. `Debug` does not show a secret.
///
/// The key decides on the algorithms that are accepted, never the token: a shared secret accepts
/// HS256, HS384 and HS512, an RSA key RS256 to RS512 and PS256 to PS512, an EC key ES256 (P-256) or
/// ES384 (P-384), an Ed25519 key EdDSA. A key of a JWKS with an `alg` accepts only that one.
#[derive(Debug)]
pub struct JwtKeys(pub(super) Source);

#[derive(Debug)]
pub(super) enum Source {
    Url(Endpoint),
    JwksFile(PathBuf),
    KeyFile(PathBuf),
}

impl JwtKeys {
    /// The JWKS at this http or https URL, with at most 256 KiB. Redirects are not followed.
    ///
    /// # Errors
    /// [`JwtKeyErrorKind::Url`] if it is not such a URL.
    ///
    /// ```
    /// use chat_accounts::JwtKeys;
    ///
    /// let keys = JwtKeys::url("https://login.example/.well-known/jwks.json")?;
    /// # Ok::<(), chat_accounts::JwtKeyError>(())
    /// ```
    pub fn url(url: impl AsRef<str>) -> Result<Self, JwtKeyError> {
        Endpoint::new(url.as_ref()).map(|endpoint| Self(Source::Url(endpoint)))
    }

    /// The JWKS in this file. Symmetric keys in it are ignored.
    pub fn jwks_file(path: impl Into<PathBuf>) -> Self {
        Self(Source::JwksFile(path.into()))
    }

    /// The key in this file: an RSA, EC or Ed25519 public key in PEM format, or else a shared
    /// secret of at least 32 bytes. A line break at the end of a text is not part of the secret.
    /// The `kid` of tokens is ignored.
    pub fn key_file(path: impl Into<PathBuf>) -> Self {
        Self(Source::KeyFile(path.into()))
    }
}

impl Source {
    /// Reads the keys. It blocks.
    pub(super) fn read(&self) -> Result<KeySet, JwtKeyError> {
        match self {
            Self::Url(endpoint) => {
                let keys = KeySet::from_jwks(&endpoint.fetch()?).ok_or_else(|| {
                    let text = format!("can't load the JWKS from {endpoint}: the answer is not a JWKS");
                    JwtKeyError::new(JwtKeyErrorKind::Unreachable, text)
                })?;
                if keys.is_empty() {
                    // an issuer may withdraw all of its keys
                    tracing::warn!(url = %endpoint, "the JWKS has no usable key, so no token is accepted");
                }
                Ok(keys)
            }
            Self::JwksFile(path) => match KeySet::from_jwks(&read_file(path)?) {
                Some(keys) if !keys.is_empty() => Ok(keys),
                Some(_) => Err(invalid(path, "the JWKS has no usable key")),
                None => Err(invalid(path, "it is not a JWKS")),
            },
            Self::KeyFile(path) => {
                key_file::parse(&read_file(path)?).map(KeySet::of).map_err(|reason| invalid(path, reason.0))
            }
        }
    }
}

fn invalid(path: &Path, reason: &str) -> JwtKeyError {
    JwtKeyError::new(JwtKeyErrorKind::Invalid, format!("the file {path:?} can't be used for JWTs: {reason}"))
}

fn read_file(path: &Path) -> Result<Zeroizing<Vec<u8>>, JwtKeyError> {
    let read = || -> io::Result<_> {
        let file = File::open(path)?;
        // with room for a usual file, because a buffer that grows leaves copies of a secret behind
        let mut content = Zeroizing::new(Vec::with_capacity(8 * 1_024));
        file.take(MAX_SIZE + 1).read_to_end(&mut content)?;
        Ok(content)
    };
    let content = read().map_err(|error| {
        let text = format!("the file {path:?} can't be read: {error}");
        JwtKeyError::new(JwtKeyErrorKind::Unreadable, text).with_source(error)
    })?;
    if content.len() as u64 > MAX_SIZE {
        return Err(invalid(path, "it has more than 256 KiB"));
    }
    Ok(content)
}
