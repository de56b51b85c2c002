//! A user with several sessions.

use chat_server::Config;
use chat_testkit::Client;
use chat_testkit::v2::Session;
use serde_json::{Value, json};

use super::{names, since};
use crate::support::{Running, config, start, start_with};

/// Another session of the same guest.
async fn another(server: &Running, session: &Session) -> Session {
    let username = session.welcome["user"]["username"].as_str().unwrap();
    Session::hello_as(server.address, username, session.guest_token()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_sessions_of_a_guest_are_one_member() {
    let server = start().await;
    let mut watching = Client::enter(server.address, "r", "watching").await;
    let (mut first, _) = Session::enter(server.address, "r", "ana").await;
    let mut second = another(&server, &first).await;
    assert_eq!(second.user(), first.user());
    let joined = second.join("r").await;
    assert_eq!(names(&joined["members"]), ["ana", "watching"]);
    assert_eq!(joined["members"][0]["user"], first.user());

    // both receive the message as their own, and only the sender an ack
    assert_eq!(first.send_message("r", "hi").await, 1);
    for session in [&mut first, &mut second] {
        let message = session.next("message").await;
        assert_eq!((&message["user"], &message["from"]), (&json!(session.user()), &json!("ana")));
    }
    // a leave concerns one session
    assert_eq!(first.ask(json!({"type": "leave", "room": "r"})).await["reason"], "asked");
    assert_eq!(second.send_message("r", "still here").await, 2);
    let refused = first.ask(json!({"type": "send", "room": "r", "body": "x"})).await;
    assert_eq!(refused["code"], "not_in_room");
    drop(second);
    for expected in ["+watching", "+ana", "ana: hi", "ana: still here", "-ana"] {
        assert_eq!(watching.brief().await, expected);
    }
    server.until_rows("r", &["watching"]).await;
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_keeps_its_author_when_the_name_passes_to_another_user() {
    let server = start().await;
    let (mut watching, joined) = Session::enter(server.address, "r", "watching").await;
    let (mut first, _) = Session::enter(server.address, "r", "ana").await;
    let id = json!({"type": "send", "room": "r", "body": "mine", "id": "the-same-id"});
    assert_eq!(first.ask(id).await["seq"], 1);
    let author = first.user().to_owned();
    drop(first);
    let mut second = loop {
        let mut session = Session::hello(server.address, "ana").await;
        let answer = session.ask(json!({"type": "join", "room": "r"})).await;
        if answer["type"] == "joined" {
            break session;
        }
        assert_eq!(answer["code"], "username_taken");
    };
    assert_ne!(second.user(), author);
    // an id is that of a user, not of a name: this is another message
    let id = json!({"type": "send", "room": "r", "body": "not yours", "id": "the-same-id"});
    assert_eq!(second.ask(id).await["seq"], 2);
    let page = watching.ask(json!({"type": "history", "room": "r"})).await;
    let users: Vec<_> = page["messages"].as_array().unwrap().iter().map(|message| &message["user"]).collect();
    assert_eq!(users, [&json!(author), &json!(second.user())]);
    // the entry in the list is that of the second user now
    let members = watching.ask(json!({"type": "members", "room": "r", "prefix": "ana"})).await;
    if members["members"] != json!([]) {
        assert_eq!(members["members"][0]["user"], second.user());
    }
    let answer = Session::hello(server.address, "late").await;
    let mut late = answer;
    let answer = late.ask(json!({"type": "join", "room": "r", "since": since(&joined, 0)})).await;
    assert_eq!(answer["messages"][0]["user"], author);
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_the_limit_the_session_that_was_silent_for_longest_ends() {
    let config = config();
    let limits = chat_protocol::Limits { sessions: 2, ..config.limits };
    let server = start_with(Config { limits, ..config }).await;
    let mut watching = Client::enter(server.address, "r", "watching").await;
    let (mut first, _) = Session::enter(server.address, "r", "ana").await;
    let mut second = another(&server, &first).await;
    second.join("r").await;
    assert_eq!(second.welcome["limits"]["sessions"], 2);
    // now the second one is silent for longer
    first.ask(json!({"type": "ping"})).await;
    let mut third = another(&server, &first).await;
    let (bye, code) = second.closed().await;
    let bye: Value = bye.unwrap();
    assert_eq!((&bye["code"], &bye["reconnect"], code), (&json!(4409), &json!(false), Some(4409)));
    third.join("r").await;
    // the replaced one goes first
    let mut fourth = Session::hello_replacing(server.address, &third).await;
    assert_eq!(third.closed().await.1, Some(4409));
    fourth.join("r").await;
    assert_eq!(first.send_message("r", "still here").await, 1);
    // other users have limits of their own
    Session::enter(server.address, "r", "bob").await;
    for expected in ["+watching", "+ana", "ana: still here", "+bob"] {
        assert_eq!(watching.brief().await, expected);
    }
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn typing_is_not_sent_to_the_sessions_of_the_user_and_is_limited_for_all_of_them() {
    let server = start().await;
    let (mut bob, _) = Session::enter(server.address, "r", "bob").await;
    let (mut first, _) = Session::enter(server.address, "r", "ana").await;
    let mut second = another(&server, &first).await;
    second.join("r").await;
    for session in [&mut first, &mut second] {
        session.send(&json!({"type": "typing", "room": "r"})).await;
    }
    first.send_message("r", "a").await;
    second.send_message("r", "b").await;
    for session in [&mut first, &mut second] {
        let mut seen = 0;
        while seen < 2 {
            let frame = session.frame().await;
            assert_ne!(frame["type"], "typing", "{frame}");
            seen = frame["seq"].as_u64().filter(|_| frame["type"] == "message").unwrap_or(seen);
        }
    }
    let mut typing = 0;
    loop {
        let frame = bob.frame().await;
        typing += usize::from(frame["type"] == "typing");
        if frame["type"] == "message" && frame["seq"] == 2 {
            break;
        }
    }
    assert_eq!(typing, 1);
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_user_of_a_name_makes_the_server_ping_all_sessions_of_the_first() {
    let server = start().await;
    let (mut first, _) = Session::enter(server.address, "r", "ana").await;
    let mut second = another(&server, &first).await;
    second.join("r").await;
    let mut other = Session::hello(server.address, "ana").await;
    assert_eq!(other.ask(json!({"type": "join", "room": "r"})).await["code"], "username_taken");
    // both are alive, and answer
    for session in [&mut first, &mut second] {
        assert_eq!(session.ask(json!({"type": "ping"})).await["type"], "pong");
    }
    assert_eq!(other.ask(json!({"type": "join", "room": "r"})).await["code"], "username_taken");
    server.stop().await.unwrap();
}
