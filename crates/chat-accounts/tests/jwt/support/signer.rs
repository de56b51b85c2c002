//! Private keys, which sign tokens without the crate that is tested.

use std::sync::LazyLock;

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use rcgen::PublicKeyData;
use ring::hmac;
use ring::rand::SystemRandom;
use ring::rsa::{KeyPair as RsaKeyPair, KeyPairComponents, PublicKeyComponents};
use ring::signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaEncoding};
use rsa::traits::{PrivateKeyParts, PublicKeyParts};
use serde_json::{Value, json};

/// DER before the key in a `PUBLIC KEY` with 2048 bits.
const RSA_PUBLIC_KEY: &[u8] =
    b"\x30\x82\x01\x22\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00\x03\x82\x01\x0f\x00";

/// It takes a while to find the primes, so all tests share it.
static RSA: LazyLock<rsa::PrivateKey> =
    LazyLock::new(|| rsa::PrivateKey::new(&mut rand::rng(), 2_048).unwrap());

pub(crate) enum Signer {
    Hmac(Vec<u8>),
    Rsa(RsaKeyPair),
    Ec { name: &'static str, pair: EcdsaKeyPair, pem: String },
    Ed { pair: Ed25519KeyPair, pem: String },
}

impl Signer {
    pub(crate) fn hmac(secret: impl AsRef<[u8]>) -> Self {
        Self::Hmac(secret.as_ref().to_vec())
    }

    pub(crate) fn rsa() -> Self {
        let (p, q) = (&RSA.primes()[0], &RSA.primes()[1]);
        let bytes = |number: &rsa::BoxedUint| number.to_be_bytes_trimmed_vartime();
        let components = KeyPairComponents {
            public_key: PublicKeyComponents { n: bytes(RSA.n()), e: bytes(RSA.e()) },
            d: bytes(RSA.d()),
            p: bytes(p),
            q: bytes(q),
            dP: bytes(RSA.dp().unwrap()),
            dQ: bytes(RSA.dq().unwrap()),
            qInv: bytes(&RSA.crt_coefficient().unwrap()),
        };
        Self::Rsa(RsaKeyPair::from_components(&components).unwrap())
    }

    pub(crate) fn p256() -> Self {
        Self::ec("P-256", &rcgen::PKCS_ECDSA_P256_SHA256, &signature::ECDSA_P256_SHA256_FIXED_SIGNING)
    }

    pub(crate) fn p384() -> Self {
        Self::ec("P-384", &rcgen::PKCS_ECDSA_P384_SHA384, &signature::ECDSA_P384_SHA384_FIXED_SIGNING)
    }

    fn ec(
        name: &'static str,
        kind: &'static rcgen::SignatureAlgorithm,
        signing: &'static signature::EcdsaSigningAlgorithm,
    ) -> Self {
        let made = rcgen::KeyPair::generate_for(kind).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(signing, &made.serialize_der(), &SystemRandom::new()).unwrap();
        Self::Ec { name, pair, pem: made.public_key_pem() }
    }

    pub(crate) fn ed25519() -> Self {
        let made = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&made.serialize_der()).unwrap();
        assert_eq!(pair.public_key().as_ref(), made.der_bytes());
        Self::Ed { pair, pem: made.public_key_pem() }
    }

    /// The public key as a JWK with this id.
    pub(crate) fn jwk(&self, id: &str) -> Value {
        let mut jwk = self.jwk_without_id();
        jwk["kid"] = json!(id);
        jwk
    }

    pub(crate) fn jwk_without_id(&self) -> Value {
        match self {
            Self::Hmac(secret) => json!({"kty": "oct", "k": encoded(secret)}),
            Self::Rsa(pair) => {
                let numbers = PublicKeyComponents::<Vec<u8>>::from(pair.public_key());
                json!({"kty": "RSA", "n": encoded(&numbers.n), "e": encoded(&numbers.e)})
            }
            Self::Ec { name, pair, .. } => {
                let point = &pair.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                json!({"kty": "EC", "crv": name, "x": encoded(x), "y": encoded(y)})
            }
            Self::Ed { pair, .. } => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": encoded(pair.public_key().as_ref())})
            }
        }
    }

    /// The content of a key file: the public key, or the secret.
    pub(crate) fn file(&self) -> Vec<u8> {
        match self {
            Self::Hmac(secret) => secret.clone(),
            Self::Rsa(pair) => {
                pem("PUBLIC KEY", &[RSA_PUBLIC_KEY, pair.public_key().as_ref()].concat()).into_bytes()
            }
            Self::Ec { pem, .. } | Self::Ed { pem, .. } => pem.clone().into_bytes(),
        }
    }

    /// The public RSA key in the older format.
    pub(crate) fn rsa_file(&self) -> String {
        let Self::Rsa(pair) = self else { panic!("not an RSA key") };
        pem("RSA PUBLIC KEY", pair.public_key().as_ref())
    }

    /// A token with these claims.
    pub(crate) fn sign(&self, algorithm: &str, id: Option<&str>, claims: &Value) -> String {
        let header = match id {
            Some(id) => json!({"typ": "JWT", "alg": algorithm, "kid": id}),
            None => json!({"typ": "JWT", "alg": algorithm}),
        };
        self.sign_with_header(algorithm, &header, claims.to_string().as_bytes())
    }

    /// A token with these parts, and a signature of the algorithm, also if the header has another.
    pub(crate) fn sign_with_header(&self, algorithm: &str, header: &Value, payload: &[u8]) -> String {
        let message = format!("{}.{}", encoded(header.to_string().as_bytes()), encoded(payload));
        let signature = self.signature(algorithm, message.as_bytes());
        format!("{message}.{}", encoded(&signature))
    }

    fn signature(&self, algorithm: &str, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Hmac(secret) => {
                let algorithm = match algorithm {
                    "HS256" => hmac::HMAC_SHA256,
                    "HS384" => hmac::HMAC_SHA384,
                    "HS512" => hmac::HMAC_SHA512,
                    other => panic!("not for a secret: {other}"),
                };
                hmac::sign(&hmac::Key::new(algorithm, secret), message).as_ref().to_vec()
            }
            Self::Rsa(pair) => {
                let padding: &'static dyn RsaEncoding = match algorithm {
                    "RS256" => &signature::RSA_PKCS1_SHA256,
                    "RS384" => &signature::RSA_PKCS1_SHA384,
                    "RS512" => &signature::RSA_PKCS1_SHA512,
                    "PS256" => &signature::RSA_PSS_SHA256,
                    "PS384" => &signature::RSA_PSS_SHA384,
                    "PS512" => &signature::RSA_PSS_SHA512,
                    other => panic!("not for RSA: {other}"),
                };
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(padding, &SystemRandom::new(), message, &mut signature).unwrap();
                signature
            }
            Self::Ec { pair, .. } => pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec(),
            Self::Ed { pair, .. } => pair.sign(message).as_ref().to_vec(),
        }
    }
}

pub(crate) fn encoded(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = BASE64_STANDARD.encode(der);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(|line| str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}
