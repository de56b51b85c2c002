//! A full disk: new clients are refused, nothing is acked or delivered, connected clients stay, and
//! the server recovers by itself.

use chat_testkit::needs::{self, Need};
use chat_testkit::postgres::Server;
use chat_testkit::v2::Session;
use chat_testkit::{Client, http, until};
use rustix::process::Signal;
use serde_json::json;
use std::time::Duration;

use crate::process::{Running, chatd, on_a_full_disk};

async fn is_ready(server: &Running) -> bool {
    http::request(server.address, "GET", "/readyz", &[]).await.status == 200
}

#[tokio::test]
async fn no_message_is_acked_that_does_not_fit_and_the_server_recovers() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Running::start(&mut on_a_full_disk(folder.path(), 640));
    let mut classic = Client::enter(server.address, "r", "cleo").await;
    let (mut ana, _) = Session::enter(server.address, "r", "ana").await;
    let send =
        |n: u64| json!({"type": "send", "room": "r", "body": format!("{n} small"), "id": format!("id{n}")});
    let mut stored = 0;
    let refused = loop {
        let answer = ana.ask(send(stored + 1)).await;
        if answer["type"] == "error" {
            break answer;
        }
        stored += 1;
        assert_eq!(answer["seq"], stored);
        assert!(stored < 1_000, "the limit is never reached");
    };
    assert!(stored > 0, "some messages fitted");
    assert_eq!(refused["code"], "store_unavailable");
    for _ in 0..3 {
        assert_eq!(ana.ask(send(stored + 1)).await["code"], "store_unavailable");
    }
    until("it is not ready", async || !is_ready(&server).await).await;
    assert_eq!(http::request(server.address, "GET", "/livez", &[]).await.status, 200);
    assert_eq!(Client::try_enter(server.address, "r", "eve").await.unwrap_err().status, 503);

    server.lift_file_limit();
    until("it is ready again", async || is_ready(&server).await).await;
    let ack = ana.ask(send(stored + 1)).await;
    assert_eq!((&ack["type"], &ack["seq"]), (&json!("ack"), &json!(stored + 1)), "{ack}");
    let mut received = Vec::new();
    for _ in 0..=stored {
        received.extend(classic.messages(1).await);
    }
    let number = |message: &String| message.split(' ').next().unwrap().parse::<u64>().unwrap();
    assert!(received.iter().map(number).eq(1..=stored + 1), "each message once, and no refused message");
    drop((ana, classic));
    server.signal(Signal::TERM);
    assert_eq!(server.end_within(Duration::from_secs(10)).await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_full_disk_of_postgres_no_message_is_acked_and_the_server_recovers() {
    if !needs::are_met(&[Need::Postgres, Need::Mount]) {
        return;
    }
    let postgres = Server::builder()
        .durable()
        .disk(160)
        .setting("min_wal_size", "2MB")
        .setting("max_wal_size", "4MB")
        .start();
    let folder = tempfile::tempdir().unwrap();
    let server = Running::start(chatd(folder.path()).args(["--database", &postgres.url("postgres")]));
    let mut classic = Client::enter(server.address, "r", "cleo").await;
    let (mut ana, _) = Session::enter(server.address, "r", "ana").await;
    let text = "a message that fills the disk ".repeat(60);
    let send = |n: usize| json!({"type": "send", "room": "r", "body": format!("{n} {text}"), "id": format!("id{n}")});
    let mut stored = 0;
    // the first time it is a table that can't grow, the second time the server's log, too
    for is_log_full in [false, true] {
        assert_eq!(ana.ask(send(stored + 1)).await["seq"], stored + 1);
        stored += 1;
        postgres.fill_disk();
        let refused = loop {
            let answer = ana.ask(send(stored + 1)).await;
            if answer["type"] == "error" {
                break answer;
            }
            stored += 1;
            assert_eq!(answer["seq"], stored);
            assert!(stored < 10_000, "the limit is never reached");
        };
        assert_eq!(refused["code"], "store_unavailable");
        until("it is not ready", async || !is_ready(&server).await).await;
        assert_eq!(http::request(server.address, "GET", "/livez", &[]).await.status, 200);
        if is_log_full {
            let log = "SELECT pg_logical_emit_message(false, 'test', repeat('x', 40000000))";
            postgres.try_psql("postgres", log).expect_err("PostgreSQL stops if its log can't grow");
            assert_eq!(ana.ask(send(stored + 1)).await["code"], "store_unavailable");
            assert!(!is_ready(&server).await);
        }

        postgres.free_disk();
        if !postgres.is_running() {
            postgres.restart();
        }
        until("it is ready again", async || is_ready(&server).await).await;
        let ack = ana.ask(send(stored + 1)).await;
        assert_eq!((&ack["type"], &ack["seq"]), (&json!("ack"), &json!(stored + 1)), "{ack}");
        stored += 1;
    }
    let mut received = Vec::new();
    for _ in 0..stored {
        received.extend(classic.messages(1).await);
    }
    let number = |message: &String| message.split(' ').next().unwrap().parse::<usize>().unwrap();
    assert!(received.iter().map(number).eq(1..=stored), "each message once, and no refused message");
}
