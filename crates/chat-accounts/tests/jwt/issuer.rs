//! Keys of an issuer that is down, slow, or replaces them. Time is paused: it passes only where the
//! test says so.

use std::time::Duration;

use chat_accounts::{JwtErrorKind, JwtKeys, JwtVerifier};
use futures::future::join_all;
use tokio::net::TcpSocket;
use tokio::time::advance;

use crate::support::{Answer, Issuer, Signer, claims, verifier};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const REFRESH: Duration = Duration::from_secs(600);

async fn refusal(verifier: &JwtVerifier, token: &str) -> JwtErrorKind {
    verifier.verify(token).await.unwrap_err().kind()
}

#[tokio::test(start_paused = true)]
async fn an_issuer_that_is_down_at_the_start() {
    let signer = Signer::p256();
    let token = signer.sign("ES256", Some("1"), &claims());
    let issuer = Issuer::start(Answer::Nothing).await;
    let verifier = verifier(issuer.keys());
    verifier.load().await.unwrap();
    let error = verifier.verify(&token).await.unwrap_err();
    assert_eq!(error.kind(), JwtErrorKind::Unavailable);
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(
        cause.starts_with(&format!("can't load the JWKS from http://{}/keys: ", issuer.address)),
        "{cause}"
    );

    // it comes up, and is asked again after 5 s, also for a token without an id
    issuer.answer_keys(&[signer.jwk("1")]);
    assert_eq!((refusal(&verifier, &token).await, issuer.requests()), (JwtErrorKind::Unavailable, 1));
    advance(5 * SECOND).await;
    verifier.verify(&signer.sign("ES256", None, &claims())).await.unwrap();
    verifier.verify(&token).await.unwrap();
    assert_eq!(issuer.requests(), 2);
}

#[tokio::test]
async fn an_issuer_that_refuses_connections() {
    // bound, so that no other test gets the port, but not listening
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://{}/keys", socket.local_addr().unwrap());
    let verifier = verifier(JwtKeys::url(url).unwrap());
    verifier.load().await.unwrap();
    let token = Signer::p256().sign("ES256", Some("1"), &claims());
    assert_eq!(refusal(&verifier, &token).await, JwtErrorKind::Unavailable);
}

