//! The end of a server.

use chat_presence::PresenceStore;
use chat_server::{Config, Timings};
use chat_testkit::v2::Session;
use chat_testkit::{Client, Seen, http, soon};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::Duration;

use crate::support::{config, start, start_with, timings};

/// A server that is very patient with clients to which something is owed.
fn patient() -> Config {
    Config { timings: Timings { close: Duration::from_secs(600), ..timings() }, ..config() }
}

#[tokio::test(flavor = "multi_thread")]
async fn everyone_is_told_and_every_row_is_removed() {
    let server = start().await;
    let mut clients = Vec::new();
    for i in 0..20 {
        clients.push(Client::enter(server.address, &format!("r{}", i % 3), &format!("p{i}")).await);
    }
    clients[0].say("last words").await;
    // read and told to all, or not read at all: but whoever is told of it is told before the end
    let address = server.address;
    let (task, store, _folder) = server.begin_to_stop();
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
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_can_hold_the_end_up() {
    let server = start().await;
    let mut ana = Client::enter(server.address, "r", "ana").await;
    let mut deaf = Client::enter(server.address, "r", "deaf").await;
    for expected in ["+ana", "+deaf"] {
        assert_eq!(ana.brief().await, expected);
    }
    assert_eq!(deaf.brief().await, "+deaf");
    // more than the system's buffers take, for one who does not read
    for _ in 0..80 {
        ana.say(&"x".repeat(100_000)).await;
        assert!(ana.brief().await.starts_with("ana: "));
    }
    let _silent = TcpStream::connect(server.address).await.unwrap();
    let mut kept = TcpStream::connect(server.address).await.unwrap();
    assert_eq!(http::request_on(&mut kept, "GET", "/livez", &[]).await.status, 200);
    server.stop().await.unwrap();
    assert_eq!(ana.closed().await, Some(1001));
    drop(deaf);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_read_is_told_before_the_end() {
    let server = start().await;
    let mut ana = Client::enter(server.address, "r", "ana").await;
    let mut bob = Client::enter(server.address, "r", "bob").await;
    assert_eq!(bob.brief().await, "+bob");
    for i in 0..200 {
        ana.say(&i.to_string()).await;
    }
    assert_eq!(ana.messages(200).await.len(), 200);
    let (task, _store, _folder) = server.begin_to_stop();
    assert_eq!(bob.messages(200).await.len(), 200);
    assert_eq!(bob.see().await, Seen::Close(Some(1001)));
    soon("the end", task).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_do_not_answer_the_close_frame_do_not_hold_the_end_up() {
    let server = start_with(patient()).await;
    let mut ana = Client::enter(server.address, "r", "ana").await;
    assert_eq!(ana.brief().await, "+ana");
    let mut bob = Session::hello(server.address, "bob").await;
    bob.join("r").await;
    let refused = Client::knock(server.address, "r", "ana").await;
    assert_eq!(refused.unwrap_err().status, 403);
    let mut kept = TcpStream::connect(server.address).await.unwrap();
    assert_eq!(http::request_on(&mut kept, "GET", "/livez", &[]).await.status, 200);
    // nobody answers, and nobody closes
    server.stop().await.unwrap();
    assert_eq!((ana.closed().await, bob.closed().await.1), (Some(1001), Some(1001)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_queued_for_a_slow_reader_is_not_lost_at_the_end() {
    let server = start_with(patient()).await;
    let mut ana = Client::enter(server.address, "r", "ana").await;
    let mut slow = Client::enter(server.address, "r", "slow").await;
    let mut idle = TcpStream::connect(server.address).await.unwrap();
    assert_eq!(http::request_on(&mut idle, "GET", "/livez", &[]).await.status, 200);
    // more than the system's buffers take
    const MESSAGES: usize = 80;
    for _ in 0..MESSAGES {
        ana.say(&"x".repeat(100_000)).await;
    }
    assert_eq!(ana.messages(MESSAGES).await.len(), MESSAGES);
    let (task, _store, _folder) = server.begin_to_stop();
    // by now nobody to whom nothing is owed is waited for
    assert_eq!(ana.closed().await, Some(1001));
    assert_eq!(idle.read(&mut [0; 1]).await.unwrap(), 0);
    assert_eq!(slow.messages(MESSAGES).await.len(), MESSAGES);
    assert_eq!(slow.closed().await, Some(1001));
    drop(slow);
    soon("the end", task).await.unwrap().unwrap();
}
