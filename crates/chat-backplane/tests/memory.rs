//! The memory of subscriptions through NATS. The only test of its program: it reads the memory of
//! the process.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

use chat_backplane::conformance::Node;
use chat_backplane::{NatsBackplane, NatsOptions, Topic};
use chat_protocol::RoomName;
use chat_testkit::nats::Server;
use chat_testkit::needs::{self, Need};
use futures::future::try_join_all;
use tokio::task::block_in_place;

const COUNT: usize = 10_000;

/// The resident memory of this process in bytes.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse::<usize>().unwrap() * 1_024
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_takes_little_memory() {
    if !needs::are_met(&[Need::Nats]) {
        return;
    }
    let server = block_in_place(Server::start);
    let start = || Node::new(NatsBackplane::start(NatsOptions::new(server.url())).unwrap());
    let (mut here, mut there) = (start(), start());
    here.connected().await;
    there.connected().await;
    let topics = |from: usize| {
        (from..from + COUNT).map(|number| Topic::Room(RoomName::parse(&format!("room-{number}")).unwrap()))
    };
    let subscribe = async |from| {
        try_join_all(topics(from).map(|topic| there.backplane().subscribe(topic))).await.unwrap();
    };
    // the first ones fill what the allocator and the library keep
    subscribe(0).await;
    let before = resident();
    subscribe(COUNT).await;
    let each = (resident() - before) / COUNT;
    println!("{each} bytes for a subscription without messages");
    assert!(each < 10_000, "{each} bytes");

    for topic in topics(0).chain(topics(COUNT)) {
        here.publish(&topic, "one").await;
        there.message().await;
    }
    let each = (resident() - before) / COUNT;
    println!("{each} bytes for a subscription that has had a message");
    assert!(each < 10_000, "{each} bytes");
}
