//! Tokens that are not accepted.

use chat_accounts::{JwtErrorKind, JwtVerifier, looks_like_jwt};
use serde_json::{Value, json};

use crate::support::{AUDIENCE, ISSUER, Loaded, Signer, claims, claims_with, encoded, now};

#[tokio::test]
async fn unsigned_tokens() {
    let rsa = Signer::rsa();
    let secret = Signer::hmac([7; 32]);
    let payload = encoded(claims().to_string().as_bytes());
    for loaded in
        [Loaded::key(rsa.file()).await, Loaded::key(secret.file()).await, Loaded::jwks(&[rsa.jwk("1")]).await]
    {
        for algorithm in ["none", "None", "NONE", "nOnE", ""] {
            for header in [json!({"alg": algorithm}), json!({"alg": algorithm, "kid": "1", "typ": "JWT"})] {
                let header = encoded(header.to_string().as_bytes());
                for signature in ["", "AAAA", &encoded(&[0; 256])] {
                    let token = format!("{header}.{payload}.{signature}");
                    assert_eq!(
                        loaded.refusal(&token).await,
                        JwtErrorKind::Algorithm,
                        "{algorithm} {signature}"
                    );
                }
            }
        }
        // a good algorithm, but no signature
        for algorithm in ["HS256", "RS256"] {
            let header = encoded(json!({"alg": algorithm}).to_string().as_bytes());
            let token = format!("{header}.{payload}.");
            assert!(!looks_like_jwt(&token));
            let refusal = loaded.refusal(&token).await;
            assert!(matches!(refusal, JwtErrorKind::Signature | JwtErrorKind::Algorithm), "{refusal:?}");
        }
    }
}

#[tokio::test]
async fn a_public_key_as_a_shared_secret() {
    for signer in [Signer::rsa(), Signer::p256(), Signer::p384(), Signer::ed25519()] {
        let (file, jwk) = (signer.file(), signer.jwk("1"));
        let from_pem = Loaded::key(&file).await;
        let from_jwks = Loaded::jwks(std::slice::from_ref(&jwk)).await;
        let trimmed = file.trim_ascii().to_vec();
        for secret in [file, trimmed, jwk.to_string().into_bytes()] {
            let attacker = Signer::hmac(secret);
            for algorithm in ["HS256", "HS384", "HS512"] {
                for id in [None, Some("1")] {
                    let token = attacker.sign(algorithm, id, &claims());
                    assert_eq!(from_pem.refusal(&token).await, JwtErrorKind::Algorithm);
                    assert_eq!(from_jwks.refusal(&token).await, JwtErrorKind::Algorithm);
                }
            }
        }
    }
}

#[tokio::test]
async fn an_algorithm_that_the_key_does_not_allow() {
    let (rsa, p256) = (Signer::rsa(), Signer::p256());
    let mut only = rsa.jwk("1");
    only["alg"] = json!("PS256");
    let loaded = Loaded::jwks(&[only, p256.jwk("2")]).await;
    loaded.verify(&rsa.sign("PS256", Some("1"), &claims())).await.unwrap();
    for token in [
        rsa.sign("RS256", Some("1"), &claims()),
        rsa.sign("PS512", Some("1"), &claims()),
        rsa.sign("RS256", None, &claims()),
        rsa.sign("PS256", Some("2"), &claims()),
        p256.sign("ES256", Some("1"), &claims()),
        Signer::p384().sign("ES384", Some("2"), &claims()),
        // algorithms that are not supported
        p256.sign_with_header("ES256", &json!({"alg": "ES512", "kid": "2"}), claims().to_string().as_bytes()),
        p256.sign_with_header(
            "ES256",
            &json!({"alg": "dir", "enc": "A256GCM"}),
            claims().to_string().as_bytes(),
        ),
    ] {
        assert_eq!(loaded.refusal(&token).await, JwtErrorKind::Algorithm);
    }
    // the header names another algorithm than the signature has
    let token =
        rsa.sign_with_header("RS256", &json!({"alg": "PS256", "kid": "1"}), claims().to_string().as_bytes());
    assert_eq!(loaded.refusal(&token).await, JwtErrorKind::Signature);
}

#[tokio::test]
async fn a_symmetric_key_in_a_jwks() {
    let (secret, p256) = (Signer::hmac([7; 32]), Signer::p256());
    let mut oct = secret.jwk("1");
    oct["alg"] = json!("HS256");
    let loaded = Loaded::jwks(&[oct, p256.jwk("2")]).await;
    assert_eq!(loaded.refusal(&secret.sign("HS256", Some("1"), &claims())).await, JwtErrorKind::UnknownKey);
    assert_eq!(loaded.refusal(&secret.sign("HS256", None, &claims())).await, JwtErrorKind::Algorithm);
    loaded.verify(&p256.sign("ES256", Some("2"), &claims())).await.unwrap();
}

