//! Why a token was not accepted, and why keys were not loaded.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// Why a token was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum JwtErrorKind {
    /// The text is not a JWT, is too long, or has a header or a claim of the wrong form.
    Malformed,
    /// No key may be used with the algorithm of the token, or the algorithm is unknown.
    Algorithm,
    /// The issuer has no such key, or the token does not say which of several keys to use.
    UnknownKey,
    /// The signature is wrong: the token was forged or changed.
    Signature,
    /// The token is from another issuer.
    Issuer,
    /// The token is meant for another audience.
    Audience,
    /// The token has expired.
    Expired,
    /// The token is not valid yet.
    NotYetValid,
    /// The token lacks a required claim.
    MissingClaim,
    /// No keys have been loaded so far. A later attempt may succeed.
    Unavailable,
}

/// A token was not accepted.
///
/// Neither the text nor `Debug` contains the token or the value of a claim. If the keys of the
/// issuer could not be loaded, [`source`](Error::source) gives the cause.
#[derive(Clone)]
pub struct JwtError {
    kind: JwtErrorKind,
    text: &'static str,
    source: Option<JwtKeyError>,
}

impl JwtError {
    pub(super) fn new(kind: JwtErrorKind) -> Self {
        let text = match kind {
            JwtErrorKind::Malformed => "the token is not a valid JWT",
            JwtErrorKind::Algorithm => "the keys do not allow the algorithm of the token",
            JwtErrorKind::UnknownKey => "the key of the token is unknown",
            JwtErrorKind::Signature => "the signature of the token is wrong",
            JwtErrorKind::Issuer => "the token is from another issuer",
            JwtErrorKind::Audience => "the token is for another audience",
            JwtErrorKind::Expired => "the token has expired",
            JwtErrorKind::NotYetValid => "the token is not valid yet",
            JwtErrorKind::MissingClaim => "the token lacks a required claim",
            JwtErrorKind::Unavailable => "no keys to verify tokens have been loaded",
        };
        Self { kind, text, source: None }
    }

    /// An error of the kind [`MissingClaim`](JwtErrorKind::MissingClaim).
    pub(super) fn missing(claim: &str) -> Self {
        let text = match claim {
            "aud" => "the token has no \"aud\" claim",
            "exp" => "the token has no \"exp\" claim",
            "iss" => "the token has no \"iss\" claim",
            "sub" => "the token has no \"sub\" claim",
            _ => return Self::new(JwtErrorKind::MissingClaim),
        };
        Self { kind: JwtErrorKind::MissingClaim, text, source: None }
    }

    /// An error of the kind [`Unavailable`](JwtErrorKind::Unavailable), with the error of the last
    /// attempt to load keys.
    pub(super) fn unavailable(source: Option<JwtKeyError>) -> Self {
        Self { source, ..Self::new(JwtErrorKind::Unavailable) }
    }

    /// Why the token was not accepted.
    pub fn kind(&self) -> JwtErrorKind {
        self.kind
    }
}

impl fmt::Debug for JwtError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtError").field("kind", &self.kind).field("source", &self.source).finish()
    }
}

impl fmt::Display for JwtError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)
    }
}

impl Error for JwtError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}

/// Why keys were not loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum JwtKeyErrorKind {
    /// The URL is not an http or https URL.
    Url,
    /// The file can't be read.
    Unreadable,
    /// The issuer did not answer, or not with a JWKS.
    Unreachable,
    /// The file or the answer has no key that can be used.
    Invalid,
}

/// Keys were not loaded. Keys that were loaded before stay in use.
///
/// The text names the file or the URL, without a password in the URL, and never contains a secret;
/// [`source`](Error::source) gives the cause if there is another error.
#[derive(Clone)]
pub struct JwtKeyError {
    kind: JwtKeyErrorKind,
    text: String,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl JwtKeyError {
    pub(super) fn new(kind: JwtKeyErrorKind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into(), source: None }
    }

    /// Adds the error that is the cause. The text should name it.
    pub(super) fn with_source(self, source: impl Error + Send + Sync + 'static) -> Self {
        Self { source: Some(Arc::new(source)), ..self }
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> JwtKeyErrorKind {
        self.kind
    }
}

impl fmt::Debug for JwtKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtKeyError")
            .field("kind", &self.kind)
            .field("text", &self.text)
            .field("source", &self.source)
            .finish()
    }
}

impl fmt::Display for JwtKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Error for JwtKeyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_ref().map(|source| &**source as _)
    }
}
