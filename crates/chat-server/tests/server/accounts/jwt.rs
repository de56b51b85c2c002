//! Users of an identity provider.

use std::io::Write;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use chat_accounts::{JwtKeys, JwtVerifier};
use chat_protocol::Timestamp;
use chat_testkit::jwt;
use chat_testkit::v2::Session;
use serde_json::{Value, json};

use super::{User, end, refused};
use crate::support::{Running, config, start_with_jwt};

const SECRET: &[u8] = b"a secret of the identity provider";

/// A server that accepts tokens that are signed with the secret.
async fn start() -> Running {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(SECRET).unwrap();
    let verifier = JwtVerifier::new(JwtKeys::key_file(file.path()), "https://id.example", "chat");
    verifier.load().await.unwrap();
    start_with_jwt(config(), Some(verifier)).await
}

/// A token with these claims, and those that all have.
fn token(claims: Value) -> String {
    signed(&json!({"alg": "HS256", "typ": "JWT"}), claims)
}

fn signed(header: &Value, mut claims: Value) -> String {
    let in_an_hour = Timestamp::now().as_millis() / 1_000 + 3_600;
    for (name, value) in
        [("iss", json!("https://id.example")), ("aud", json!("chat")), ("exp", json!(in_an_hour))]
    {
        if claims.get(name).is_none() {
            claims[name] = value;
        }
    }
    jwt::signed(SECRET, header, &claims)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_token_of_a_user_makes_an_account() {
    let server = start().await;
    let mut guest = Session::hello(server.address, "Ana").await;
    let ana = token(json!({"sub": "1", "preferred_username": "ana"}));
    let mut session = Session::hello_with(server.address, json!({"token": ana})).await;
    let user = session.welcome["user"].clone();
    assert_eq!(
        (&user["username"], &user["kind"], &user["role"]),
        (&json!("ana"), &json!("account"), &json!("user"))
    );
    assert!(session.welcome["expires_at"].is_string());
    assert_eq!(end(&mut guest).await, (true, 4401), "a guest who had a name that looks like it");
    session.join("lobby").await;

    // the same user, whatever the provider calls it now
    let renamed = token(json!({"sub": "1", "preferred_username": "anna"}));
    let again = Session::hello_with(server.address, json!({"token": renamed})).await;
    assert_eq!(again.welcome["user"], user);
    // the client chooses the name, the first time
    let bob = token(json!({"sub": "2", "preferred_username": "robert"}));
    let chosen = Session::hello_with(server.address, json!({"token": bob, "username": "bob"})).await;
    assert_eq!(chosen.welcome["user"]["username"], "bob");
    let (answer, mut session) = refused(server.address, json!({"token": bob, "username": "robert"})).await;
    assert_eq!(answer["code"], "unauthorized", "later it is the name of the account");
    assert_eq!(end(&mut session).await, (false, 4401));
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subject_cannot_take_the_name_of_an_account() {
    let server = start().await;
    let root = User::register(server.address, "root").await;
    for (number, name) in ["root", "Root", "rооt"].into_iter().enumerate() {
        let token = token(json!({"sub": number.to_string(), "preferred_username": name}));
        let (answer, mut session) = refused(server.address, json!({"token": token})).await;
        assert_eq!(answer["code"], "name_reserved", "{name}");
        // another hello with the same token may choose another name
        session.send(&json!({"type": "hello", "token": token, "username": "Root"})).await;
        assert_eq!(session.frame().await["code"], "name_reserved");
        let other = format!("other{number}");
        session.send(&json!({"type": "hello", "token": token, "username": other})).await;
        let user = &session.frame().await["user"];
        assert_eq!(user["username"], other);
        assert_ne!(user["id"], root.id);
    }
    for claims in [
        json!({"sub": "x"}),
        json!({"sub": "x", "preferred_username": "not a name"}),
        json!({"sub": "x", "preferred_username": 5}),
    ] {
        let (answer, _) = refused(server.address, json!({"token": token(claims.clone())})).await;
        assert_eq!(answer["code"], "invalid_username", "{claims}");
    }
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_not_valid_makes_neither_an_account_nor_a_guest() {
    let server = start().await;
    let now = Timestamp::now().as_millis() / 1_000;
    let none = {
        let valid = token(json!({"sub": "1", "preferred_username": "ana"}));
        let payload = valid.split('.').nth(1).unwrap().to_owned();
        format!("{}.{payload}.{}", BASE64.encode(r#"{"alg":"none"}"#), BASE64.encode("x"))
    };
    let claims = |extra: Value| {
        let mut claims = json!({"sub": "1", "preferred_username": "ana"});
        extra.as_object().unwrap().iter().for_each(|(name, value)| claims[name] = value.clone());
        claims
    };
    let rs256 = signed(&json!({"alg": "RS256"}), claims(json!({})));
    for wrong in [
        none,
        rs256,
        token(claims(json!({"iss": "https://other.example"}))),
        token(claims(json!({"aud": "other"}))),
        token(claims(json!({"exp": now - 3_600}))),
        token(claims(json!({"nbf": now + 3_600}))),
        token(json!({"preferred_username": "ana"})),
        format!("{}x", token(claims(json!({})))),
    ] {
        let (answer, mut session) = refused(server.address, json!({"token": wrong, "username": "ana"})).await;
        assert_eq!(answer["code"], "unauthorized", "{wrong}");
        assert!(!answer.to_string().contains(&wrong));
        assert_eq!(end(&mut session).await, (false, 4401));
    }
    // the name is still free
    Session::hello(server.address, "ana").await;
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_with_its_token_unless_it_is_renewed() {
    let server = start().await;
    let soon = Timestamp::now().as_millis() / 1_000 + 2;
    let short =
        |sub: &str| token(json!({"sub": sub, "preferred_username": format!("user{sub}"), "exp": soon}));
    let mut ends = Session::hello_with(server.address, json!({"token": short("1")})).await;
    let mut goes_on = Session::hello_with(server.address, json!({"token": short("2")})).await;
    let renewed = goes_on.ask(json!({"type": "renew", "token": token(json!({"sub": "2"}))})).await;
    assert_eq!(renewed["type"], "renewed", "{renewed}");
    let other = goes_on.ask(json!({"type": "renew", "token": token(json!({"sub": "1"}))})).await;
    assert_eq!(other["code"], "forbidden");
    let ending = async { while ends.frame().await["code"] != "expired" {} };
    tokio::time::timeout(std::time::Duration::from_secs(60), ending).await.unwrap();
    assert_eq!(end(&mut ends).await, (true, 4401));
    goes_on.join("lobby").await;
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_accepts_the_token_but_for_what_needs_a_password() {
    let server = start().await;
    let secret = token(json!({"sub": "1", "preferred_username": "ana"}));
    let user = User { token: secret, id: String::new() };
    assert_eq!(user.get(server.address, "me").await.status, 401, "there is no account yet");
    let session = user.hello(server.address).await;
    assert_eq!(user.get(server.address, "me").await.json()["id"], session.welcome["user"]["id"]);
    for (method, path) in [("GET", "me/sessions"), ("POST", "me/tokens"), ("POST", "logout")] {
        assert_eq!(user.send(server.address, method, path, &json!({})).await.status, 403, "{path}");
    }
    server.stop().await.unwrap();
}