#[tokio::test]
async fn a_key_that_is_unknown_or_not_named() {
    let (first, second) = (Signer::p256(), Signer::p256());
    let loaded = Loaded::jwks(&[first.jwk("1"), second.jwk("2")]).await;
    loaded.verify(&first.sign("ES256", Some("1"), &claims())).await.unwrap();
    for id in [Some("3"), Some(""), Some("1 "), None] {
        assert_eq!(
            loaded.refusal(&first.sign("ES256", id, &claims())).await,
            JwtErrorKind::UnknownKey,
            "{id:?}"
        );
    }
    // an id does not make up for the key
    assert_eq!(loaded.refusal(&first.sign("ES256", Some("2"), &claims())).await, JwtErrorKind::Signature);
    // keys in the token itself are not used
    let other = Signer::p256();
    let header = json!({"alg": "ES256", "kid": "1", "jwk": other.jwk("1"), "jku": "http://127.0.0.1:1/"});
    let token = other.sign_with_header("ES256", &header, claims().to_string().as_bytes());
    assert_eq!(loaded.refusal(&token).await, JwtErrorKind::Signature);
}

#[tokio::test]
async fn a_signature_of_another_key() {
    for (signer, other, algorithm) in [
        (Signer::p256(), Signer::p256(), "ES256"),
        (Signer::p384(), Signer::p384(), "ES384"),
        (Signer::ed25519(), Signer::ed25519(), "EdDSA"),
        (Signer::hmac([7; 32]), Signer::hmac([8; 32]), "HS256"),
    ] {
        let loaded = Loaded::key(signer.file()).await;
        assert_eq!(loaded.refusal(&other.sign(algorithm, None, &claims())).await, JwtErrorKind::Signature);
        // claims of one token, signature of another
        let (own, changed) = (
            signer.sign(algorithm, None, &claims()),
            other.sign(algorithm, None, &claims_with("sub", json!("admin"))),
        );
        let (message, _) = changed.rsplit_once('.').unwrap();
        let (_, signature) = own.rsplit_once('.').unwrap();
        assert_eq!(loaded.refusal(&format!("{message}.{signature}")).await, JwtErrorKind::Signature);
    }
}

#[tokio::test]
async fn claims_that_do_not_fit() {
    use JwtErrorKind::{Audience, Expired, Issuer, Malformed, MissingClaim, NotYetValid};

    let signer = Signer::ed25519();
    let loaded = Loaded::key(signer.file()).await;
    let long = "x".repeat(1_025);
    let cases: &[(&str, Value, JwtErrorKind)] = &[
        ("iss", json!("https://login.example"), Issuer),
        ("iss", json!("https://other.example/"), Issuer),
        ("iss", json!(""), Issuer),
        ("iss", json!([ISSUER]), Issuer),
        ("iss", json!([ISSUER, "https://other.example/"]), Issuer),
        ("iss", json!(7), MissingClaim),
        ("iss", Value::Null, MissingClaim),
        ("aud", json!("other.example"), Audience),
        ("aud", json!("CHAT.EXAMPLE"), Audience),
        ("aud", json!(["other.example", "account"]), Audience),
        ("aud", json!([]), Audience),
        ("aud", json!(""), Audience),
        ("aud", json!([AUDIENCE, 7]), MissingClaim),
        ("aud", json!({AUDIENCE: AUDIENCE}), MissingClaim),
        ("aud", Value::Null, MissingClaim),
        ("exp", json!(now() - 40), Expired),
        ("exp", json!(0), Expired),
        ("exp", json!(now() * 1_000 + 1).to_string().into(), MissingClaim),
        ("exp", json!(-1), MissingClaim),
        ("exp", json!(true), MissingClaim),
        ("exp", Value::Null, MissingClaim),
        ("nbf", json!(now() + 60), NotYetValid),
        ("nbf", json!(u64::MAX), NotYetValid),
        ("nbf", json!("soon"), Malformed),
        ("nbf", json!(-1), Malformed),
        ("sub", json!(""), MissingClaim),
        ("sub", json!(42), MissingClaim),
        ("sub", json!(["ana"]), Malformed),
        ("sub", Value::Null, MissingClaim),
        ("sub", json!(long), Malformed),
    ];
    for (name, value, kind) in cases {
        let error =
            loaded.verify(&signer.sign("EdDSA", None, &claims_with(name, value.clone()))).await.unwrap_err();
        assert_eq!(error.kind(), *kind, "{name} {value}");
        if *kind == MissingClaim {
            assert_eq!(error.to_string(), format!("the token has no {name:?} claim"));
        }
    }
}

