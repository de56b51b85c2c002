//! Verifies tokens.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use chat_protocol::Timestamp;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, Validation, decode, decode_header};
use serde_json::{Map, Value};

use super::cache::KeyCache;
use super::keys::Key;
use super::{JwtError, JwtErrorKind, JwtKeyError, JwtKeys, decode_base64url, provider};
use crate::Subject;

/// The maximum number of bytes of a token.
const MAX_TOKEN: usize = 16 * 1_024;
/// How far the clocks of the issuer and of this machine may differ, in seconds.
const LEEWAY: u64 = 30;
const USERNAME_CLAIM: &str = "preferred_username";

/// What a verified token says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct JwtClaims {
    /// Who the user is: the claims `iss` and `sub`.
    pub subject: Subject,
    /// The value of the username claim. `None` if the token has none, or if it is not a string. It
    /// need not be a valid username.
    pub username: Option<String>,
    /// When the token expires: the claim `exp`. It may be up to 30 s in the past.
    pub expires_at: Timestamp,
}

/// Verifies the JWTs of one issuer. Clones share the keys; `Debug` shows no secret.
///
/// A token must be signed with one of the keys and an algorithm that the key allows, and have the
/// issuer as `iss`, the audience as `aud` or one of several, a subject (`sub`) and a time of expiry
/// (`exp`). `nbf` is checked if it is there. Clocks may differ by 30 s. A token without a `kid` is
/// accepted only if exactly one key fits its algorithm.
///
/// Keys of a URL are refreshed by use: after 10 minutes without delaying the verification, and at
/// once if a token has an unknown `kid`, which happens at most once a minute. As long as the issuer
/// does not answer, the keys that were loaded last stay in use.
///
/// The methods have to be called in a Tokio runtime.
///
/// ```
/// use chat_accounts::{JwtErrorKind, JwtKeys, JwtVerifier};
///
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("jwt.key");
/// # std::fs::write(&path, [b'0'; 32])?;
/// let keys = JwtKeys::key_file(path);
/// let verifier = JwtVerifier::new(keys, "https://login.example", "chat");
/// verifier.load().await?;
///
/// let unsigned = "eyJhbGciOiJub25lIn0.eyJzdWIiOiI0MiJ9.";
/// assert_eq!(verifier.verify(unsigned).await.unwrap_err().kind(), JwtErrorKind::Algorithm);
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct JwtVerifier {
    cache: Arc<KeyCache>,
    issuer: Arc<str>,
    audience: Arc<str>,
    username_claim: Arc<str>,
}

impl JwtVerifier {
    /// A verifier for tokens of this issuer that are meant for this audience. If one of them is
    /// empty, no token is accepted. The keys have to be [loaded](Self::load).
    ///
    /// The cryptography is ring's, unless the program has installed another provider of
    /// `jsonwebtoken` before. Ring's is installed here for the whole process, and can't sign.
    pub fn new(keys: JwtKeys, issuer: impl Into<String>, audience: impl Into<String>) -> Self {
        provider::install();
        Self {
            cache: Arc::new(KeyCache::new(keys.0)),
            issuer: issuer.into().into(),
            audience: audience.into().into(),
            username_claim: USERNAME_CLAIM.into(),
        }
    }

    /// Sets the claim that [`JwtClaims::username`] has (default: `preferred_username`).
    #[must_use]
    pub fn username_claim(self, name: impl Into<String>) -> Self {
        Self { username_claim: name.into().into(), ..self }
    }

    /// Loads the keys at the start of the program. If a URL can't be reached, that is logged as a
    /// warning, and tried again when there is a token to verify.
    ///
    /// # Errors
    /// [`JwtKeyError`] if the file can't be read or has no usable key.
    pub async fn load(&self) -> Result<(), JwtKeyError> {
        self.cache.load().await
    }

    /// Reads the file again, or requests the keys of the URL now. If that fails, the old keys stay
    /// in use.
    ///
    /// # Errors
    /// [`JwtKeyError`] if the file can't be read or has no usable key. A URL that can't be reached
    /// is logged as a warning.
    pub async fn reload(&self) -> Result<(), JwtKeyError> {
        self.cache.load().await
    }

    /// Verifies a token. It may take as long as a request to the issuer, at most 5 s, if the token
    /// has an unknown key or no keys have been loaded.
    ///
    /// # Errors
    /// [`JwtError`] if the token is not accepted. If its kind is
    /// [`Unavailable`](JwtErrorKind::Unavailable), that is not the fault of the token.
    pub async fn verify(&self, token: &str) -> Result<JwtClaims, JwtError> {
        let (algorithm, id) = selectors(token).map_err(JwtError::new)?;
        let key = match self.find(algorithm, id.as_deref()) {
            Err(error) if is_curable(error.kind(), id.as_deref()) => {
                self.cache.demand().await;
                self.find(algorithm, id.as_deref())?
            }
            found => found?,
        };
        self.check(token, algorithm, &key)
    }

