//! The user as whom a client acts.

use chat_client::{Client, GuestToken, Options, UserKind};
use serde_json::{Value, json};

use crate::server::{Peer, SENT_AT, Server, lobby, within_timeout};

/// A client that discards its events, the server's end of it, and its `hello`.
async fn connect(server: &Server, options: Options) -> (Client, Peer, Value) {
    let (connected, (peer, hello)) = tokio::join!(Client::connect(options), server.welcome());
    (connected.unwrap().0, peer, hello)
}

#[tokio::test]
async fn a_client_is_the_same_guest_on_each_connection() {
    let server = Server::start().await;
    let (connected, (peer, first)) = tokio::join!(Client::connect(server.options()), server.welcome());
    let (client, _events) = connected.unwrap();
    assert_eq!(first["replaces"], Value::Null);
    let text = client.guest_token().unwrap().to_text();
    assert_eq!((&first["guest_token"], text.len()), (&json!(text), 43));
    peer.reset();
    let (peer, second) = within_timeout("the second session", server.welcome()).await;
    assert_eq!((&second["guest_token"], &second["replaces"]), (&json!(text), &json!("session-1")));
    peer.reset();
    let (_peer, third) = within_timeout("the third session", server.welcome()).await;
    assert_eq!((&third["guest_token"], &third["replaces"]), (&json!(text), &json!("session-2")));
}

#[tokio::test]
async fn each_client_makes_a_token_of_its_own() {
    let server = Server::start().await;
    let options = server.options();
    let (first, _first_peer, _) = connect(&server, options.clone()).await;
    let (second, _second_peer, hello) = connect(&server, options).await;
    assert_ne!(first.guest_token(), second.guest_token());
    assert_eq!(hello["guest_token"], second.guest_token().unwrap().to_text());
}

#[tokio::test]
async fn a_stored_guest_token_is_used_again() {
    let server = Server::start().await;
    let token = GuestToken::from_random([7; 32]);
    let (client, _peer, hello) = connect(&server, server.options().guest_token(token.clone())).await;
    assert_eq!(hello["guest_token"], token.to_text());
    assert_eq!(client.guest_token(), Some(&token));
    assert_eq!((client.user().id.as_str(), client.user().kind), ("g_ana", UserKind::Guest));
}

#[tokio::test]
async fn a_client_with_an_account_is_no_guest() {
    let server = Server::start().await;
    let options = server.options().guest_token(GuestToken::from_random([7; 32])).token("let me in");
    let (client, _peer, hello) = connect(&server, options).await;
    assert_eq!((&hello["token"], &hello["guest_token"]), (&json!("let me in"), &Value::Null));
    assert_eq!(client.guest_token(), None);
}

#[tokio::test]
async fn debug_omits_the_guest_token() {
    let server = Server::start().await;
    let (client, _peer, hello) = connect(&server, server.options()).await;
    let debug = format!("{client:?}");
    assert!(debug.contains("Client") && !debug.contains(hello["guest_token"].as_str().unwrap()), "{debug}");
}

#[tokio::test]
async fn a_recovered_message_of_the_user_is_not_sent_again() {
    let server = Server::start().await;
    let (client, mut received, mut peer) = server.client_in_lobby(server.options()).await;
    let (first, second) = (client.send(&lobby(), "one"), client.send(&lobby(), "two"));
    let (one, two) = (peer.receive("send").await, peer.receive("send").await);
    // the acks are lost, and another user of the same name had the id of the second
    peer.reset();
    let (mut peer, join) = server.reconnects().await;
    let message = |seq: u64, sent: &Value, user: &str| json!({"seq": seq, "id": sent["id"], "from": "ana", "user": user, "body": "changed", "sent_at": SENT_AT});
    let messages = json!([message(6, &one, "g_ana"), message(7, &two, "g_another")]);
    peer.joined_with(&join, "e", 7, messages, Some(json!([]))).await;
    assert_eq!(first.await.unwrap().seq, 6);
    let again = peer.receive("send").await;
    assert_eq!(again["id"], two["id"]);
    peer.store(&again, 8).await;
    assert_eq!(second.await.unwrap().seq, 8);
    received.connected().await;
    let events = ["rejoined 7", "6: changed", "7: changed", "recovered 2", "8: two"];
    assert_eq!(received.next_events(5).await, events);
}
