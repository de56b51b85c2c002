//! Tests with real NATS servers.

mod faults;
mod login;

use chat_backplane::conformance::{Node, Nodes};
use chat_backplane::{NatsBackplane, NatsOptions, Topic};
use chat_protocol::RoomName;
use chat_testkit::nats::{Builder, Server};
use chat_testkit::needs::{self, Need};
use tokio::task::block_in_place;

/// Starts a server. `None` if this machine does not have NATS.
pub(crate) fn start(builder: Builder) -> Option<Server> {
    needs::are_met(&[Need::Nats]).then(|| block_in_place(|| builder.start()))
}

pub(crate) fn node(options: NatsOptions) -> Node {
    Node::new(NatsBackplane::start(options).unwrap())
}

/// Two nodes that are connected.
pub(crate) async fn two(options: &NatsOptions) -> (Node, Node) {
    let (mut here, mut there) = (node(options.clone()), node(options.clone()));
    here.connected().await;
    there.connected().await;
    (here, there)
}

pub(crate) fn room(name: &str) -> Topic {
    Topic::Room(RoomName::parse(name).unwrap())
}

async fn nodes() -> Option<Nodes> {
    let server = start(Server::builder())?;
    let options = NatsOptions::new(server.url());
    Some(Nodes::new([(); 3].map(|()| node(options.clone()))).with_guard(server))
}

chat_backplane::conformance_tests!(nodes);
