//! The handshake, `hello` and invalid frames.

use chat_server::{Config, Timings};
use chat_testkit::v2::{PROTOCOL, Session, open};
use chat_testkit::{Client, Seen, handshake_with};
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::Duration;

use crate::support::{config, start, start_with, timings};

#[tokio::test(flavor = "multi_thread")]
async fn the_handshake_must_offer_the_subprotocol() {
    let server = start().await;
    for (lines, status) in [
        ("", 400),
        ("Sec-WebSocket-Protocol: chat.v1\r\n", 400),
        (PROTOCOL, 101),
        ("Sec-WebSocket-Protocol: x, chat.v2\r\n", 101),
        ("Sec-WebSocket-Protocol: x\r\nSec-WebSocket-Protocol: chat.v2 \r\n", 101),
    ] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(handshake_with("/ws", lines).as_bytes()).await.unwrap();
        let got = match Client::shake_hands(stream).await {
            Ok(_) => 101,
            Err(answer) => answer.status,
        };
        assert_eq!(got, status, "{lines:?}");
    }
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn hello_is_answered_with_the_name_and_the_limits() {
    let server = start().await;
    let mut ana =
        Session::hello_with(server.address, json!({"username": "jose\u{301}", "ref": "1", "x": [1]})).await;
    let welcome = ana.welcome.clone();
    let user = json!({"id": ana.user(), "username": "josé", "kind": "guest", "role": "user"});
    assert_eq!((&welcome["user"], &welcome["ref"]), (&user, &json!("1")));
    assert!(ana.user().starts_with("g_"));
    assert!(welcome.get("guest_token").is_none(), "the client had one");
    assert!(welcome["server"].as_str().unwrap().starts_with("chatd/"));
    let limits = json!({
        "message_bytes": 131_072, "messages_per_second": 100, "burst": 5_000, "rooms": 100, "sessions": 20,
        "edit_window_s": 0
    });
    assert_eq!(welcome["limits"], limits);
    assert_eq!(welcome["heartbeat_ms"], 25_000);
    assert_eq!(ana.ask(json!({"type": "ping"})).await, json!({"type": "pong", "ref": "asked"}));
    let second = ana.ask(json!({"type": "hello", "username": "bob"})).await;
    assert_eq!(second["code"], "forbidden");
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_makes_a_token_for_a_guest_without_one() {
    let server = start().await;
    let ana = Session::hello_with(server.address, json!({"username": "ana", "guest_token": null})).await;
    assert_eq!(ana.guest_token().len(), 43);
    let again = Session::hello_as(server.address, "ana", ana.guest_token()).await;
    assert_eq!(again.user(), ana.user(), "the same guest");
    let bob = Session::hello_as(server.address, "bob", ana.guest_token()).await;
    assert_ne!(bob.user(), ana.user(), "another name is another guest");
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_an_account_is_not_accepted_and_makes_nobody_a_guest() {
    let server = start().await;
    let mut client = open(server.address).await.unwrap();
    client.send(r#"{"type": "hello", "username": "ana", "token": "secret", "ref": "a"}"#).await;
    let error = client.event().await;
    assert_eq!((&error["code"], &error["ref"]), (&json!("unauthorized"), &json!("a")));
    let bye = client.event().await;
    assert_eq!((&bye["code"], &bye["reconnect"]), (&json!(4401), &json!(false)));
    assert!(!error.to_string().contains("secret"));
    assert_eq!(client.see().await, Seen::Close(Some(4401)));
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_before_hello_are_rejected_and_a_wrong_hello_may_be_repeated() {
    let server = start().await;
    let mut client = open(server.address).await.unwrap();
    client.send(r#"{"type": "join", "room": "r", "ref": "a"}"#).await;
    let error = client.event().await;
    assert_eq!((&error["code"], &error["ref"]), (&json!("hello_first"), &json!("a")));
    client.send(r#"{"type": "no such type"}"#).await;
    assert_eq!(client.event().await["code"], "hello_first");
    client.send(r#"{"type": "hello", "username": "not a name"}"#).await;
    assert_eq!(client.event().await["code"], "invalid_username");
    for guest_token in ["\"short\"".to_owned(), format!("\"{}=\"", "A".repeat(43)), "7".to_owned()] {
        let hello = format!(r#"{{"type": "hello", "username": "ana", "guest_token": {guest_token}}}"#);
        client.send(&hello).await;
        let error = client.event().await;
        assert_eq!(error["code"], "missing_field", "{guest_token}");
        assert!(!error["message"].as_str().unwrap().contains("AAA"), "the text does not quote it");
    }
    client.send(r#"{"type": "hello", "ref": "b"}"#).await;
    let error = client.event().await;
    assert_eq!((&error["code"], &error["ref"]), (&json!("missing_field"), &json!("b")));
    client.send(r#"{"type": "hello", "username": "ana"}"#).await;
    assert_eq!(client.event().await["type"], "welcome");
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_without_hello_in_time_is_closed() {
    let timings = Timings { hello: Duration::from_millis(100), ..timings() };
    let server = start_with(Config { timings, ..config() }).await;
    let mut client = open(server.address).await.unwrap();
    assert_eq!(client.event().await["code"], 4408);
    assert_eq!(client.closed().await, Some(4408));
    let mut ana = Session::hello(server.address, "ana").await;
    // a session that begins later and is closed: the deadline of the first one has passed by then
    let mut later = open(server.address).await.unwrap();
    assert_eq!(later.event().await["code"], 4408);
    assert_eq!(ana.ask(json!({"type": "ping"})).await["type"], "pong", "a session after hello stays open");
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_frames_are_answered_to_the_sender_and_too_many_close_the_session() {
    let server = start().await;
    let (mut ana, _) = Session::enter(server.address, "r", "ana").await;
    let (mut bob, _) = Session::enter(server.address, "r", "bob").await;
    let deep =
        format!(r#"{{"type":"send","room":"r","body":{}1{}}}"#, "[".repeat(10_000), "]".repeat(10_000));
    let invalid = [
        ("hello", "bad_json"),
        ("[]", "bad_json"),
        ("{\"type\":\"ping\",", "bad_json"),
        (&deep, "missing_field"),
        (r#"{"type":"shout"}"#, "unknown_type"),
        (r#"{"ref":"x"}"#, "missing_field"),
        (r#"{"type":"send","room":"r"}"#, "missing_field"),
        (r#"{"type":"send","room":7,"body":""}"#, "missing_field"),
        (r#"{"type":"join","room":"a b"}"#, "invalid_room"),
        (r#"{"type":"send","room":"elsewhere","body":""}"#, "not_in_room"),
        (r#"{"type":"leave","room":"elsewhere"}"#, "not_in_room"),
        (r#"{"type":"history","room":"elsewhere"}"#, "not_in_room"),
        (r#"{"type":"members","room":"elsewhere"}"#, "not_in_room"),
        (r#"{"type":"typing","room":"elsewhere"}"#, "not_in_room"),
        (r#"{"type":"join","room":"r"}"#, "already_in_room"),
    ];
    for (frame, code) in invalid {
        ana.client.send(frame).await;
        let error = ana.next_error().await;
        assert_eq!(error["code"], code, "{}", &frame[..frame.len().min(60)]);
    }
    assert_eq!(ana.send_message("r", "still here").await, 1);
    assert_eq!(bob.next("message").await["body"], "still here");

    for _ in 0..20 {
        ana.client.send("nonsense").await;
    }
    let (bye, code) = ana.closed().await;
    assert_eq!((bye.unwrap()["reconnect"].as_bool(), code), (Some(false), Some(4400)));
    let presence = bob.next("presence").await;
    assert_eq!(presence["left"], json!(["ana"]));
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rooms_of_a_session_are_limited() {
    let config = config();
    let limits = chat_protocol::Limits { rooms: 2, ..config.limits };
    let server = start_with(Config { limits, ..config }).await;
    let mut ana = Session::hello(server.address, "ana").await;
    ana.join("a").await;
    ana.join("b").await;
    let join = json!({"type": "join", "room": "c"});
    assert_eq!(ana.ask(join.clone()).await["code"], "too_many_rooms");
    assert_eq!(ana.ask(json!({"type": "leave", "room": "a"})).await["reason"], "asked");
    assert_eq!(ana.ask(join).await["type"], "joined");
    server.stop().await.unwrap();
}
