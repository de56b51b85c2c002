//! A backplane that loses, delays, repeats and reorders messages, and loses its connections.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chat_backplane::{Backplane, Limits, PublishError, Receiver, Sender, SubscribeError, Topic, channel};
use futures::future::{BoxFuture, FutureExt, ready};
use parking_lot::Mutex;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use tokio::runtime::Handle;
use tokio::time::sleep;

/// What happens to messages. All chances are in thousandths.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Weather {
    pub(crate) lost: u32,
    pub(crate) repeated: u32,
    pub(crate) late: u32,
    pub(crate) max_delay: Duration,
}

/// What connects the nodes.
#[derive(Debug)]
pub(crate) struct Net {
    state: Mutex<State>,
    runtime: Handle,
}

#[derive(Debug)]
struct State {
    rng: SmallRng,
    weather: Weather,
    /// By number of the node. `None` while it is down.
    nodes: Vec<Option<Node>>,
    starts: u64,
}

#[derive(Debug)]
struct Node {
    /// Tells the starts of a node apart.
    start: u64,
    sender: Arc<Sender>,
    topics: HashSet<Topic>,
    /// Whether the node is connected.
    is_connected: bool,
}

/// One node's end.
#[derive(Debug)]
pub(crate) struct Port {
    net: Arc<Net>,
    number: usize,
    start: u64,
}

impl Net {
    pub(crate) fn new(nodes: usize, seed: u64, runtime: Handle) -> Arc<Self> {
        let nodes = (0..nodes).map(|_| None).collect();
        let state =
            State { rng: SmallRng::seed_from_u64(seed), weather: Weather::default(), nodes, starts: 0 };
        Arc::new(Self { state: Mutex::new(state), runtime })
    }

    /// Connects a node that starts.
    pub(crate) fn join(self: &Arc<Self>, number: usize) -> (Port, Receiver) {
        let (sender, receiver) = channel(Limits::default().with_messages(200));
        sender.connected();
        let mut state = self.state.lock();
        state.starts += 1;
        let start = state.starts;
        let node = Node { start, sender: Arc::new(sender), topics: HashSet::new(), is_connected: true };
        state.nodes[number] = Some(node);
        (Port { net: Arc::clone(self), number, start }, receiver)
    }

    /// The node is down.
    pub(crate) fn leave(&self, number: usize) {
        self.state.lock().nodes[number] = None;
    }

    pub(crate) fn set_weather(&self, weather: Weather) {
        self.state.lock().weather = weather;
    }

    /// Breaks or restores the connection of a node.
    pub(crate) fn set_connected(&self, number: usize, is_connected: bool) {
        let mut state = self.state.lock();
        let Some(node) = &mut state.nodes[number] else { return };
        if node.is_connected != is_connected {
            node.is_connected = is_connected;
            if is_connected { node.sender.connected() } else { node.sender.disconnected() }
        }
    }

    fn publish(&self, port: &Port, topic: &Topic, message: &Bytes) -> Result<(), PublishError> {
        let mut state = self.state.lock();
        let from = port.number;
        match state.node(port) {
            None => return Err(PublishError::Closed),
            Some(node) if !node.is_connected => return Err(PublishError::NotConnected),
            Some(_) => {}
        }
        let State { rng, weather, nodes, .. } = &mut *state;
        let mut chance = |thousandths: u32| rng.random_range(0..1_000) < thousandths;
        for (number, node) in nodes.iter().enumerate() {
            let Some(node) = node.as_ref().filter(|node| number != from && node.topics.contains(topic))
            else {
                continue;
            };
            if !node.is_connected || chance(weather.lost) {
                continue;
            }
            let copies = 1 + u32::from(chance(weather.repeated));
            for _ in 0..copies {
                let (topic, message) = (topic.clone(), message.clone());
                if chance(weather.late) {
                    let sender = Arc::downgrade(&node.sender);
                    let delay = weather.max_delay.mul_f64(f64::from(chance(500)) * 0.5 + 0.5);
                    self.runtime.spawn(async move {
                        sleep(delay).await;
                        if let Some(sender) = sender.upgrade() {
                            sender.message(topic, message);
                        }
                    });
                } else {
                    node.sender.message(topic, message);
                }
            }
        }
        Ok(())
    }
}

impl State {
    /// The node of a port, unless it is down, or was started again.
    fn node(&mut self, port: &Port) -> Option<&mut Node> {
        self.nodes[port.number].as_mut().filter(|node| node.start == port.start)
    }
}

impl Backplane for Port {
    fn publish(&self, topic: &Topic, message: Bytes) -> Result<(), PublishError> {
        self.net.publish(self, topic, &message)
    }

    fn subscribe(&self, topic: Topic) -> BoxFuture<'_, Result<(), SubscribeError>> {
        async move {
            tokio::task::yield_now().await;
            let mut state = self.net.state.lock();
            let Some(node) = state.node(self) else { return Err(SubscribeError::Closed) };
            node.topics.insert(topic);
            if node.is_connected { Ok(()) } else { Err(SubscribeError::NotConnected) }
        }
        .boxed()
    }

    fn unsubscribe(&self, topic: &Topic) {
        if let Some(node) = self.net.state.lock().node(self) {
            node.topics.remove(topic);
        }
    }

    fn is_connected(&self) -> bool {
        self.net.state.lock().node(self).is_some_and(|node| node.is_connected)
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        ready(()).boxed()
    }
}