    /// Waits until no request for keys is running.
    #[doc(hidden)]
    pub async fn idle(&self) {
        self.cache.idle().await;
    }

    fn find(&self, algorithm: Algorithm, id: Option<&str>) -> Result<Arc<Key>, JwtError> {
        let keys = self.cache.keys().map_err(JwtError::unavailable)?;
        keys.find(algorithm, id).map_err(JwtError::new)
    }

    fn check(&self, token: &str, algorithm: Algorithm, key: &Key) -> Result<JwtClaims, JwtError> {
        let claims = decode::<Map<String, Value>>(token, key.decoding_key(), &self.validation(algorithm))
            .map_err(|error| rejected(error.kind()))?
            .claims;
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        // `jsonwebtoken` accepts a list of issuers, which the standard does not know
        if text("iss") != Some(&self.issuer) || self.issuer.is_empty() {
            return Err(JwtError::new(JwtErrorKind::Issuer));
        }
        if self.audience.is_empty() {
            return Err(JwtError::new(JwtErrorKind::Audience));
        }
        let subject =
            text("sub").filter(|subject| !subject.is_empty()).ok_or_else(|| JwtError::missing("sub"))?;
        let malformed = || JwtError::new(JwtErrorKind::Malformed);
        Ok(JwtClaims {
            subject: Subject::new(&self.issuer, subject).map_err(|_| malformed())?,
            username: text(&self.username_claim).map(str::to_owned),
            expires_at: claims.get("exp").and_then(time).ok_or_else(malformed)?,
        })
    }

    fn validation(&self, algorithm: Algorithm) -> Validation {
        let mut validation = Validation::new(algorithm);
        validation.leeway = LEEWAY;
        validation.validate_nbf = true;
        validation.set_issuer(&[&self.issuer]);
        validation.set_audience(&[&self.audience]);
        validation.set_required_spec_claims(&["aud", "exp", "iss", "sub"]);
        validation
    }
}

impl fmt::Debug for JwtVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtVerifier")
            .field("keys", &self.cache)
            .field("issuer", &self.issuer)
            .field("audience", &self.audience)
            .field("username_claim", &self.username_claim)
            .finish()
    }
}

/// Whether newer keys may make a difference. A token without a `kid` asks for no new key.
fn is_curable(kind: JwtErrorKind, id: Option<&str>) -> bool {
    match kind {
        JwtErrorKind::Unavailable => true,
        JwtErrorKind::UnknownKey => id.is_some(),
        _ => false,
    }
}

/// The algorithm and the `kid` of a token. Nothing is verified yet: they only select the key, which
/// then has to allow the algorithm.
fn selectors(token: &str) -> Result<(Algorithm, Option<String>), JwtErrorKind> {
    if token.len() > MAX_TOKEN {
        return Err(JwtErrorKind::Malformed);
    }
    match decode_header(token) {
        Ok(header) => Ok((header.alg, header.kid)),
        Err(_) if has_unknown_algorithm(token) => Err(JwtErrorKind::Algorithm),
        Err(_) => Err(JwtErrorKind::Malformed),
    }
}

/// Whether it is the algorithm, such as `none`, for which a header was not accepted.
fn has_unknown_algorithm(token: &str) -> bool {
    let header = token.split('.').next().and_then(decode_base64url);
    let header = header.and_then(|json| serde_json::from_slice::<Value>(&json).ok());
    let algorithm = header.as_ref().and_then(|header| header.get("alg")).and_then(Value::as_str);
    token.split('.').count() == 3 && algorithm.is_some_and(|name| Algorithm::from_str(name).is_err())
}

/// The error is translated and dropped, because its text may contain a value of the token.
fn rejected(kind: &ErrorKind) -> JwtError {
    JwtError::new(match kind {
        ErrorKind::InvalidSignature => JwtErrorKind::Signature,
        ErrorKind::InvalidAlgorithm | ErrorKind::UnsupportedAlgorithm | ErrorKind::MissingAlgorithm => {
            JwtErrorKind::Algorithm
        }
        ErrorKind::InvalidIssuer => JwtErrorKind::Issuer,
        ErrorKind::InvalidAudience => JwtErrorKind::Audience,
        ErrorKind::ExpiredSignature => JwtErrorKind::Expired,
        ErrorKind::ImmatureSignature => JwtErrorKind::NotYetValid,
        ErrorKind::MissingRequiredClaim(claim) => return JwtError::missing(claim),
        _ => JwtErrorKind::Malformed,
    })
}

/// The time of a claim: seconds, which may have a fraction.
fn time(seconds: &Value) -> Option<Timestamp> {
    let millis = match seconds.as_u64() {
        Some(seconds) => i64::try_from(seconds.saturating_mul(1_000)).unwrap_or(i64::MAX),
        // the conversion saturates
        None => (seconds.as_f64()? * 1_000.0) as i64,
    };
    Some(Timestamp::from_millis(millis))
}
