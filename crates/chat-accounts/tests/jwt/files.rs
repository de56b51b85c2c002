//! Keys in files that are missing, bad or replaced.

use chat_accounts::{JwtErrorKind, JwtKeyErrorKind, JwtKeys};

use crate::support::{Loaded, Signer, claims, jwks, verifier};

#[tokio::test]
async fn a_file_that_cannot_be_used() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    for keys in [
        JwtKeys::jwks_file(&missing),
        JwtKeys::key_file(&missing),
        JwtKeys::jwks_file(folder.path()),
        JwtKeys::key_file(folder.path()),
    ] {
        let verifier = verifier(keys);
        let error = verifier.load().await.unwrap_err();
        assert_eq!(error.kind(), JwtKeyErrorKind::Unreadable);
        assert!(std::error::Error::source(&error).is_some());
        let token = Signer::ed25519().sign("EdDSA", Some("1"), &claims());
        let error = verifier.verify(&token).await.unwrap_err();
        assert_eq!(error.kind(), JwtErrorKind::Unavailable);
        assert!(
            std::error::Error::source(&error).unwrap().to_string().contains("can't be read"),
            "{error:?}"
        );
    }

    let path = folder.path().join("keys");
    let symmetric = jwks(&[Signer::hmac([7; 32]).jwk("1")]).to_string();
    let large = format!("{{\"keys\": [{}]}}", " ".repeat(256 * 1_024));
    for content in ["", "{}", "no JSON", &symmetric, &large] {
        std::fs::write(&path, content).unwrap();
        for keys in [JwtKeys::jwks_file(&path), JwtKeys::key_file(&path)] {
            let error = verifier(keys).load().await.unwrap_err();
            assert_eq!(error.kind(), JwtKeyErrorKind::Invalid, "{content:.20}");
            assert!(error.to_string().contains(&format!("{path:?}")), "{error}");
        }
    }
}

#[tokio::test]
async fn a_key_that_is_replaced() {
    let (old, new) = (Signer::ed25519(), Signer::p256());
    let loaded = Loaded::key(old.file()).await;
    let (old_token, new_token) = (old.sign("EdDSA", None, &claims()), new.sign("ES256", None, &claims()));
    loaded.verify(&old_token).await.unwrap();
    std::fs::write(&loaded.path, new.file()).unwrap();
    // only when it is asked to
    loaded.verify(&old_token).await.unwrap();
    assert_eq!(loaded.refusal(&new_token).await, JwtErrorKind::Algorithm);
    loaded.verifier.reload().await.unwrap();
    loaded.verify(&new_token).await.unwrap();
    assert_eq!(loaded.refusal(&old_token).await, JwtErrorKind::Algorithm);
}

#[tokio::test]
async fn a_jwks_that_is_replaced() {
    let (old, new) = (Signer::p256(), Signer::p256());
    let loaded = Loaded::jwks(&[old.jwk("old")]).await;
    // clones share the keys
    let clone = loaded.verifier.clone();
    let token = new.sign("ES256", Some("new"), &claims());
    assert_eq!(loaded.refusal(&token).await, JwtErrorKind::UnknownKey);
    std::fs::write(&loaded.path, jwks(&[new.jwk("new")]).to_string()).unwrap();
    assert_eq!(loaded.refusal(&token).await, JwtErrorKind::UnknownKey);
    clone.reload().await.unwrap();
    loaded.verify(&token).await.unwrap();
    assert_eq!(loaded.refusal(&old.sign("ES256", Some("old"), &claims())).await, JwtErrorKind::UnknownKey);
}

#[tokio::test]
async fn a_bad_file_keeps_the_old_keys() {
    let signer = Signer::p256();
    let loaded = Loaded::jwks(&[signer.jwk("1")]).await;
    let token = signer.sign("ES256", Some("1"), &claims());
    for (content, kind) in [
        (Some(""), JwtKeyErrorKind::Invalid),
        (Some(r#"{"keys": []}"#), JwtKeyErrorKind::Invalid),
        (None, JwtKeyErrorKind::Unreadable),
    ] {
        match content {
            Some(content) => std::fs::write(&loaded.path, content).unwrap(),
            None => std::fs::remove_file(&loaded.path).unwrap(),
        }
        assert_eq!(loaded.verifier.reload().await.unwrap_err().kind(), kind);
        loaded.verify(&token).await.unwrap();
    }
}
