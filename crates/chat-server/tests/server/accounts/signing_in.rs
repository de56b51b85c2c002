use std::collections::BTreeMap;

use chat_server::{Config, Proxies, TrustedProxies};
use chat_testkit::http::{request, send_json};
use chat_testkit::v2::guest_token;
use serde_json::json;

use super::{PASSWORD, User, credentials, end, post, refused};
use crate::support::{config, start_with_accounts};

#[tokio::test(flavor = "multi_thread")]
async fn a_password_starts_a_session_and_a_wrong_one_does_not() {
    let server = start_with_accounts(config()).await;
    let ana = User::register(server.address, "ana").await;
    let phone = User::log_in(server.address, "ana", PASSWORD).await;
    assert_eq!(phone.id, ana.id);
    assert_ne!(phone.token, ana.token);
    for (name, password) in
        [("ana", "wrong horse"), ("ana", ""), ("nobody", PASSWORD), ("not a name", PASSWORD)]
    {
        let answer = post(server.address, "login", None, &credentials(name, password)).await;
        assert_eq!((answer.status, answer.json()["code"].as_str()), (401, Some("wrong_password")), "{name}");
    }
    let long = post(server.address, "login", None, &credentials("ana", &"x".repeat(3_000))).await;
    assert_eq!(long.status, 401);
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_not_accepted_never_makes_a_guest() {
    let server = start_with_accounts(config()).await;
    let ana = User::register(server.address, "ana").await;
    let wrong = guest_token();
    for token in ["", "x", "null", &wrong, &ana.token[1..]] {
        let hello = json!({"username": "bob", "token": token, "guest_token": guest_token()});
        let (answer, mut session) = refused(server.address, hello).await;
        assert_eq!(answer["code"], "unauthorized", "{token:?}");
        assert!(token.len() < 3 || !answer.to_string().contains(token));
        assert_eq!(end(&mut session).await, (false, 4401));
    }
    // the token of ana is not one for another name
    let (answer, mut session) = refused(server.address, json!({"username": "bob", "token": ana.token})).await;
    assert_eq!(answer["code"], "unauthorized");
    assert_eq!(end(&mut session).await, (false, 4401));
    for header in ["Authorization: Bearer x", "Authorization: Basic eDp5", "X: y"] {
        let answer = request(server.address, "GET", "/api/v1/me", &[header]).await;
        assert_eq!(answer.status, 401, "{header}");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    }
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_ends_the_connections_of_the_device() {
    let server = start_with_accounts(config()).await;
    let desktop = User::register(server.address, "ana").await;
    let phone = User::log_in(server.address, "ana", PASSWORD).await;
    let (mut one, mut two) = (desktop.hello(server.address).await, phone.hello(server.address).await);
    assert_eq!(phone.post(server.address, "logout", &json!({})).await.status, 204);
    assert_eq!(end(&mut two).await, (false, 4401));
    one.join("lobby").await;
    assert_eq!(phone.get(server.address, "me").await.status, 401);
    assert_eq!(desktop.get(server.address, "me").await.status, 200);
    let (answer, _) = refused(server.address, json!({"token": phone.token})).await;
    assert_eq!(answer["code"], "unauthorized");
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_password_ends_all_other_sessions() {
    let server = start_with_accounts(config()).await;
    let desktop = User::register(server.address, "ana").await;
    let phone = User::log_in(server.address, "ana", PASSWORD).await;
    let (mut one, mut two) = (desktop.hello(server.address).await, phone.hello(server.address).await);
    let change = |old: &str, new: &str| json!({"old": old, "new": new});
    for (old, new, status) in [("wrong horse", "battery staple", 401), (PASSWORD, "short", 422)] {
        let answer = desktop.post(server.address, "me/password", &change(old, new)).await;
        assert_eq!(answer.status, status, "{old}");
    }
    let changed = desktop.post(server.address, "me/password", &change(PASSWORD, "battery staple")).await;
    assert_eq!(changed.status, 204);
    assert_eq!(end(&mut two).await, (false, 4401));
    one.join("lobby").await;
    assert_eq!(phone.get(server.address, "me").await.status, 401);
    let old = post(server.address, "login", None, &credentials("ana", PASSWORD)).await;
    assert_eq!(old.status, 401);
    User::log_in(server.address, "ana", "battery staple").await;
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_account_is_not_used() {
    let server = start_with_accounts(config()).await;
    let ana = User::register(server.address, "ana").await;
    let mut session = ana.hello(server.address).await;
    let store = server.control.accounts().unwrap().store().clone();
    let id: chat_protocol::UserId = ana.id.parse().unwrap();
    store.set_disabled(id.clone(), Some(chat_protocol::Timestamp::now())).await.unwrap();
    assert_eq!(server.control.disconnect_user(&id), 1);
    assert_eq!(end(&mut session).await, (false, 4401));
    assert_eq!(ana.get(server.address, "me").await.status, 401);
    let right = post(server.address, "login", None, &credentials("ana", PASSWORD)).await;
    assert_eq!((right.status, right.json()["code"].as_str()), (403, Some("disabled")));
    let wrong = post(server.address, "login", None, &credentials("ana", "wrong horse")).await;
    assert_eq!(wrong.status, 401, "only its owner learns that it is disabled");
    assert_eq!(request(server.address, "GET", "/api/v1/users/ana", &[]).await.status, 404);
    store.set_disabled(id, None).await.unwrap();
    assert_eq!(ana.get(server.address, "me").await.status, 200);
    server.stop().await.unwrap();
}

/// A server behind a proxy on this machine: requests come from the address that it reports.
fn behind_a_proxy() -> Config {
    let trusted: TrustedProxies = "127.0.0.1".parse().unwrap();
    Config { proxies: Proxies { trusted, ..Proxies::default() }, ..config() }
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_a_password_is_slow_and_does_not_lock_its_owner_out() {
    let server = start_with_accounts(behind_a_proxy()).await;
    User::register(server.address, "ana").await;
    let attempt = async |from: &str, password: &str| {
        let header = format!("X-Forwarded-For: {from}");
        let body = credentials("ana", password);
        send_json(server.address, "POST", "/api/v1/login", &[&header], &body).await
    };
    let mut statuses = BTreeMap::<u16, u32>::new();
    for number in 0..15 {
        *statuses.entry(attempt("192.0.2.1", &format!("guess {number}")).await.status).or_default() += 1;
    }
    assert_eq!(statuses, BTreeMap::from([(401, 10), (429, 5)]));
    let refused = attempt("192.0.2.1", PASSWORD).await;
    assert_eq!(refused.status, 429, "also with the right one");
    let after: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=30).contains(&after), "{after}");
    assert_eq!(attempt("192.0.2.2", PASSWORD).await.status, 200, "the owner, from another address");
    // from many addresses the owner gets in, too
    for number in 10..40 {
        assert_eq!(attempt(&format!("198.51.100.{number}"), "a guess").await.status, 401);
    }
    assert_eq!(attempt("192.0.2.2", PASSWORD).await.status, 200);
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_allowed_origins_can_use_the_api_and_others_cannot() {
    let origins = "https://chat.example".parse().unwrap();
    let server = start_with_accounts(Config { origins, ..config() }).await;
    let ask = async |origin: &str| {
        let lines = [
            format!("Origin: {origin}"),
            "Access-Control-Request-Method: POST".to_owned(),
            "Access-Control-Request-Headers: authorization,content-type".to_owned(),
        ];
        let lines: Vec<_> = lines.iter().map(String::as_str).collect();
        request(server.address, "OPTIONS", "/api/v1/login", &lines).await
    };
    let allowed = ask("https://chat.example").await;
    assert_eq!(allowed.header("access-control-allow-origin"), Some("https://chat.example"));
    assert_eq!(allowed.header("access-control-allow-headers"), Some("authorization,content-type"));
    assert_eq!(allowed.header("access-control-allow-credentials"), None, "there are no cookies");
    assert_eq!(ask("https://other.example").await.header("access-control-allow-origin"), None);
    let body = credentials("ana", PASSWORD);
    let answer =
        send_json(server.address, "POST", "/api/v1/accounts", &["Origin: https://chat.example"], &body).await;
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://chat.example"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    server.stop().await.unwrap();
}