#[tokio::test]
async fn a_claim_that_occurs_twice() {
    let signer = Signer::ed25519();
    let loaded = Loaded::key(signer.file()).await;
    for (name, value) in [("sub", json!("admin")), ("iss", json!(ISSUER)), ("exp", json!(now() + 99))] {
        let text = claims().to_string();
        let text = format!("{{\"{name}\":{value},{}", &text[1..]);
        let token = signer.sign_with_header("EdDSA", &json!({"alg": "EdDSA"}), text.as_bytes());
        assert_eq!(loaded.refusal(&token).await, JwtErrorKind::Malformed, "{name}");
    }
}

#[tokio::test]
async fn extensions_that_must_be_understood() {
    let signer = Signer::ed25519();
    let loaded = Loaded::key(signer.file()).await;
    for header in [
        json!({"alg": "EdDSA", "crit": ["exp"], "exp": 1}),
        json!({"alg": "EdDSA", "crit": []}),
        json!({"alg": "EdDSA", "crit": ["b64"], "b64": false}),
        json!({"alg": "EdDSA", "b64": false}),
    ] {
        let token = signer.sign_with_header("EdDSA", &header, claims().to_string().as_bytes());
        assert_eq!(loaded.refusal(&token).await, JwtErrorKind::Malformed, "{header}");
    }
}

#[tokio::test]
async fn texts_that_are_not_a_token() {
    let signer = Signer::ed25519();
    let loaded = Loaded::key(signer.file()).await;
    let token = signer.sign("EdDSA", None, &claims());
    loaded.verify(&token).await.unwrap();
    for text in [
        String::new(),
        "..".to_owned(),
        "a.b.c".to_owned(),
        "token".to_owned(),
        "\u{1F980}.\0.é".to_owned(),
        format!("{token}.{token}"),
        format!("{token}="),
        format!(" {token}"),
        format!("{token}\n"),
        token.replacen('.', "", 1),
        signer.sign_with_header("EdDSA", &json!([]), b"{}"),
        signer.sign_with_header("EdDSA", &json!({}), b"{}"),
        signer.sign_with_header("EdDSA", &json!({"alg": 1}), b"{}"),
        signer.sign_with_header("EdDSA", &json!({"alg": "EdDSA", "kid": 1}), b"{}"),
        signer.sign("EdDSA", None, &json!([])),
        signer.sign_with_header("EdDSA", &json!({"alg": "EdDSA"}), b""),
        signer.sign_with_header("EdDSA", &json!({"alg": "EdDSA"}), b"\xFF\xFE"),
        signer.sign_with_header("EdDSA", &json!({"alg": "EdDSA"}), "[".repeat(8_000).as_bytes()),
    ] {
        assert_eq!(loaded.refusal(&text).await, JwtErrorKind::Malformed, "{text:?}");
    }
    // cut off at every place
    for end in 0..token.len() {
        let kind = loaded.refusal(&token[..end]).await;
        assert!(matches!(kind, JwtErrorKind::Malformed | JwtErrorKind::Signature), "{end}: {kind:?}");
    }
}

#[tokio::test]
async fn a_huge_token() {
    let signer = Signer::ed25519();
    let loaded = Loaded::key(signer.file()).await;
    let of_size =
        |filler: usize| signer.sign("EdDSA", None, &claims_with("groups", json!("x".repeat(filler))));
    let large = of_size(11_900);
    assert!((15_000..=16_384).contains(&large.len()), "{}", large.len());
    loaded.verify(&large).await.unwrap();
    let huge = of_size(12_200);
    assert!((16_385..17_000).contains(&huge.len()), "{}", huge.len());
    assert_eq!(loaded.refusal(&huge).await, JwtErrorKind::Malformed);
    assert_eq!(loaded.refusal(&of_size(10_000_000)).await, JwtErrorKind::Malformed);
}

#[tokio::test]
async fn an_empty_issuer_or_audience_accepts_no_token() {
    let signer = Signer::ed25519();
    let loaded = Loaded::key(signer.file()).await;
    for (issuer, audience, claims, kind) in [
        ("", AUDIENCE, claims_with("iss", json!("")), JwtErrorKind::Issuer),
        (ISSUER, "", claims_with("aud", json!("")), JwtErrorKind::Audience),
    ] {
        let keys = chat_accounts::JwtKeys::key_file(&loaded.path);
        let verifier = JwtVerifier::new(keys, issuer, audience);
        verifier.load().await.unwrap();
        let error = verifier.verify(&signer.sign("EdDSA", None, &claims)).await.unwrap_err();
        assert_eq!(error.kind(), kind);
    }
}
