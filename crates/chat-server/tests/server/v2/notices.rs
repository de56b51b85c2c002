//! Notices of the admin.

use chat_protocol::v2::NoticeLevel;
use chat_testkit::Client;
use chat_testkit::v2::Session;
use serde_json::{Value, json};

use crate::support::start;

/// All notices before the reply to a ping.
async fn notices(session: &mut Session) -> Vec<Value> {
    session.send(&json!({ "type": "ping" })).await;
    let mut notices = Vec::new();
    loop {
        let frame = session.frame().await;
        match frame["type"].as_str() {
            Some("notice") => notices.push(frame),
            Some("pong") => return notices,
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_to_everyone_reaches_each_connection_once() {
    let server = start().await;
    let mut in_rooms = Session::hello(server.address, "ana").await;
    let mut rendered =
        Session::hello_with(server.address, json!({ "username": "bob", "render": true })).await;
    let mut roomless = Session::hello(server.address, "cid").await;
    for room in ["one", "two", "three"] {
        in_rooms.join(room).await;
        rendered.join(room).await;
    }
    let mut classic = Client::enter(server.address, "one", "dan").await;
    assert_eq!(classic.brief().await, "+dan");

    assert_eq!(server.control.notice_all(NoticeLevel::Warning, "back at ten"), 3);
    let expected = json!({ "type": "notice", "level": "warning", "body": "back at ten" });
    for session in [&mut in_rooms, &mut rendered, &mut roomless] {
        assert_eq!(notices(session).await, std::slice::from_ref(&expected));
    }
    // a classic connection is in one room, and receives the notice in the order of its events
    let event = classic.event().await;
    assert_eq!((&event["type"], &event["message"]), (&json!("chat_notice"), &json!("back at ten")));
    assert_eq!(event["users"].as_array().unwrap().len(), 3);
    classic.send_message("thanks").await;
    assert_eq!(classic.brief().await, "dan: thanks");
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_to_a_room_names_it_and_reaches_only_its_members() {
    let server = start().await;
    let (mut ana, _) = Session::enter(server.address, "one", "ana").await;
    ana.join("two").await;
    let (mut bob, _) = Session::enter(server.address, "two", "bob").await;
    assert!(server.engine.notice(&"one".parse().unwrap(), NoticeLevel::Info, "only here"));
    let frame = ana.next("notice").await;
    assert_eq!(frame, json!({ "type": "notice", "room": "one", "level": "info", "body": "only here" }));
    assert_eq!(notices(&mut bob).await, [] as [Value; 0]);
    server.stop().await.unwrap();
}
