//! Public keys of an issuer, and which of them a token may be verified with.

use std::fmt;
use std::sync::Arc;

use jsonwebtoken::jwk::{
    AlgorithmParameters, EllipticCurve, EllipticCurveKeyParameters, Jwk, KeyOperations,
    OctetKeyPairParameters, PublicKeyUse, RSAKeyParameters,
};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey};
use serde_json::Value;

use super::{JwtErrorKind, decode_base64url};

/// The number of bytes of an uncompressed point: 4, then both coordinates.
const P256_POINT: usize = 1 + 2 * 32;
const P384_POINT: usize = 1 + 2 * 48;
const ED25519_KEY: usize = 32;
/// The number of bytes of the modulus of RSA keys with 2048 to 8192 bits, which ring supports.
const RSA_MODULUS: std::ops::RangeInclusive<usize> = 256..=1_024;

/// A key, and the algorithms that it may be used with. They follow from the key alone, so that a
/// token can't choose to have a public key used as a shared secret.
#[derive(Debug)]
pub(super) struct Key {
    id: Option<String>,
    algorithms: Vec<Algorithm>,
    key: DecodingKey,
}

impl Key {
    /// A shared secret.
    pub(super) fn secret(secret: &[u8]) -> Result<Self, UnusableKey> {
        DecodingKey::from_secret(secret).map_or(Err(UnusableKey("it is empty")), Self::new)
    }

    /// A public key, with all algorithms that fit its type and curve.
    pub(super) fn new(key: DecodingKey) -> Result<Self, UnusableKey> {
        let algorithms = match (key.family(), key.try_get_as_bytes()) {
            (AlgorithmFamily::Ec, Ok([4, rest @ ..])) if rest.len() + 1 == P256_POINT => {
                vec![Algorithm::ES256]
            }
            (AlgorithmFamily::Ec, Ok([4, rest @ ..])) if rest.len() + 1 == P384_POINT => {
                vec![Algorithm::ES384]
            }
            (AlgorithmFamily::Ec, _) => return Err(UnusableKey("its curve is not P-256 or P-384")),
            (AlgorithmFamily::Ed, Ok(bytes)) if bytes.len() != ED25519_KEY => {
                return Err(UnusableKey("it is not an Ed25519 key"));
            }
            // with its frame and the exponent, the encoded key is longer than the modulus
            (AlgorithmFamily::Rsa, Ok(der)) if der.len() < *RSA_MODULUS.start() => {
                return Err(UnusableKey("RSA keys need at least 2048 bits"));
            }
            (family, _) => family.algorithms().to_vec(),
        };
        Ok(Self { id: None, algorithms, key })
    }

    fn from_jwk(jwk: &Jwk) -> Result<Self, UnusableKey> {
        let key = match &jwk.algorithm {
            AlgorithmParameters::RSA(parameters) => rsa(parameters)?,
            AlgorithmParameters::EllipticCurve(parameters) => elliptic_curve(parameters)?,
            AlgorithmParameters::OctetKeyPair(parameters) => ed25519(parameters)?,
            // a secret that is published lets everyone sign tokens
            AlgorithmParameters::OctetKey(_) => {
                return Err(UnusableKey("a JWKS must not have symmetric keys"));
            }
            _ => return Err(UnusableKey("its type is not supported")),
        };
        let common = &jwk.common;
        if !matches!(common.public_key_use, None | Some(PublicKeyUse::Signature))
            || common.key_operations.as_ref().is_some_and(|uses| !uses.contains(&KeyOperations::Verify))
        {
            return Err(UnusableKey("it is not meant for signatures"));
        }
        let key = Self { id: common.key_id.clone(), ..Self::new(key)? };
        let Some(only) = common.key_algorithm else { return Ok(key) };
        match Algorithm::try_from(only) {
            Ok(only) if key.algorithms.contains(&only) => Ok(Self { algorithms: vec![only], ..key }),
            _ => Err(UnusableKey("its algorithm is not supported, or does not fit its type")),
        }
    }

    /// What `jsonwebtoken` verifies signatures with.
    pub(super) fn decoding_key(&self) -> &DecodingKey {
        &self.key
    }
}

fn rsa(parameters: &RSAKeyParameters) -> Result<DecodingKey, UnusableKey> {
    let number = |text| -> Option<Vec<u8>> {
        let bytes = decode_base64url(text)?;
        // some issuers write the zero byte that DER has
        Some(bytes.into_iter().skip_while(|byte| *byte == 0).collect())
    };
    match (number(&parameters.n), number(&parameters.e)) {
        (Some(n), Some(e)) if RSA_MODULUS.contains(&n.len()) => {
            Ok(DecodingKey::from_rsa_raw_components(&n, &e))
        }
        (Some(_), Some(_)) => Err(UnusableKey("RSA keys need 2048 to 8192 bits")),
        _ => Err(UnusableKey::ENCODING),
    }
}

