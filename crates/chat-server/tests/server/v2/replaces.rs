//! A session replaces an earlier one of the same user.

use chat_server::{Config, Timings};
use chat_testkit::v2::Session;
use chat_testkit::{Client, until};
use serde_json::json;
use tokio::time::Duration;

use super::{bodies, since};
use crate::support::{config, start, start_with, timings};

#[tokio::test(flavor = "multi_thread")]
async fn the_room_sees_no_leave_or_join_and_nothing_is_missed() {
    let server = start().await;
    let mut watching = Client::enter(server.address, "r", "watching").await;
    let (mut ana, joined) = Session::enter(server.address, "r", "ana").await;
    ana.send_message("r", "one").await;
    for expected in ["+watching", "+ana", "ana: one"] {
        assert_eq!(watching.brief().await, expected);
    }
    // the connection is considered broken, but the server has not noticed
    watching.send_message("two").await;
    assert_eq!(watching.brief().await, "watching: two");
    let mut successor = Session::hello_replacing(server.address, &ana).await;
    assert_ne!(successor.id(), ana.id());
    assert_eq!(successor.user(), ana.user());
    let (bye, code) = ana.closed().await;
    let bye = bye.unwrap();
    assert_eq!((&bye["code"], &bye["reconnect"], code), (&json!(4409), &json!(false), Some(4409)));
    watching.send_message("three").await;
    assert_eq!(watching.brief().await, "watching: three", "no event about ana in between");
    let answer = successor.ask(json!({"type": "join", "room": "r", "since": since(&joined, 1)})).await;
    assert_eq!(
        (answer["recovered"].as_bool(), bodies(&answer["messages"])),
        (Some(true), vec!["two", "three"])
    );
    assert_eq!(successor.send_message("r", "four").await, 4);
    assert_eq!(watching.brief().await, "ana: four");
    drop(successor);
    assert_eq!(watching.brief().await, "-ana");
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn rooms_that_are_not_joined_again_are_left_after_a_timeout() {
    let timings = Timings { replace: Duration::from_millis(200), ..timings() };
    let server = start_with(Config { timings, ..config() }).await;
    let mut ana = Session::hello(server.address, "ana").await;
    ana.join("a").await;
    ana.join("b").await;
    let mut successor = Session::hello_replacing(server.address, &ana).await;
    successor.join("a").await;
    server.until_rows("b", &[]).await;
    let is_member =
        async || server.engine.is_present(&"b".parse().unwrap(), &"ana".parse().unwrap()).await.unwrap();
    until("ana has left b", async || !is_member().await).await;
    server.until_rows("a", &["ana"]).await;
    assert_eq!(successor.send_message("a", "here").await, 1);
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_session_of_another_user_and_an_unknown_one_are_not_replaced() {
    let server = start().await;
    let (mut ana, _) = Session::enter(server.address, "r", "ana").await;
    let id = ana.id().to_owned();
    // others see the id nowhere, but it may be guessed or leak
    for (name, replaces) in
        [("bob", id.as_str()), ("ana", &id), ("ana", "s0123"), ("ana", "no id"), ("ana", "")]
    {
        let mut other =
            Session::hello_with(server.address, json!({"username": name, "replaces": replaces})).await;
        if name == "ana" {
            assert_eq!(other.ask(json!({"type": "join", "room": "r"})).await["code"], "username_taken");
        }
    }
    assert_eq!(ana.send_message("r", "still here").await, 1);
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_sessions_that_replace_one_at_once_all_are_in_the_room() {
    let server = start().await;
    for round in 0..10 {
        let mut watching = Client::enter(server.address, "r", "watching").await;
        let (mut ana, _) = Session::enter(server.address, "r", "ana").await;
        let hello = json!({
            "username": "ana", "guest_token": ana.guest_token(), "replaces": ana.id()
        });
        let address = server.address;
        let replacing = (0..5).map(|_| {
            let hello = hello.clone();
            tokio::spawn(async move {
                let mut session = Session::hello_with(address, hello).await;
                session.join("r").await;
                session
            })
        });
        let sessions = futures::future::join_all(replacing.collect::<Vec<_>>()).await;
        let mut sessions: Vec<_> = sessions.into_iter().map(Result::unwrap).collect();
        assert_eq!(ana.closed().await.1, Some(4409), "round {round}");
        for session in &mut sessions {
            session.ask(json!({"type": "leave", "room": "r"})).await;
        }
        for expected in ["+watching", "+ana", "-ana"] {
            assert_eq!(watching.brief().await, expected, "round {round}");
        }
        drop(watching);
        server.until_rows("r", &[]).await;
    }
    server.stop().await.unwrap();
}

/// A client replaces its own session repeatedly while it sends: every acked message is stored once.
#[tokio::test(flavor = "multi_thread")]
async fn repeated_replacements_with_messages_in_flight_lose_and_repeat_nothing() {
    let server = start().await;
    let (mut bob, joined) = Session::enter(server.address, "r", "bob").await;
    let mut ana = Session::hello(server.address, "ana").await;
    ana.join("r").await;
    let mut acked = 0;
    for round in 0..30 {
        for i in 0..10 {
            let (body, id) = (format!("{round}.{i}"), format!("id{round}.{i}"));
            ana.send(&json!({"type": "send", "room": "r", "body": body, "id": id})).await;
        }
        let mut successor = Session::hello_replacing(server.address, &ana).await;
        let answer = successor.ask(json!({"type": "join", "room": "r", "since": since(&joined, 0)})).await;
        assert_eq!(answer["type"], "joined", "{answer}");
        for i in 0..10 {
            let (body, id) = (format!("{round}.{i}"), format!("id{round}.{i}"));
            let ack = successor.ask(json!({"type": "send", "room": "r", "body": body, "id": id})).await;
            assert_eq!(ack["type"], "ack", "{ack}");
            acked += 1;
        }
        ana = successor;
    }
    let mut bodies = Vec::new();
    for seq in 1..=acked {
        let message = bob.next("message").await;
        assert_eq!(message["seq"], seq);
        bodies.push(message["body"].as_str().unwrap().to_owned());
    }
    let mut expected: Vec<_> =
        (0..30).flat_map(|round| (0..10).map(move |i| format!("{round}.{i}"))).collect();
    bodies.sort();
    expected.sort();
    assert_eq!(bodies, expected, "each once");
    server.stop().await.unwrap();
}
