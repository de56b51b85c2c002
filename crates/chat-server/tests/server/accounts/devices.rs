use serde_json::json;

use super::{PASSWORD, User, end};
use crate::support::{config, start_with_accounts};

#[tokio::test(flavor = "multi_thread")]
async fn devices_are_listed_and_signed_out() {
    let server = start_with_accounts(config()).await;
    let desktop = User::register(server.address, "ana").await;
    let body = json!({"username": "ana", "password": PASSWORD, "device": "phone"});
    let phone = User::of(&super::post(server.address, "login", None, &body).await);
    let listed = desktop.get(server.address, "me/sessions").await;
    let listed = listed.json()["sessions"].as_array().unwrap().clone();
    assert_eq!(listed.len(), 2);
    let of_phone = listed.iter().find(|session| session["device"] == "phone").unwrap();
    assert_eq!(of_phone["current"], false);
    assert!(listed.iter().any(|session| session["current"] == true));
    let text = serde_json::to_string(&listed).unwrap();
    assert!(!text.contains(&phone.token) && !text.contains(&desktop.token));

    let mut connected = phone.hello(server.address).await;
    let path = format!("me/sessions/{}", of_phone["id"].as_str().unwrap());
    // another user can't do it
    let bob = User::register(server.address, "bob").await;
    assert_eq!(bob.send(server.address, "DELETE", &path, &json!({})).await.status, 404);
    assert_eq!(desktop.send(server.address, "DELETE", &path, &json!({})).await.status, 204);
    assert_eq!(end(&mut connected).await, (false, 4401));
    assert_eq!(phone.get(server.address, "me").await.status, 401);
    assert_eq!(desktop.send(server.address, "DELETE", &path, &json!({})).await.status, 404);
    assert_eq!(desktop.send(server.address, "DELETE", "me/sessions/x", &json!({})).await.status, 404);
    server.stop().await.unwrap();
}

/// Several devices of one account in one room: one member, and messages on all of them.
#[tokio::test(flavor = "multi_thread")]
async fn messages_reach_all_devices_of_their_author() {
    let server = start_with_accounts(config()).await;
    let desktop = User::register(server.address, "ana").await;
    let phone = User::log_in(server.address, "ana", PASSWORD).await;
    let (mut one, mut two) = (desktop.hello(server.address).await, phone.hello(server.address).await);
    one.join("lobby").await;
    let joined = two.join("lobby").await;
    assert_eq!(joined["member_count"], 1);
    one.send_message("lobby", "from the desktop").await;
    let message = two.next("message").await;
    assert_eq!((&message["user"], &message["body"]), (&json!(desktop.id), &json!("from the desktop")));
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_is_changed_and_shown_to_everyone() {
    let server = start_with_accounts(config()).await;
    let ana = User::register(server.address, "ana").await;
    let change = json!({"display_name": "Ana María", "about": "Two\nlines", "time_zone": "Europe/Vienna"});
    let changed = ana.send(server.address, "PATCH", "me", &change).await;
    assert_eq!(changed.status, 200, "{:?}", changed.json());
    let removed = ana.send(server.address, "PATCH", "me", &json!({"about": null, "time_zone": ""})).await;
    assert_eq!(removed.json()["about"], json!(null));
    let shown = chat_testkit::http::request(server.address, "GET", "/api/v1/users/ana", &[]).await;
    let shown = shown.json();
    assert_eq!((&shown["display_name"], &shown["about"]), (&json!("Ana María"), &json!(null)));
    assert_eq!((&shown["id"], &shown["time_zone"]), (&json!(ana.id), &json!(null)));
    for wrong in [
        json!({"display_name": "x".repeat(51)}),
        json!({"about": "x".repeat(501)}),
        json!({"time_zone": "not a zone"}),
        json!({"display_name": "two\nlines"}),
    ] {
        let answer = ana.send(server.address, "PATCH", "me", &wrong).await;
        assert_eq!(answer.status, 422, "{wrong}");
    }
    let unknown = chat_testkit::http::request(server.address, "GET", "/api/v1/users/bob", &[]).await;
    assert_eq!(unknown.status, 404);
    server.stop().await.unwrap();
}
