//! A new connection takes over the memberships of the user's earlier session.

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
    ana.say("r", "one").await;
    for expected in ["+watching", "+ana", "ana: one"] {
        assert_eq!(watching.brief().await, expected);
    }
    // the connection is considered broken, but the server has not noticed: the name is still taken
    let secret = ana.secret().to_owned();
    watching.say("two").await;
    assert_eq!(watching.brief().await, "watching: two");
    let mut successor =
        Session::hello_with(server.address, json!({"username": "ana", "resume": secret})).await;
    assert_ne!(successor.secret(), secret);
    let (bye, code) = ana.closed().await;
    let bye = bye.unwrap();
    assert_eq!((&bye["code"], &bye["reconnect"], code), (&json!(4409), &json!(false), Some(4409)));
    watching.say("three").await;
    assert_eq!(watching.brief().await, "watching: three", "no event about ana in between");
    let answer = successor.ask(json!({"type": "join", "room": "r", "since": since(&joined, 1)})).await;
    assert_eq!(
        (answer["recovered"].as_bool(), bodies(&answer["messages"])),
        (Some(true), vec!["two", "three"])
    );
    assert_eq!(successor.say("r", "four").await, 4);
    assert_eq!(watching.brief().await, "ana: four");
    drop(successor);
    assert_eq!(watching.brief().await, "-ana");
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn memberships_that_are_not_rejoined_end_after_a_timeout() {
    let timings = Timings { takeover: Duration::from_millis(200), ..timings() };
    let server = start_with(Config { timings, ..config() }).await;
    let mut ana = Session::hello(server.address, "ana").await;
    ana.join("a").await;
    ana.join("b").await;
    let resume = ana.secret().to_owned();
    let mut successor =
        Session::hello_with(server.address, json!({"username": "ana", "resume": resume})).await;
    successor.join("a").await;
    server.until_rows("b", &[]).await;
    let is_member =
        async || server.engine.is_present(&"b".parse().unwrap(), &"ana".parse().unwrap()).await.unwrap();
    until("ana has left b", async || !is_member().await).await;
    server.until_rows("a", &["ana"]).await;
    assert_eq!(successor.say("a", "here").await, 1);
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_secret_or_one_of_another_user_is_ignored() {
    let server = start().await;
    let (mut ana, _) = Session::enter(server.address, "r", "ana").await;
    let secret = ana.secret().to_owned();
    for (name, resume) in [("bob", secret.as_str()), ("ana", "0123"), ("ana", "no number"), ("ana", "")] {
        let mut other =
            Session::hello_with(server.address, json!({"username": name, "resume": resume})).await;
        if name == "ana" {
            assert_eq!(other.ask(json!({"type": "join", "room": "r"})).await["code"], "username_taken");
        }
    }
    assert_eq!(ana.say("r", "still here").await, 1);
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_sessions_that_resume_at_once_exactly_one_gets_the_memberships() {
    let server = start().await;
    for round in 0..10 {
        let (mut ana, _) = Session::enter(server.address, "r", "ana").await;
        let (address, resume) = (server.address, ana.secret().to_owned());
        let resuming = (0..5).map(|_| {
            let resume = resume.clone();
            tokio::spawn(async move {
                let hello = json!({"username": "ana", "resume": resume});
                let mut session = Session::hello_with(address, hello).await;
                let answer = session.ask(json!({"type": "join", "room": "r"})).await;
                (session, answer["type"] == "joined")
            })
        });
        let sessions = futures::future::join_all(resuming.collect::<Vec<_>>()).await;
        let mut sessions: Vec<_> = sessions.into_iter().map(Result::unwrap).collect();
        assert_eq!(sessions.iter().filter(|(_, joined)| *joined).count(), 1, "round {round}");
        assert_eq!(ana.closed().await.1, Some(4409));
        let (holder, _) = sessions.iter_mut().find(|(_, joined)| *joined).unwrap();
        holder.ask(json!({"type": "leave", "room": "r"})).await;
        server.until_rows("r", &[]).await;
    }
    server.stop().await.unwrap();
}

/// A client takes its own session over repeatedly while it sends: every acked message is stored
/// once.
#[tokio::test(flavor = "multi_thread")]
async fn repeated_takeovers_with_messages_in_flight_lose_and_repeat_nothing() {
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
        let hello = json!({"username": "ana", "resume": ana.secret()});
        let mut successor = Session::hello_with(server.address, hello).await;
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
    let expected: Vec<_> = (0..30).flat_map(|round| (0..10).map(move |i| format!("{round}.{i}"))).collect();
    bodies.sort();
    let mut sorted = expected.clone();
    sorted.sort();
    assert_eq!(bodies, sorted, "each once");
    server.stop().await.unwrap();
}
