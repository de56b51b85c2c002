//! Nothing shows a secret, a token or the value of a claim.

use std::error::Error;
use std::fmt::Debug;

use chat_accounts::JwtKeys;
use serde_json::{Value, json};

use crate::support::{Answer, Issuer, Loaded, SUBJECT, Signer, claims, claims_with, verifier};

const SECRET: &str = "hunter2 hunter2 hunter2 hunter2 !";

fn shown(value: &impl Debug) -> String {
    format!("{value:?} {value:#?}")
}

/// The texts of an error and of its causes.
fn chain(error: &impl Error) -> String {
    let mut texts = format!("{error} {}", shown(error));
    let mut cause = error.source();
    while let Some(error) = cause {
        texts += &format!(" {error} {error:?}");
        cause = error.source();
    }
    texts
}

#[tokio::test]
async fn a_verifier_does_not_show_its_keys() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jwt.key");
    for secret in [SECRET, &SECRET[..20]] {
        std::fs::write(&path, secret).unwrap();
        let keys = JwtKeys::key_file(&path);
        let mut texts = shown(&keys);
        let verifier = verifier(keys);
        texts += &shown(&verifier);
        if let Err(error) = verifier.load().await {
            texts += &chain(&error);
        }
        texts += &shown(&verifier);
        assert!(texts.contains("jwt.key"), "{texts}");
        assert!(!texts.contains("hunter2") && !texts.contains("104, 117, 110"), "{texts}");
    }

    let issuer = Issuer::start(Answer::Nothing).await;
    let keys = JwtKeys::url(format!("http://ana:hunter2@{}/keys?key=hunter2", issuer.address)).unwrap();
    let mut texts = shown(&keys);
    let verifier = verifier(keys);
    let token = Signer::p256().sign("ES256", Some("1"), &claims());
    texts += &chain(&verifier.verify(&token).await.unwrap_err());
    texts += &shown(&verifier);
    assert!(texts.contains(&format!("http://{}/keys", issuer.address)), "{texts}");
    assert!(!texts.contains("hunter2") && !texts.contains("ana"), "{texts}");
}

#[tokio::test]
async fn an_error_does_not_show_the_token() {
    let signer = Signer::hmac(SECRET);
    let loaded = Loaded::key(signer.file()).await;
    let jwks = Loaded::jwks(&[Signer::p256().jwk("1")]).await;
    let value = "value-2b9e";
    let header = |name: &str, value: Value| {
        let mut header = json!({"alg": "HS256"});
        header[name] = value;
        signer.sign_with_header("HS256", &header, claims().to_string().as_bytes())
    };
    let mut tokens: Vec<_> = ["iss", "aud", "exp", "nbf"]
        .into_iter()
        .map(|name| signer.sign("HS256", Some(value), &claims_with(name, json!(value))))
        .collect();
    tokens.extend([
        signer.sign("HS256", Some(value), &claims_with("sub", json!({value: value}))),
        signer.sign("HS256", None, &claims_with("exp", json!(1))),
        signer.sign("HS256", None, &json!([value])),
        signer.sign_with_header(
            "HS256",
            &json!({"alg": "HS256"}),
            format!("{{\"{value}\": {value}}}").as_bytes(),
        ),
        header("alg", json!(value)),
        header("kid", json!({value: value})),
        header("crit", json!([value])),
        header("typ", json!([value])),
        format!("{}!", signer.sign("HS256", Some(value), &claims())),
        Signer::hmac([7; 32]).sign("HS256", Some(value), &claims()),
        value.repeat(2_000),
    ]);
    for token in tokens {
        for loaded in [&loaded, &jwks] {
            let texts = chain(&loaded.verify(&token).await.unwrap_err());
            let parts = token.split('.').filter(|part| part.len() > 5);
            for secret in parts.chain([value, SUBJECT, "ana", "hunter2"]) {
                assert!(!texts.contains(secret), "{secret}: {texts}");
            }
        }
    }
}
