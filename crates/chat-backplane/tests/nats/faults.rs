//! Servers and networks that fail.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use chat_backplane::conformance::Node;
use chat_backplane::{Incoming, Limits, NatsOptions, PublishError, SubscribeError, Topic};
use chat_testkit::nats::Server;
use chat_testkit::proxy::{Direction, Proxy};
use chat_testkit::until;
use tokio::task::block_in_place;

use super::{node, room, start, two};

/// Noticed within a second.
const SHORT: Duration = Duration::from_millis(200);

/// Skips messages until the connection is lost.
async fn disconnected(node: &mut Node) {
    while node.next().await.unwrap() != Incoming::Disconnected {}
    assert!(!node.backplane().is_connected());
}

/// Sends a message to a topic that the other node has subscribed to, and reads it.
async fn exchange(here: &Node, there: &mut Node, topic: &Topic) {
    here.publish(topic, "exchanged").await;
    assert_eq!(there.message().await, (topic.clone(), "exchanged".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn subscriptions_outlive_a_server_that_is_killed() {
    let Some(server) = start(Server::builder()) else { return };
    let (mut here, mut there) = two(&NatsOptions::new(server.url())).await;
    for topic in [room("r"), room("unsubscribed")] {
        there.subscribe(&topic).await;
    }
    block_in_place(|| server.kill());
    for node in [&mut here, &mut there] {
        disconnected(node).await;
    }
    assert_eq!(here.backplane().publish(&room("r"), "lost".into()), Err(PublishError::NotConnected));
    there.backplane().unsubscribe(&room("unsubscribed"));
    for _ in 0..2 {
        assert_eq!(there.backplane().subscribe(room("s")).await, Err(SubscribeError::NotConnected));
    }
    assert_eq!(there.backplane().subscribe(room("r")).await, Err(SubscribeError::NotConnected));

    block_in_place(|| server.restart());
    for node in [&mut here, &mut there] {
        node.connected().await;
    }
    here.publish(&room("unsubscribed"), "nobody reads this").await;
    for topic in [room("r"), room("s")] {
        exchange(&here, &mut there, &topic).await;
    }
    there.subscribe(&room("s")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_need_not_run_at_the_start() {
    let Some(server) = start(Server::builder()) else { return };
    block_in_place(|| server.kill());
    let options = NatsOptions::new(server.url());
    let (mut here, mut there) = (node(options.clone()), node(options));
    assert!(!here.backplane().is_connected());
    assert_eq!(here.backplane().publish(&room("r"), "lost".into()), Err(PublishError::NotConnected));
    assert_eq!(there.backplane().subscribe(room("r")).await, Err(SubscribeError::NotConnected));
    block_in_place(|| server.restart());
    for node in [&mut here, &mut there] {
        node.connected().await;
    }
    exchange(&here, &mut there, &room("r")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_is_noticed() {
    let Some(server) = start(Server::builder()) else { return };
    let (mut here, mut there) = two(&NatsOptions::new(server.url()).ping_interval(SHORT)).await;
    there.subscribe(&room("r")).await;
    server.pause();
    for node in [&mut here, &mut there] {
        disconnected(node).await;
    }
    server.resume();
    for node in [&mut here, &mut there] {
        node.connected().await;
    }
    exchange(&here, &mut there, &room("r")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_while_a_server_hangs_shortly() {
    let Some(server) = start(Server::builder()) else { return };
    let (here, mut there) = two(&NatsOptions::new(server.url())).await;
    there.subscribe(&room("r")).await;
    server.pause();
    for number in 0..100 {
        here.publish(&room("r"), format!("{number}")).await;
    }
    server.resume();
    for number in 0..100 {
        assert_eq!(there.message().await.1, format!("{number}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_is_an_error_and_recovers() {
    let Some(server) = start(Server::builder()) else { return };
    let (here, mut there) = two(&NatsOptions::new(server.url())).await;
    there.subscribe(&room("r")).await;
    server.pause();
    let large = "x".repeat(500_000);
    let mut accepted = 0;
    // the queue, and the buffers of both systems
    while here.backplane().publish(&room("r"), large.clone().into()).is_ok() {
        accepted += 1;
        assert!(accepted < 1_000, "the queue is bounded");
    }
    assert_eq!(here.backplane().publish(&room("r"), large.into()), Err(PublishError::Full));
    server.resume();
    here.publish(&room("r"), "end").await;
    let mut received = 0;
    while there.message().await.1 != "end" {
        received += 1;
    }
    // messages that were in the queue for too long are dropped
    assert!(received <= accepted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_cut_is_made_again() {
    let Some(server) = start(Server::builder()) else { return };
    let proxy = Proxy::start(server.address());
    let mut here = node(NatsOptions::new(server.url()));
    let mut there = node(NatsOptions::new(format!("nats://{}", proxy.address())));
    here.connected().await;
    there.connected().await;
    there.subscribe(&room("r")).await;
    for _ in 0..3 {
        proxy.cut();
        disconnected(&mut there).await;
        there.connected().await;
        exchange(&here, &mut there, &room("r")).await;
    }
    assert!(here.backplane().is_connected());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_stalls_is_noticed() {
    let Some(server) = start(Server::builder()) else { return };
    let proxy = Proxy::start(server.address());
    let mut here = node(NatsOptions::new(server.url()));
    let options = NatsOptions::new(format!("nats://{}", proxy.address())).ping_interval(SHORT);
    let mut there = node(options);
    here.connected().await;
    there.connected().await;
    there.subscribe(&room("r")).await;
    for direction in [Direction::ToClient, Direction::ToServer, Direction::Both] {
        proxy.stall(direction);
        disconnected(&mut there).await;
        proxy.resume();
        there.connected().await;
        exchange(&here, &mut there, &room("r")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_that_is_confirmed_late_is_reported() {
    let Some(server) = start(Server::builder()) else { return };
    let proxy = Proxy::start(server.address());
    let mut here = node(NatsOptions::new(server.url()));
    let options = NatsOptions::new(format!("nats://{}", proxy.address()));
    let mut there = node(options.ping_interval(Duration::from_secs(60)));
    here.connected().await;
    there.connected().await;
    proxy.stall(Direction::ToServer);
    assert_eq!(there.backplane().subscribe(room("r")).await, Err(SubscribeError::TimedOut));
    proxy.resume();
    assert_eq!(there.next().await, Some(Incoming::Missed { topic: Some(room("r")) }));
    exchange(&here, &mut there, &room("r")).await;
    there.subscribe(&room("r")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_server_in_the_list_does_no_harm() {
    let Some(server) = start(Server::builder()) else { return };
    let Some(dead) = start(Server::builder()) else { return };
    block_in_place(|| dead.kill());
    let (here, mut there) = two(&NatsOptions::new(dead.url()).server(server.url())).await;
    there.subscribe(&room("r")).await;
    exchange(&here, &mut there, &room("r")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_server_of_the_list_takes_over() {
    let Some(first) = start(Server::builder()) else { return };
    let Some(second) = start(Server::builder()) else { return };
    block_in_place(|| second.kill());
    let options = NatsOptions::new(first.url()).server(second.url());
    let (mut here, mut there) = two(&options).await;
    there.subscribe(&room("r")).await;
    block_in_place(|| second.restart());
    block_in_place(|| first.kill());
    for node in [&mut here, &mut there] {
        node.connected().await;
    }
    exchange(&here, &mut there, &room("r")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_queue_of_a_slow_receiver_notes_a_loss() {
    let Some(server) = start(Server::builder()) else { return };
    let mut here = node(NatsOptions::new(server.url()));
    let options = NatsOptions::new(server.url()).receiver_limits(Limits::default().with_messages(10));
    let mut there = node(options);
    here.connected().await;
    there.connected().await;
    there.subscribe(&room("r")).await;
    // more than all queues up to the receiver hold
    for number in 0..10_000 {
        here.publish(&room("r"), format!("{number}")).await;
    }
    // when both have resolved, the library of the other node has had all messages
    here.subscribe(&room("s")).await;
    there.subscribe(&room("s")).await;
    let read = async {
        let (mut missed, mut ended) = (false, false);
        while !missed || !ended {
            match there.next().await.unwrap() {
                Incoming::Missed { .. } => missed = true,
                Incoming::Message { message, .. } => ended |= message == "end",
                other => panic!("{other:?}"),
            }
        }
    };
    let publish = async {
        // repeated, because it may be lost as well
        loop {
            here.publish(&room("r"), "end").await;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::select! {
        () = publish => {}
        () = read => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_watches_everything_does_no_harm() {
    let Some(server) = start(Server::builder()) else { return };
    let (here, mut there) = two(&NatsOptions::new(server.url())).await;
    let mut watching = TcpStream::connect(server.address()).unwrap();
    watching.write_all(b"CONNECT {\"verbose\":false}\r\nSUB > 1\r\nPING\r\n").unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"PONG\r\n") {
        let mut byte = [0];
        watching.read_exact(&mut byte).unwrap();
        answer.push(byte[0]);
    }
    there.subscribe(&room("r")).await;
    exchange(&here, &mut there, &room("r")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_does_not_wait_for_a_server_that_is_away() {
    let Some(server) = start(Server::builder()) else { return };
    let (mut here, there) = two(&NatsOptions::new(server.url())).await;
    server.pause();
    for _ in 0..10 {
        there.publish(&room("r"), "lost").await;
    }
    let begin = Instant::now();
    there.backplane().close().await;
    assert!(begin.elapsed() < Duration::from_secs(4), "{:?}", begin.elapsed());
    server.resume();
    block_in_place(|| server.kill());
    disconnected(&mut here).await;
    let begin = Instant::now();
    here.backplane().close().await;
    assert!(begin.elapsed() < Duration::from_secs(1), "{:?}", begin.elapsed());
    while here.next().await.is_some() {}
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backplane_that_is_dropped_disconnects() {
    let Some(server) = start(Server::builder()) else { return };
    let proxy = Proxy::start(server.address());
    let mut one = node(NatsOptions::new(format!("nats://{}", proxy.address())));
    one.connected().await;
    until("both are connected", async || proxy.connections() == 2).await;
    drop(one);
    until("both are closed", async || proxy.connections() == 0).await;
}
