//! Shutting a server down.

use chat_presence::PresenceStore;
use chat_server::{Config, Timings};
use chat_testkit::v2::Session;
use chat_testkit::{Client, Seen, http, soon};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::Duration;

use crate::support::{config, start, start_with, timings};

/// A configuration with a very long time limit for closing connections.
fn patient() -> Config {
    Config { timings: Timings { close: Duration::from_secs(600), ..timings() }, ..config() }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_client_receives_a_close_frame_and_every_row_is_removed() {
    let server = start().await;
    let mut clients = Vec::new();
    for i in 0..20 {
        clients.push(Client::enter(server.address, &format!("r{}", i % 3), &format!("p{i}")).await);
    }
    clients[0].send_message("last words").await;
    // the message is delivered before the close frame, or was never read
    let address = server.address;
    let (task, store, _folder) = server.begin_shutdown();
    for (i, client) in clients.iter_mut().enumerate() {
        let mut leaves = 0;
        let code = loop {
            match client.see().await {
                Seen::Event(event) if event["type"] == "chat_leave_room" => leaves += 1,
                Seen::Event(_) => {}
                Seen::Close(code) => break code,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!((code, leaves), (Some(1001), 0), "p{i}");
        assert_eq!(client.see().await, Seen::End);
    }
    soon("the end", task).await.unwrap().unwrap();
    for room in ["r0", "r1", "r2"] {
        assert!(store.members(room.parse().unwrap()).await.unwrap().is_empty());
    }
    assert!(TcpStream::connect(address).await.is_err(), "the port is closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_client_can_delay_the_shutdown() {
    let server = start().await;
    let mut ana = Client::enter(server.address, "r", "ana").await;
    let mut stalled = Client::enter(server.address, "r", "stalled").await;
    for expected in ["+ana", "+stalled"] {
        assert_eq!(ana.brief().await, expected);
    }
    assert_eq!(stalled.brief().await, "+stalled");
    // more than the system's buffers hold, for a client that does not read
    for _ in 0..80 {
        ana.send_message(&"x".repeat(100_000)).await;
        assert!(ana.brief().await.starts_with("ana: "));
    }
    let _silent = TcpStream::connect(server.address).await.unwrap();
    let mut kept = TcpStream::connect(server.address).await.unwrap();
    assert_eq!(http::request_on(&mut kept, "GET", "/livez", &[]).await.status, 200);
    server.stop().await.unwrap();
    assert_eq!(ana.closed().await, Some(1001));
    drop(stalled);
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_were_read_are_delivered_before_the_shutdown() {
    let server = start().await;
    let mut ana = Client::enter(server.address, "r", "ana").await;
    let mut bob = Client::enter(server.address, "r", "bob").await;
    assert_eq!(bob.brief().await, "+bob");
    for i in 0..200 {
        ana.send_message(&i.to_string()).await;
    }
    assert_eq!(ana.messages(200).await.len(), 200);
    let (task, _store, _folder) = server.begin_shutdown();
    assert_eq!(bob.messages(200).await.len(), 200);
    assert_eq!(bob.see().await, Seen::Close(Some(1001)));
    soon("the end", task).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_do_not_answer_the_close_frame_do_not_delay_the_shutdown() {
    let server = start_with(patient()).await;
    let mut ana = Client::enter(server.address, "r", "ana").await;
    assert_eq!(ana.brief().await, "+ana");
    let mut bob = Session::hello(server.address, "bob").await;
    bob.join("r").await;
    let refused = Client::try_enter(server.address, "r", "ana").await;
    assert_eq!(refused.unwrap_err().status, 403);
    let mut kept = TcpStream::connect(server.address).await.unwrap();
    assert_eq!(http::request_on(&mut kept, "GET", "/livez", &[]).await.status, 200);
    // the clients neither answer nor close
    server.stop().await.unwrap();
    assert_eq!((ana.closed().await, bob.closed().await.1), (Some(1001), Some(1001)));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_backlog_of_a_slow_reader_is_delivered_before_the_shutdown() {
    let server = start_with(patient()).await;
    let mut ana = Client::enter(server.address, "r", "ana").await;
    let mut slow = Client::enter(server.address, "r", "slow").await;
    let mut idle = TcpStream::connect(server.address).await.unwrap();
    assert_eq!(http::request_on(&mut idle, "GET", "/livez", &[]).await.status, 200);
    // more than the system's buffers hold
    const MESSAGES: usize = 80;
    for _ in 0..MESSAGES {
        ana.send_message(&"x".repeat(100_000)).await;
    }
    assert_eq!(ana.messages(MESSAGES).await.len(), MESSAGES);
    let (task, _store, _folder) = server.begin_shutdown();
    // the server does not wait for clients that have received everything
    assert_eq!(ana.closed().await, Some(1001));
    assert_eq!(idle.read(&mut [0; 1]).await.unwrap(), 0);
    assert_eq!(slow.messages(MESSAGES).await.len(), MESSAGES);
    assert_eq!(slow.closed().await, Some(1001));
    drop(slow);
    soon("the end", task).await.unwrap().unwrap();
}