fn elliptic_curve(parameters: &EllipticCurveKeyParameters) -> Result<DecodingKey, UnusableKey> {
    let length = match parameters.curve {
        EllipticCurve::P256 => P256_POINT,
        EllipticCurve::P384 => P384_POINT,
        _ => return Err(UnusableKey("its curve is not P-256 or P-384")),
    };
    let key =
        DecodingKey::from_ec_components(&parameters.x, &parameters.y).map_err(|_| UnusableKey::ENCODING)?;
    // the length selects the algorithm, so it must be that of the curve
    match key.try_get_as_bytes() {
        Ok(point) if point.len() == length => Ok(key),
        _ => Err(UnusableKey::ENCODING),
    }
}

fn ed25519(parameters: &OctetKeyPairParameters) -> Result<DecodingKey, UnusableKey> {
    if parameters.curve != EllipticCurve::Ed25519 {
        return Err(UnusableKey("its curve is not Ed25519"));
    }
    DecodingKey::from_ed_components(&parameters.x).map_err(|_| UnusableKey::ENCODING)
}

/// Why a key can't be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct UnusableKey(pub(super) &'static str);

impl UnusableKey {
    const ENCODING: Self = Self("it is not encoded correctly");
}

impl fmt::Display for UnusableKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// The keys of an issuer.
#[derive(Debug)]
pub(super) struct KeySet {
    keys: Vec<Arc<Key>>,
    /// Whether a token may name only a key that has this id. A key in a file of its own has none.
    has_ids: bool,
}

impl KeySet {
    /// This key alone, for tokens with any `kid`.
    pub(super) fn of(key: Key) -> Self {
        Self { keys: vec![Arc::new(key)], has_ids: false }
    }

