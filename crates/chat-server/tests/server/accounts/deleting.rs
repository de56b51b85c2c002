use chat_testkit::http::request;
use chat_testkit::v2::Session;
use serde_json::json;

use super::{PASSWORD, User, credentials, end, post, refused};
use crate::support::{config, start_with_accounts};

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_account_is_gone_and_its_name_is_kept() {
    let server = start_with_accounts(config()).await;
    let ana = User::register(server.address, "ana").await;
    let mut session = ana.hello(server.address).await;
    session.join("lobby").await;
    session.send_message("lobby", "stays").await;
    let (mut bob, _) = Session::enter(server.address, "lobby", "bob").await;
    for body in [json!({}), json!({"password": "wrong horse"})] {
        assert_eq!(ana.send(server.address, "DELETE", "me", &body).await.status, 401, "{body}");
    }
    let deleted = ana.send(server.address, "DELETE", "me", &json!({"password": PASSWORD})).await;
    assert_eq!(deleted.status, 204);
    assert_eq!(end(&mut session).await, (false, 4401));
    assert_eq!(ana.get(server.address, "me").await.status, 401);
    assert_eq!(request(server.address, "GET", "/api/v1/users/ana", &[]).await.status, 404);
    let again = post(server.address, "accounts", None, &credentials("ana", PASSWORD)).await;
    assert_eq!((again.status, again.json()["code"].as_str()), (409, Some("name_reserved")));
    assert_eq!(refused(server.address, json!({"username": "Ana"})).await.0["code"], "name_reserved");
    let page = bob.ask(json!({"type": "history", "room": "lobby"})).await;
    assert_eq!(page["messages"][0]["body"], "stays");
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_messages_of_a_deleted_account_are_erased_if_asked_for() {
    let server = start_with_accounts(config()).await;
    let secret = chat_testkit::v2::guest_token();
    let mut guest = Session::hello_as(server.address, "ana", &secret).await;
    guest.join("lobby").await;
    guest.send_message("lobby", "as a guest").await;
    let mut body = credentials("ana", PASSWORD);
    body["guest_token"] = secret.into();
    let ana = User::of(&post(server.address, "accounts", None, &body).await);
    let mut session = ana.hello(server.address).await;
    session.join("lobby").await;
    session.send_message("lobby", "as a user").await;
    let (mut bob, _) = Session::enter(server.address, "lobby", "bob").await;
    bob.send_message("lobby", "bob's").await;
    let body = json!({"password": PASSWORD, "erase_messages": true});
    assert_eq!(ana.send(server.address, "DELETE", "me", &body).await.status, 204);
    let mut targets = Vec::new();
    while targets.len() < 2 {
        let deleted = bob.next("deleted").await;
        assert_eq!(deleted["by"], "author");
        targets.extend(deleted["targets"].as_array().unwrap().iter().map(|seq| seq.as_u64().unwrap()));
    }
    targets.sort_unstable();
    assert_eq!(targets, [1, 2]);
    let page = bob.ask(json!({"type": "history", "room": "lobby"})).await;
    let kept: Vec<_> =
        page["messages"].as_array().unwrap().iter().filter_map(|m| m["body"].as_str()).collect();
    assert_eq!(kept, ["bob's"]);
    server.stop().await.unwrap();
}
