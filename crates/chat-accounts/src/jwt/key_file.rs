//! A key in a file of its own: a shared secret, or a public key in PEM format.

use std::str;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use jsonwebtoken::DecodingKey;

use super::keys::{Key, UnusableKey};

/// The minimum number of bytes of a shared secret.
const MIN_SECRET: usize = 32;
const PEM_BEGIN: &str = "-----BEGIN ";

/// The key in a file with this content.
///
/// A file that is not PEM is a shared secret. So a file that looks like a public key in another
/// format is refused: everyone knows its content, and could sign tokens with it.
pub(super) fn parse(content: &[u8]) -> Result<Key, UnusableKey> {
    let text = str::from_utf8(content).ok();
    match text {
        Some(text) if text.contains(PEM_BEGIN) => return public_key(text),
        Some(text) if text.trim_start().starts_with(['{', '[']) => {
            return Err(UnusableKey("JSON is not accepted here; use the option for a JWKS file"));
        }
        Some(text) if text.trim_start().starts_with("ssh-") || text.trim_start().starts_with("ecdsa-") => {
            return Err(UnusableKey("keys in the format of SSH are not accepted; convert it to PEM"));
        }
        _ if is_der(content) || text.is_some_and(is_base64_of_der) => {
            return Err(UnusableKey("a key in DER format is not accepted; convert it to PEM"));
        }
        _ => {}
    }
    // an editor ends the last line of a text, but random bytes may end like that, too
    let secret = match text {
        Some(text) => {
            text.strip_suffix('\n').map_or(text, |text| text.strip_suffix('\r').unwrap_or(text)).as_bytes()
        }
        None => content,
    };
    if secret.len() < MIN_SECRET {
        return Err(UnusableKey("a shared secret needs at least 32 bytes"));
    }
    Key::secret(secret)
}

fn public_key(pem: &str) -> Result<Key, UnusableKey> {
    let mut labels = pem.split(PEM_BEGIN).skip(1).map(|rest| rest.split("-----").next().unwrap_or_default());
    let (Some(label), None) = (labels.next(), labels.next()) else {
        return Err(UnusableKey("it must have exactly one key"));
    };
    match label {
        "PUBLIC KEY" | "RSA PUBLIC KEY" => {}
        label if label.ends_with("PRIVATE KEY") => {
            return Err(UnusableKey("it is a private key; only its public key is needed here"));
        }
        _ => return Err(UnusableKey("it is not a public key")),
    }
    let pem = pem.as_bytes();
    let parsed = DecodingKey::from_ec_pem(pem)
        .or_else(|_| DecodingKey::from_ed_pem(pem))
        // last, because it takes the key of "RSA PUBLIC KEY" as it is
        .or_else(|_| DecodingKey::from_rsa_pem(pem));
    parsed.map_or(Err(UnusableKey("it is not an RSA, EC or Ed25519 public key in PEM format")), Key::new)
}

fn is_base64_of_der(text: &str) -> bool {
    let text: String = text.split_ascii_whitespace().collect();
    BASE64_STANDARD.decode(text).is_ok_and(|bytes| is_der(&bytes))
}

/// Whether the bytes are a DER sequence and nothing else.
fn is_der(bytes: &[u8]) -> bool {
    let (length, rest) = match bytes {
        [0x30, length @ ..=0x7F, rest @ ..] | [0x30, 0x81, length, rest @ ..] => (usize::from(*length), rest),
        [0x30, 0x82, high, low, rest @ ..] => (usize::from(*high) << 8 | usize::from(*low), rest),
        _ => return false,
    };
    length == rest.len()
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::Algorithm;

    use super::super::JwtErrorKind;
    use super::super::keys::KeySet;
    use super::*;

    const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

    fn refusal(content: &[u8]) -> &'static str {
        parse(content).unwrap_err().0
    }

    fn bytes(key: &Key) -> &[u8] {
        key.decoding_key().try_get_as_bytes().unwrap()
    }

    #[test]
    fn a_secret_has_at_least_32_bytes_and_loses_one_line_break() {
        for end in ["", "\n", "\r\n"] {
            assert_eq!(bytes(&parse(&[SECRET, end.as_bytes()].concat()).unwrap()), SECRET, "{end:?}");
            assert!(
                refusal(&[&SECRET[1..], end.as_bytes()].concat()).contains("at least 32 bytes"),
                "{end:?}"
            );
        }
        assert_eq!(bytes(&parse(&[SECRET, b"\n\n"].concat()).unwrap()), [SECRET, b"\n"].concat());
        let binary = [&[0xFF; 32][..], b"\n"].concat();
        assert_eq!(bytes(&parse(&binary).unwrap()), binary);
        assert!(refusal(b"").contains("at least 32 bytes"));
    }

    #[test]
    fn a_secret_is_used_with_hmac_only() {
        let keys = KeySet::of(parse(SECRET).unwrap());
        for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
            keys.find(algorithm, Some("any")).unwrap();
        }
        for algorithm in [Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::EdDSA] {
            assert_eq!(keys.find(algorithm, None).unwrap_err(), JwtErrorKind::Algorithm, "{algorithm:?}");
        }
    }

    #[test]
    fn public_keys_select_the_algorithms() {
        let cases: [(_, &[Algorithm], Algorithm); 3] = [
            (&rcgen::PKCS_ECDSA_P256_SHA256, &[Algorithm::ES256], Algorithm::ES384),
            (&rcgen::PKCS_ECDSA_P384_SHA384, &[Algorithm::ES384], Algorithm::ES256),
            (&rcgen::PKCS_ED25519, &[Algorithm::EdDSA], Algorithm::HS256),
        ];
        for (kind, allowed, refused) in cases {
            let pair = rcgen::KeyPair::generate_for(kind).unwrap();
            let keys = KeySet::of(parse(pair.public_key_pem().as_bytes()).unwrap());
            for algorithm in allowed {
                keys.find(*algorithm, None).unwrap();
            }
            assert_eq!(keys.find(refused, None).unwrap_err(), JwtErrorKind::Algorithm);
            // what belongs to the issuer, and what would be a secret that everyone knows
            assert!(refusal(pair.serialize_pem().as_bytes()).contains("private key"));
            assert!(refusal(pair.public_key_pem().repeat(2).as_bytes()).contains("exactly one key"));
            let der = rcgen::PublicKeyData::subject_public_key_info(&pair);
            assert!(refusal(&der).contains("DER"));
            assert!(refusal(BASE64_STANDARD.encode(&der).as_bytes()).contains("DER"));
        }
    }

    #[test]
    fn files_of_other_formats_are_not_secrets() {
        let long = "0".repeat(64);
        for (content, reason) in [
            (format!("{{\"keys\": [\"{long}\"]}}"), "JWKS"),
            (format!(" [\"{long}\"]"), "JSON"),
            (format!("ssh-ed25519 {long}"), "SSH"),
            (format!("ecdsa-sha2-nistp256 {long}"), "SSH"),
            (format!("-----BEGIN CERTIFICATE-----\n{long}\n-----END CERTIFICATE-----"), "not a public key"),
            (format!("-----BEGIN PUBLIC KEY-----\n{long}\n-----END PUBLIC KEY-----"), "PEM"),
            (format!("a comment\n-----BEGIN PUBLIC KEY-----\n{long}"), "PEM"),
            (format!("{long} -----BEGIN "), "not a public key"),
        ] {
            let refusal = refusal(content.as_bytes());
            assert!(refusal.contains(reason), "{content:?}: {refusal}");
        }
    }
}