    /// The keys of a JWKS. Those that can't be used are left out with a warning. `None` if it is
    /// not a JWKS.
    pub(super) fn from_jwks(json: &[u8]) -> Option<Self> {
        let set: Value = serde_json::from_slice(json).ok()?;
        let keys = set.get("keys")?.as_array()?;
        Some(Self { keys: keys.iter().filter_map(usable).map(Arc::new).collect(), has_ids: true })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The key for a token with this algorithm and `kid`.
    ///
    /// # Errors
    /// [`JwtErrorKind::UnknownKey`] if there is no such key or if several fit,
    /// [`JwtErrorKind::Algorithm`] if the key must not be used with the algorithm.
    pub(super) fn find(&self, algorithm: Algorithm, id: Option<&str>) -> Result<Arc<Key>, JwtErrorKind> {
        let is_named = |key: &&Arc<Key>| !self.has_ids || id.is_none() || key.id.as_deref() == id;
        let mut named = self.keys.iter().filter(is_named).peekable();
        if named.peek().is_none() {
            return Err(JwtErrorKind::UnknownKey);
        }
        let mut fitting = named.filter(|key| key.algorithms.contains(&algorithm));
        match (fitting.next(), fitting.next()) {
            (Some(key), None) => Ok(Arc::clone(key)),
            (None, _) => Err(JwtErrorKind::Algorithm),
            (Some(_), Some(_)) => Err(JwtErrorKind::UnknownKey),
        }
    }
}

/// One key of a JWKS, or a warning.
fn usable(jwk: &Value) -> Option<Key> {
    let parsed = serde_json::from_value::<Jwk>(jwk.clone()).map_err(|_| UnusableKey("it is not a JWK"));
    match parsed.and_then(|jwk| Key::from_jwk(&jwk)) {
        Ok(key) => Some(key),
        Err(reason) => {
            let id = jwk.get("kid").and_then(Value::as_str);
            tracing::warn!(kid = id, %reason, "a key of the JWKS is ignored");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ZERO: [u8; 1_025] = [0; 1_025];

    fn encoded(bytes: &[u8]) -> String {
        base64::Engine::encode(&super::super::BASE64URL, bytes)
    }

    /// A JWK with more members.
    fn jwk(mut key: Value, more: &Value) -> Value {
        key.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        key
    }

    fn rsa(modulus: &[u8]) -> Value {
        json!({"kty": "RSA", "n": encoded(modulus), "e": "AQAB"})
    }

    fn ec(curve: &str, x: usize, y: usize) -> Value {
        json!({"kty": "EC", "crv": curve, "x": encoded(&ZERO[..x]), "y": encoded(&ZERO[..y])})
    }

    fn okp(curve: &str, length: usize) -> Value {
        json!({"kty": "OKP", "crv": curve, "x": encoded(&ZERO[..length])})
    }

    fn set(keys: &[Value]) -> KeySet {
        KeySet::from_jwks(json!({"keys": keys}).to_string().as_bytes()).unwrap()
    }

    fn algorithms(key: Value) -> Vec<Algorithm> {
        set(&[key]).keys.first().map(|key| key.algorithms.clone()).unwrap_or_default()
    }

    #[test]
    fn the_type_of_a_key_selects_its_algorithms() {
        let rsa_key = rsa(&[1; 256]);
        assert_eq!(algorithms(rsa_key.clone()), AlgorithmFamily::Rsa.algorithms());
        assert_eq!(algorithms(ec("P-256", 32, 32)), [Algorithm::ES256]);
        assert_eq!(algorithms(ec("P-384", 48, 48)), [Algorithm::ES384]);
        assert_eq!(algorithms(okp("Ed25519", 32)), [Algorithm::EdDSA]);
        for (more, expected) in [
            (json!({"alg": "PS384"}), vec![Algorithm::PS384]),
            (json!({"use": "sig", "key_ops": ["sign", "verify"], "alg": "RS256"}), vec![Algorithm::RS256]),
            (json!({"alg": "HS256"}), vec![]),
            (json!({"alg": "ES256"}), vec![]),
            (json!({"alg": "RSA-OAEP"}), vec![]),
            (json!({"alg": "none"}), vec![]),
            (json!({"use": "enc"}), vec![]),
            (json!({"key_ops": ["encrypt"]}), vec![]),
        ] {
            assert_eq!(algorithms(jwk(rsa_key.clone(), &more)), expected, "{more}");
        }
        assert!(algorithms(jwk(ec("P-256", 32, 32), &json!({"alg": "ES384"}))).is_empty());
    }

    #[test]
    fn keys_that_cannot_be_used_are_ignored() {
        let secret = encoded(&ZERO[..32]);
        for key in [
            json!({"kty": "oct", "k": secret}),
            json!({"kty": "oct", "k": secret, "alg": "HS256", "kid": "1", "use": "sig"}),
            json!({"kty": "AKP", "alg": "ML-DSA-44", "pub": "AAAA"}),
            rsa(&[1; 255]),
            rsa(&[1; 1_025]),
            rsa(&ZERO),
            json!({"kty": "RSA", "n": "+", "e": "AQAB"}),
            json!({"kty": "RSA", "n": encoded(&[1; 256])}),
            ec("P-256", 48, 48),
            ec("P-384", 32, 32),
            ec("P-256", 32, 0),
            ec("P-521", 66, 66),
            ec("secp256k1", 32, 32),
            okp("Ed25519", 31),
            okp("Ed25519", 0),
            okp("Ed448", 57),
            okp("P-256", 32),
            json!({"kty": "OKP", "crv": "Ed25519", "x": 1}),
            json!({"kty": "RSA", "n": encoded(&[1; 256]), "e": "AQAB", "kid": 1}),
            json!("key"),
            json!(null),
        ] {
            // the others are used
            let keys = set(&[key.clone(), ec("P-256", 32, 32)]);
            assert_eq!(keys.keys.len(), 1, "{key}");
            assert!(keys.find(Algorithm::ES256, None).is_ok(), "{key}");
        }
    }

    #[test]
    fn zeros_before_the_modulus_are_skipped() {
        let modulus = [&[0, 0][..], &[1; 256]].concat();
        let keys = set(&[rsa(&modulus)]);
        match keys.keys[0].decoding_key().kind() {
            jsonwebtoken::DecodingKeyKind::RsaModulusExponent { n, e } => {
                assert_eq!((n.len(), &e[..]), (256, &[1, 0, 1][..]));
            }
            jsonwebtoken::DecodingKeyKind::SecretOrDer(_) => panic!("not the numbers"),
        }
    }

    #[test]
    fn a_token_selects_one_key() {
        use JwtErrorKind::{Algorithm as Refused, UnknownKey};

        let keys = set(&[
            jwk(ec("P-256", 32, 32), &json!({"kid": "a"})),
            jwk(ec("P-256", 32, 32), &json!({"kid": "b"})),
            jwk(ec("P-384", 48, 48), &json!({"kid": "c"})),
            jwk(okp("Ed25519", 32), &json!({"kid": "c"})),
            rsa(&[1; 256]),
        ]);
        let found = |algorithm, id| keys.find(algorithm, id).map(|key| key.algorithms.clone());
        assert_eq!(found(Algorithm::ES256, Some("a")), Ok(vec![Algorithm::ES256]));
        assert_eq!(found(Algorithm::ES384, Some("c")), Ok(vec![Algorithm::ES384]));
        assert_eq!(found(Algorithm::EdDSA, Some("c")), Ok(vec![Algorithm::EdDSA]));
        assert_eq!(found(Algorithm::ES384, None), Ok(vec![Algorithm::ES384]));
        assert!(found(Algorithm::RS256, None).is_ok());
        assert_eq!(found(Algorithm::ES256, None), Err(UnknownKey));
        assert_eq!(found(Algorithm::RS256, Some("d")), Err(UnknownKey));
        assert_eq!(found(Algorithm::RS256, Some("")), Err(UnknownKey));
        assert_eq!(found(Algorithm::ES256, Some("c")), Err(Refused));
        assert_eq!(found(Algorithm::HS256, Some("a")), Err(Refused));
        assert_eq!(found(Algorithm::HS256, None), Err(Refused));
        assert_eq!(set(&[]).find(Algorithm::ES256, None).unwrap_err(), UnknownKey);
    }

    #[test]
    fn other_documents_are_not_a_jwks() {
        for json in ["", "{", "null", "[]", "{}", r#"{"keys": {}}"#, r#"{"keys": []} {"keys": []}"#] {
            assert!(KeySet::from_jwks(json.as_bytes()).is_none(), "{json:?}");
        }
        assert!(KeySet::from_jwks(br#"{"keys": [], "more": 1}"#).unwrap().is_empty());
    }
}
