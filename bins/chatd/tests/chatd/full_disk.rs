//! A full disk: new clients are refused, nothing is acked or delivered, connected clients stay, and
//! the server recovers by itself.

use chat_testkit::v2::Session;
use chat_testkit::{Client, http, until};
use rustix::process::Signal;
use serde_json::json;
use std::time::Duration;

use crate::process::{Running, on_a_full_disk};

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
