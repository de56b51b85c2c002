//! Tokens that are accepted, with every kind of key.

use chat_accounts::{JwtVerifier, Subject};
use chat_protocol::Timestamp;
use serde_json::{Value, json};

use crate::support::{AUDIENCE, ISSUER, Issuer, Loaded, SUBJECT, Signer, claims, claims_with, now, verifier};

const SECRET: &str = "a secret of exactly 32 bytes ...";

/// Every kind of key with its algorithms.
fn signers() -> Vec<(Signer, &'static [&'static str])> {
    vec![
        (Signer::rsa(), &["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]),
        (Signer::p256(), &["ES256"]),
        (Signer::p384(), &["ES384"]),
        (Signer::ed25519(), &["EdDSA"]),
    ]
}

async fn accepts(verifier: &JwtVerifier, token: &str) {
    let accepted = verifier.verify(token).await.unwrap();
    assert_eq!(accepted.subject, Subject::new(ISSUER, SUBJECT).unwrap());
    assert_eq!(accepted.username.as_deref(), Some("ana"));
    assert!(accepted.expires_at > Timestamp::now());
}

#[tokio::test]
async fn a_key_in_a_file() {
    let secret = (Signer::hmac(SECRET), &["HS256", "HS384", "HS512"][..]);
    for (signer, algorithms) in signers().into_iter().chain([secret]) {
        let loaded = Loaded::key(signer.file()).await;
        for algorithm in algorithms {
            accepts(&loaded.verifier, &signer.sign(algorithm, None, &claims())).await;
            // the file has no id that could differ
            accepts(&loaded.verifier, &signer.sign(algorithm, Some("any"), &claims())).await;
        }
    }
    let signer = Signer::rsa();
    accepts(&Loaded::key(signer.rsa_file()).await.verifier, &signer.sign("RS256", None, &claims())).await;
}

#[tokio::test]
async fn keys_in_a_jwks_file() {
    let signers = signers();
    let keys: Vec<_> =
        (0..).zip(&signers).map(|(id, (signer, _))| signer.jwk(&format!("key {id}"))).collect();
    let loaded = Loaded::jwks(&keys).await;
    for (id, (signer, algorithms)) in (0..).zip(&signers) {
        for algorithm in *algorithms {
            accepts(&loaded.verifier, &signer.sign(algorithm, Some(&format!("key {id}")), &claims())).await;
            // one key fits the algorithm
            accepts(&loaded.verifier, &signer.sign(algorithm, None, &claims())).await;
        }
    }
}

#[tokio::test]
async fn keys_of_an_issuer() {
    let signers = signers();
    let keys: Vec<_> =
        (0..).zip(&signers).map(|(id, (signer, _))| signer.jwk(&format!("key {id}"))).collect();
    let issuer = Issuer::with_keys(&keys).await;
    let verifier = verifier(issuer.keys());
    verifier.load().await.unwrap();
    for (id, (signer, algorithms)) in (0..).zip(&signers) {
        accepts(&verifier, &signer.sign(algorithms[0], Some(&format!("key {id}")), &claims())).await;
    }
    assert_eq!(issuer.requests(), 1);
}

#[tokio::test]
async fn a_verifier_that_was_not_loaded_requests_the_keys() {
    let signer = Signer::ed25519();
    let issuer = Issuer::with_keys(&[signer.jwk("1")]).await;
    accepts(&verifier(issuer.keys()), &signer.sign("EdDSA", Some("1"), &claims())).await;
}

#[tokio::test]
async fn several_audiences() {
    let signer = Signer::ed25519();
    let loaded = Loaded::key(signer.file()).await;
    for audience in [json!([AUDIENCE]), json!(["other", AUDIENCE, "account"])] {
        accepts(&loaded.verifier, &signer.sign("EdDSA", None, &claims_with("aud", audience))).await;
    }
}

#[tokio::test]
async fn the_username_is_a_claim() {
    let signer = Signer::ed25519();
    let loaded = Loaded::key(signer.file()).await;
    let verifier = loaded.verifier.clone().username_claim("nickname");
    for (value, expected) in [
        (json!("Ana Maria"), Some("Ana Maria")),
        (json!(""), Some("")),
        (json!(7), None),
        (json!(["ana"]), None),
        (Value::Null, None),
    ] {
        let token = signer.sign("EdDSA", None, &claims_with("nickname", value.clone()));
        assert_eq!(verifier.verify(&token).await.unwrap().username.as_deref(), expected, "{value}");
    }
}

#[tokio::test]
async fn the_clocks_may_differ_by_30_seconds() {
    let signer = Signer::ed25519();
    let loaded = Loaded::key(signer.file()).await;
    for claims in [claims_with("nbf", json!(now() + 25)), claims_with("nbf", json!(0))] {
        accepts(&loaded.verifier, &signer.sign("EdDSA", None, &claims)).await;
    }
    let expired = now() - 20;
    let token = signer.sign("EdDSA", None, &claims_with("exp", json!(expired)));
    let accepted = loaded.verify(&token).await.unwrap();
    assert_eq!(accepted.expires_at.as_millis(), i64::try_from(expired * 1_000).unwrap());
}

#[tokio::test]
async fn the_time_of_expiry_may_have_a_fraction_or_be_far() {
    let signer = Signer::ed25519();
    let loaded = Loaded::key(signer.file()).await;
    let soon = now() + 100;
    #[allow(clippy::cast_precision_loss)]
    let fraction = json!(soon as f64 + 0.25);
    for (value, millis) in [
        (fraction, i64::try_from(soon).unwrap() * 1_000 + 250),
        (json!(u64::MAX), i64::MAX),
        (json!(1e18), i64::MAX),
    ] {
        let token = signer.sign("EdDSA", None, &claims_with("exp", value.clone()));
        let accepted = loaded.verify(&token).await.unwrap();
        assert_eq!(accepted.expires_at.as_millis(), millis, "{value}");
    }
}