#[tokio::test(start_paused = true)]
async fn an_issuer_that_goes_down_after_the_keys_were_loaded() {
    let signer = Signer::p256();
    let token = signer.sign("ES256", Some("1"), &claims());
    let issuer = Issuer::with_keys(&[signer.jwk("1")]).await;
    let verifier = verifier(issuer.keys());
    verifier.load().await.unwrap();
    for answer in [
        Answer::Nothing,
        Answer::Response(
            "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 11\r\n\r\n{\"keys\":[]}".into(),
        ),
        Answer::Response("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}".into()),
        Answer::Response("HTTP/1.1 200 OK\r\ncontent-length: 999\r\n\r\n{\"keys\":[]}".into()),
        Answer::Response("this is not HTTP".into()),
    ] {
        issuer.answer(answer);
        let before = issuer.requests();
        advance(REFRESH).await;
        verifier.verify(&token).await.unwrap();
        verifier.idle().await;
        assert_eq!(issuer.requests(), before + 1);
        // the keys stay, and the issuer is asked again after a minute, not with every token
        verifier.verify(&token).await.unwrap();
        verifier.idle().await;
        assert_eq!(issuer.requests(), before + 1);
        advance(MINUTE).await;
        verifier.verify(&token).await.unwrap();
        verifier.idle().await;
        assert_eq!(issuer.requests(), before + 2);
        verifier.reload().await.unwrap();
        verifier.verify(&token).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_rotated() {
    let (old, new) = (Signer::p256(), Signer::p256());
    let (old_token, new_token) =
        (old.sign("ES256", Some("old"), &claims()), new.sign("ES256", Some("new"), &claims()));
    let issuer = Issuer::with_keys(&[old.jwk("old")]).await;
    let verifier = verifier(issuer.keys());
    verifier.load().await.unwrap();
    verifier.verify(&old_token).await.unwrap();

    // the new key is added: one request, at once
    issuer.answer_keys(&[old.jwk("old"), new.jwk("new")]);
    verifier.verify(&new_token).await.unwrap();
    verifier.verify(&old_token).await.unwrap();
    verifier.verify(&new_token).await.unwrap();
    assert_eq!(issuer.requests(), 2);

    // the old key is removed: accepted until the refresh
    issuer.answer_keys(&[new.jwk("new")]);
    advance(REFRESH - SECOND).await;
    verifier.verify(&old_token).await.unwrap();
    verifier.idle().await;
    assert_eq!(issuer.requests(), 2);
    advance(SECOND).await;
    verifier.verify(&new_token).await.unwrap();
    verifier.idle().await;
    assert_eq!(issuer.requests(), 3);
    assert_eq!(refusal(&verifier, &old_token).await, JwtErrorKind::UnknownKey);
    verifier.verify(&new_token).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_issuer_that_withdraws_all_keys() {
    let signer = Signer::p256();
    let token = signer.sign("ES256", Some("1"), &claims());
    let issuer = Issuer::with_keys(&[signer.jwk("1")]).await;
    let verifier = verifier(issuer.keys());
    verifier.load().await.unwrap();
    verifier.verify(&token).await.unwrap();
    issuer.answer_keys(&[]);
    verifier.reload().await.unwrap();
    assert_eq!(refusal(&verifier, &token).await, JwtErrorKind::UnknownKey);
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_unknown_keys_causes_one_request_a_minute() {
    let (known, other) = (Signer::p256(), Signer::p256());
    let token = known.sign("ES256", Some("known"), &claims());
    let issuer = Issuer::with_keys(&[known.jwk("known")]).await;
    let verifier = verifier(issuer.keys());
    verifier.load().await.unwrap();
    let tokens: Vec<_> =
        (0..200).map(|id| other.sign("ES256", Some(&format!("key {id}")), &claims())).collect();
    let flood = || join_all(tokens.iter().map(|token| refusal(&verifier, token)));
    for requests in 2..5 {
        for kind in flood().await {
            assert_eq!(kind, JwtErrorKind::UnknownKey);
        }
        assert_eq!(issuer.requests(), requests);
        advance(MINUTE - SECOND).await;
        flood().await;
        verifier.verify(&token).await.unwrap();
        assert_eq!(issuer.requests(), requests);
        advance(SECOND).await;
    }

    // tokens without an id, or with a known one, cause none
    advance(MINUTE).await;
    for token in [
        other.sign("ES256", Some("known"), &claims()),
        known.sign_with_header("ES256", &serde_json::json!({"alg": "ES384", "kid": "known"}), b"{}"),
        Signer::p384().sign("ES384", None, &claims()),
    ] {
        verifier.verify(&token).await.unwrap_err();
    }
    assert_eq!(issuer.requests(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_slow_issuer_does_not_block_known_keys() {
    let (known, new) = (Signer::p256(), Signer::p256());
    let (known_token, new_token) =
        (known.sign("ES256", Some("known"), &claims()), new.sign("ES256", Some("new"), &claims()));
    let issuer = Issuer::with_keys(&[known.jwk("known")]).await;
    let verifier = verifier(issuer.keys());
    verifier.load().await.unwrap();

    // a refresh that hangs
    issuer.answer_keys(&[known.jwk("known"), new.jwk("new")]);
    issuer.hold(true);
    advance(REFRESH).await;
    verifier.verify(&known_token).await.unwrap();
    issuer.has_requests(2).await;
    verifier.verify(&known_token).await.unwrap();

    // tokens with a new key wait for it, and need no request of their own
    let waiting: Vec<_> = (0..10)
        .map(|_| {
            let (verifier, token) = (verifier.clone(), new_token.clone());
            tokio::spawn(async move { verifier.verify(&token).await })
        })
        .collect();
    tokio::task::yield_now().await;
    verifier.verify(&known_token).await.unwrap();
    issuer.hold(false);
    for verified in join_all(waiting).await {
        verified.unwrap().unwrap();
    }
    assert_eq!(issuer.requests(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_request_does_not_end_with_the_token_that_caused_it() {
    let (old, new) = (Signer::p256(), Signer::p256());
    let token = new.sign("ES256", Some("new"), &claims());
    let issuer = Issuer::with_keys(&[old.jwk("old")]).await;
    let verifier = verifier(issuer.keys());
    verifier.load().await.unwrap();
    issuer.answer_keys(&[new.jwk("new")]);
    issuer.hold(true);
    let (cloned, given) = (verifier.clone(), token.clone());
    let impatient = tokio::spawn(async move { cloned.verify(&given).await });
    issuer.has_requests(2).await;
    impatient.abort();
    assert!(impatient.await.unwrap_err().is_cancelled());
    issuer.hold(false);
    verifier.verify(&token).await.unwrap();
    assert_eq!(issuer.requests(), 2);
}

#[tokio::test(start_paused = true)]
async fn redirects_are_not_followed() {
    let signer = Signer::p256();
    let target = Issuer::with_keys(&[signer.jwk("1")]).await;
    let token = signer.sign("ES256", Some("1"), &claims());
    for status in ["301 Moved Permanently", "302 Found", "303 See Other", "307 Temporary Redirect"] {
        let response = format!(
            "HTTP/1.1 {status}\r\nlocation: http://{}/keys\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
            target.address
        );
        let issuer = Issuer::start(Answer::Response(response)).await;
        let verifier = verifier(issuer.keys());
        verifier.load().await.unwrap();
        let error = verifier.verify(&token).await.unwrap_err();
        assert_eq!(error.kind(), JwtErrorKind::Unavailable);
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.ends_with(&format!("it answered {status}, and redirects are not followed")), "{cause}");
        assert_eq!((issuer.requests(), target.requests()), (1, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_over_the_limit_keeps_the_old_keys() {
    let (old, new) = (Signer::p256(), Signer::p256());
    let issuer = Issuer::with_keys(&[old.jwk("old")]).await;
    let verifier = verifier(issuer.keys());
    verifier.load().await.unwrap();
    let mut keys = crate::support::jwks(&[new.jwk("new")]);
    keys["more"] = "x".repeat(256 * 1_024).into();
    issuer.answer(Answer::Keys(keys));
    let token = new.sign("ES256", Some("new"), &claims());
    assert_eq!(refusal(&verifier, &token).await, JwtErrorKind::UnknownKey);
    assert_eq!(issuer.requests(), 2);
    verifier.verify(&old.sign("ES256", Some("old"), &claims())).await.unwrap();
}
