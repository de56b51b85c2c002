//! The test suite for implementations of [`Backplane`] (feature `conformance`).
//!
//! A test gets three nodes of a cluster, as [`Nodes`]. They have not subscribed to anything.
//! [`run`] runs all tests and panics at the first that fails;
//! [`conformance_tests!`](crate::conformance_tests) makes a `#[tokio::test]` of each.
//!
//! ```
//! use chat_backplane::Hub;
//! use chat_backplane::conformance::{self, Node, Nodes};
//!
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! conformance::run(async || {
//!     let hub = Hub::new();
//!     Nodes::new([(); 3].map(|()| Node::new(hub.join())))
//! })
//! .await;
//! # });
//! ```
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::any::Any;
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chat_protocol::RoomName;
use futures::future::{join_all, try_join_all};
use tokio::time::timeout;

use crate::{Backplane, Incoming, MAX_MESSAGE, NodeName, PublishError, Receiver, SubscribeError, Topic};

/// The maximum duration of any wait.
const PATIENCE: Duration = Duration::from_secs(30);

/// A node under test.
pub struct Node {
    backplane: Arc<dyn Backplane>,
    receiver: Receiver,
}

/// Three nodes of a cluster.
pub struct Nodes {
    nodes: [Node; 3],
    guard: Option<Box<dyn Any + Send>>,
}

impl Node {
    /// A backplane and its receiver.
    pub fn new((backplane, receiver): (impl Backplane, Receiver)) -> Self {
        Self { backplane: Arc::new(backplane), receiver }
    }

    /// The backplane.
    pub fn backplane(&self) -> &dyn Backplane {
        &*self.backplane
    }

    /// The next item.
    ///
    /// # Panics
    /// If there is none for 30 s.
    pub async fn next(&mut self) -> Option<Incoming> {
        timeout(PATIENCE, self.receiver.recv()).await.expect("something arrives")
    }

    /// Skips everything up to [`Incoming::Connected`].
    ///
    /// # Panics
    /// If that does not arrive.
    pub async fn connected(&mut self) {
        while self.next().await.expect("it is open") != Incoming::Connected {}
        assert!(self.backplane.is_connected());
    }

    /// The next item, which must be a message.
    ///
    /// # Panics
    /// If it is not.
    pub async fn message(&mut self) -> (Topic, Bytes) {
        match self.next().await {
            Some(Incoming::Message { topic, message }) => (topic, message),
            other => panic!("{other:?} instead of a message"),
        }
    }

    /// Publishes a message, again while the queue is full.
    ///
    /// # Panics
    /// If it fails for another reason.
    pub async fn publish(&self, topic: &Topic, message: impl Into<Bytes>) {
        let message = message.into();
        let publish = async {
            while let Err(error) = self.backplane.publish(topic, message.clone()) {
                assert_eq!(error, PublishError::Full);
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            // other futures of the same task go on, too
            tokio::task::yield_now().await;
        };
        timeout(PATIENCE, publish).await.expect("there is space in the queue");
    }

    /// Subscribes.
    ///
    /// # Panics
    /// If it fails.
    pub async fn subscribe(&self, topic: &Topic) {
        self.backplane.subscribe(topic.clone()).await.unwrap();
    }
}

impl Nodes {
    /// Nodes that are connected with each other, or will be soon.
    pub fn new(nodes: [Node; 3]) -> Self {
        Self { nodes, guard: None }
    }

    /// Drops a value after the nodes, for example a server.
    #[must_use]
    pub fn with_guard(self, guard: impl Any + Send) -> Self {
        Self { guard: Some(Box::new(guard)), ..self }
    }

    /// The nodes, once all are connected, and the guard.
    async fn connected(mut self) -> ([Node; 3], Option<Box<dyn Any + Send>>) {
        for node in &mut self.nodes {
            node.connected().await;
        }
        (self.nodes, self.guard)
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Node").field(&self.backplane).finish()
    }
}

impl fmt::Debug for Nodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nodes").field("nodes", &self.nodes).finish_non_exhaustive()
    }
}

/// Calls a macro with the names of all tests, after its own arguments.
#[doc(hidden)]
#[macro_export]
macro_rules! __with_backplane_tests {
    ([$($callback:tt)*] $($arguments:tt)*) => {
        $($callback)*! {
            $($arguments)*
            messages_of_a_node_arrive_in_order
            a_node_does_not_receive_its_own_messages
            nothing_is_lost_after_subscribing
            subscribing_twice_is_the_same_as_once
            nothing_arrives_after_unsubscribing
            a_topic_can_be_subscribed_to_again
            a_message_for_a_node_arrives_there_only
            a_message_for_all_arrives_everywhere
            rooms_have_topics_of_their_own_whatever_their_names
            ten_thousand_topics
            large_messages_arrive_and_larger_ones_are_refused
            a_full_queue_recovers
            a_slow_receiver_learns_that_it_missed_something
            closing_sends_what_is_queued
            a_closed_backplane_refuses
        }
    };
}

/// Makes a test (`#[tokio::test]`, on a runtime with several threads) of each test of the suite.
///
/// The argument is the path of an async function that returns
/// [`Nodes`](crate::conformance::Nodes), or `Option<Nodes>`: with `None`, the test is skipped. The
/// calling crate needs `tokio` with the features `macros` and `rt-multi-thread`.
#[macro_export]
macro_rules! conformance_tests {
    ($nodes:path) => {
        $crate::__with_backplane_tests! { [$crate::__backplane_tests] $nodes; }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __backplane_tests {
    ($nodes:path; $($test:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                let nodes: Option<$crate::conformance::Nodes> = $nodes().await.into();
                if let Some(nodes) = nodes {
                    $crate::conformance::$test(nodes).await;
                }
            }
        )*
    };
}

/// Runs all tests of the suite, each on new nodes.
///
/// # Panics
/// If a test fails.
pub async fn run(nodes: impl AsyncFn() -> Nodes) {
    macro_rules! run_all {
        ($nodes:ident; $($test:ident)*) => { $( $test($nodes().await).await; )* };
    }
    __with_backplane_tests! { [run_all] nodes; }
}

fn room(name: &str) -> Topic {
    Topic::Room(RoomName::parse(name).unwrap())
}

fn node(name: &str) -> Topic {
    Topic::Node(NodeName::parse(name).unwrap())
}

fn text(message: &Bytes) -> &str {
    std::str::from_utf8(message).unwrap()
}

/// Messages of one node on one topic arrive in order, without gaps or duplicates, and those of two
/// nodes do not get into each other's way.
pub async fn messages_of_a_node_arrive_in_order(nodes: Nodes) {
    const COUNT: usize = 2_000;
    let ([here, there, mut reader], _guard) = nodes.connected().await;
    reader.subscribe(&room("r")).await;
    let publish = async |node: &Node, name: &str| {
        for number in 0..COUNT {
            node.publish(&room("r"), format!("{name} {number}")).await;
        }
    };
    let read = async {
        let mut next = [0; 2];
        for _ in 0..2 * COUNT {
            let (topic, message) = reader.message().await;
            assert_eq!(topic, room("r"));
            let (name, number) = text(&message).split_once(' ').unwrap();
            let index = usize::from(name == "there");
            assert_eq!(number.parse(), Ok(next[index]), "of {name}");
            next[index] += 1;
        }
    };
    futures::join!(publish(&here, "here"), publish(&there, "there"), read);
}

/// A node that has subscribed to a topic does not receive what it publishes there itself.
pub async fn a_node_does_not_receive_its_own_messages(nodes: Nodes) {
    let ([mut here, mut there, _], _guard) = nodes.connected().await;
    for node in [&here, &there] {
        node.subscribe(&room("r")).await;
    }
    here.publish(&room("r"), "of here").await;
    assert_eq!(there.message().await.1, "of here");
    there.publish(&room("r"), "of there").await;
    assert_eq!(here.message().await.1, "of there");
}

/// What is published after `subscribe` has resolved arrives.
pub async fn nothing_is_lost_after_subscribing(nodes: Nodes) {
    let ([here, mut there, _], _guard) = nodes.connected().await;
    for number in 0..300 {
        let topic = room(&format!("r{number}"));
        there.subscribe(&topic).await;
        here.publish(&topic, "first").await;
        assert_eq!(there.message().await, (topic, "first".into()));
    }
}

/// A topic that is subscribed to twice, one after the other or at the same time, has one
/// subscription.
pub async fn subscribing_twice_is_the_same_as_once(nodes: Nodes) {
    let ([here, mut there, _], _guard) = nodes.connected().await;
    let topic = room("r");
    join_all((0..10).map(|_| there.subscribe(&topic))).await;
    there.subscribe(&room("r")).await;
    for message in ["one", "two"] {
        here.publish(&room("r"), message).await;
    }
    assert_eq!(there.message().await.1, "one");
    assert_eq!(there.message().await.1, "two");
    there.backplane.unsubscribe(&room("r"));
    there.subscribe(&room("end")).await;
    here.publish(&room("r"), "three").await;
    here.publish(&room("end"), "end").await;
    assert_eq!(there.message().await.1, "end");
}

/// After `unsubscribe`, nothing more is queued. Other topics go on, and unsubscribing from an
/// unknown topic does nothing.
pub async fn nothing_arrives_after_unsubscribing(nodes: Nodes) {
    let ([here, mut there, _], _guard) = nodes.connected().await;
    for topic in [room("r"), room("s")] {
        there.subscribe(&topic).await;
    }
    here.publish(&room("r"), "one").await;
    assert_eq!(there.message().await.1, "one");
    there.backplane.unsubscribe(&room("r"));
    there.backplane.unsubscribe(&room("r"));
    there.backplane.unsubscribe(&room("unknown"));
    for number in 0..100 {
        here.publish(&room("r"), format!("{number}")).await;
    }
    here.publish(&room("s"), "end").await;
    assert_eq!(there.message().await, (room("s"), "end".into()));
}

/// Subscribing again after `unsubscribe` works, at once and many times.
pub async fn a_topic_can_be_subscribed_to_again(nodes: Nodes) {
    let ([here, mut there, _], _guard) = nodes.connected().await;
    for number in 0..50 {
        there.subscribe(&room("r")).await;
        let sent = format!("{number}");
        here.publish(&room("r"), sent.clone()).await;
        assert_eq!(there.message().await.1, sent);
        there.backplane.unsubscribe(&room("r"));
    }
}

/// A message for a node arrives at that node.
pub async fn a_message_for_a_node_arrives_there_only(nodes: Nodes) {
    let ([here, mut there, mut third], _guard) = nodes.connected().await;
    let of_all = async |node: &Node, name: &str| {
        node.subscribe(&self::node(name)).await;
        node.subscribe(&Topic::All).await;
    };
    of_all(&here, "a").await;
    of_all(&there, "b").await;
    of_all(&third, "b-2").await;
    here.publish(&node("b"), "for b").await;
    here.publish(&Topic::All, "end").await;
    assert_eq!(there.next().await.unwrap(), Incoming::Message { topic: node("b"), message: "for b".into() });
    assert_eq!(there.message().await, (Topic::All, "end".into()));
    assert_eq!(third.message().await, (Topic::All, "end".into()));
}

/// A message for all nodes arrives at all others.
pub async fn a_message_for_all_arrives_everywhere(nodes: Nodes) {
    let ([mut here, mut there, mut third], _guard) = nodes.connected().await;
    for node in [&here, &there, &third] {
        node.subscribe(&Topic::All).await;
    }
    here.publish(&Topic::All, "one").await;
    assert_eq!(there.message().await, (Topic::All, "one".into()));
    assert_eq!(third.message().await, (Topic::All, "one".into()));
    there.publish(&Topic::All, "two").await;
    assert_eq!(here.message().await, (Topic::All, "two".into()));
}

/// A message arrives on its own topic only, whatever characters the names have.
pub async fn rooms_have_topics_of_their_own_whatever_their_names(nodes: Nodes) {
    let ([here, mut there, _], _guard) = nodes.connected().await;
    let longest = "𐐷".repeat(RoomName::MAX);
    let names = [
        "all",
        "All",
        "node",
        "_",
        "-",
        "r",
        "R",
        "é",
        "e",
        "世界",
        "नमस्ते",
        "½",
        "ß",
        "ss",
        "_\u{301}",
        "C3_A9",
        "_C3_A9",
        "~aaaaaaaaaaaaaaaaaaaaaaaaaa",
        "aaaaaaaaaaaaaaaaaaaaaaaaaa",
        &longest,
    ];
    let mut topics: Vec<_> = names.iter().map(|name| room(name)).collect();
    topics.extend([node("all"), node("r"), node("_"), Topic::All]);
    assert_eq!(topics.iter().collect::<HashSet<_>>().len(), topics.len());
    for topic in &topics {
        there.subscribe(topic).await;
    }
    for (index, topic) in topics.iter().enumerate() {
        here.publish(topic, format!("{index}")).await;
        assert_eq!(there.message().await, (topic.clone(), format!("{index}").into()));
    }
}

/// Ten thousand topics are subscribed to at the same time, and each works.
pub async fn ten_thousand_topics(nodes: Nodes) {
    const COUNT: usize = 10_000;
    let ([here, mut there, _], _guard) = nodes.connected().await;
    let topics: Vec<_> = (0..COUNT).map(|number| room(&format!("room-{number}"))).collect();
    let subscribed = topics.iter().map(|topic| there.backplane.subscribe(topic.clone()));
    timeout(PATIENCE, try_join_all(subscribed)).await.expect("in time").unwrap();
    let publish = async {
        for topic in &topics {
            here.publish(topic, "one").await;
        }
    };
    let read = async {
        let mut seen = HashSet::new();
        while seen.len() < COUNT {
            let (topic, _) = there.message().await;
            assert!(seen.insert(topic));
        }
    };
    futures::join!(publish, read);
    for topic in &topics {
        there.backplane.unsubscribe(topic);
    }
    there.subscribe(&Topic::All).await;
    here.publish(&topics[7], "two").await;
    here.publish(&Topic::All, "end").await;
    assert_eq!(there.message().await, (Topic::All, "end".into()));
}

/// Messages of up to [`MAX_MESSAGE`] bytes arrive unchanged; larger ones are refused.
pub async fn large_messages_arrive_and_larger_ones_are_refused(nodes: Nodes) {
    let ([here, mut there, _], _guard) = nodes.connected().await;
    there.subscribe(&room("r")).await;
    for size in [0, 1, 65_536, MAX_MESSAGE - 1, MAX_MESSAGE] {
        let message: Vec<_> = (0..=u8::MAX).cycle().take(size).collect();
        here.publish(&room("r"), message.clone()).await;
        assert!(there.message().await.1 == message, "{size} bytes");
    }
    let size = MAX_MESSAGE + 1;
    let refused = here.backplane.publish(&room("r"), vec![0; size].into());
    assert_eq!(refused, Err(PublishError::TooLarge { size }));
    here.publish(&room("r"), "end").await;
    assert_eq!(there.message().await.1, "end");
}

/// A node that publishes faster than it can send gets an error, and can publish again later. What
/// was accepted arrives in order.
pub async fn a_full_queue_recovers(nodes: Nodes) {
    let ([here, mut there, _], _guard) = nodes.connected().await;
    there.subscribe(&room("r")).await;
    let filler = "x".repeat(100_000);
    let mut accepted = Vec::new();
    for number in 0..400 {
        match here.backplane.publish(&room("r"), format!("{number} {filler}").into()) {
            Ok(()) => accepted.push(number),
            Err(error) => assert_eq!(error, PublishError::Full),
        }
    }
    here.publish(&room("r"), "400 ").await;
    accepted.push(400);
    for expected in accepted {
        let (_, message) = there.message().await;
        assert_eq!(text(&message).split_once(' ').unwrap().0.parse(), Ok(expected));
    }
}

/// A receiver that is not read loses messages, and gets [`Incoming::Missed`]. Its queue is bounded,
/// and it works again afterwards.
pub async fn a_slow_receiver_learns_that_it_missed_something(nodes: Nodes) {
    // more than a receiver queues by default
    const COUNT: u64 = 40_000;
    let ([here, mut there, mut third], _guard) = nodes.connected().await;
    for node in [&there, &third] {
        node.subscribe(&room("r")).await;
    }
    let publish = async {
        for number in 0..COUNT {
            here.publish(&room("r"), format!("{number}")).await;
        }
        // repeated, because it may be lost as well
        loop {
            here.publish(&room("r"), "end").await;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let end = Incoming::Message { topic: room("r"), message: "end".into() };
    let read_fast = async { while third.next().await.expect("it is open") != end {} };
    let read = async {
        read_fast.await;
        // when this resolves, the other receiver has had everything, too
        there.subscribe(&room("s")).await;
        let (mut numbers, mut missed, mut ended) = (Vec::new(), 0, false);
        while !ended || missed == 0 {
            match there.next().await.expect("it is open") {
                Incoming::Message { message, .. } if message == "end" => ended = true,
                Incoming::Message { message, .. } => numbers.push(text(&message).parse::<u64>().unwrap()),
                Incoming::Missed { .. } => missed += 1,
                other => panic!("{other:?}"),
            }
        }
        assert!(numbers.is_sorted() && numbers.len() as u64 <= COUNT, "in order, without duplicates");
        assert_eq!(numbers.first(), Some(&0));
    };
    tokio::select! {
        () = publish => {}
        () = read => {}
    }
}

/// Closing sends what is queued, and ends the own receiver.
pub async fn closing_sends_what_is_queued(nodes: Nodes) {
    const COUNT: usize = 1_000;
    let ([mut here, mut there, _], _guard) = nodes.connected().await;
    there.subscribe(&room("r")).await;
    for number in 0..COUNT {
        here.backplane.publish(&room("r"), format!("{number}").into()).unwrap();
    }
    timeout(PATIENCE, here.backplane.close()).await.expect("in time");
    for number in 0..COUNT {
        assert_eq!(there.message().await.1, format!("{number}"));
    }
    while here.next().await.is_some() {}
}

/// A closed backplane refuses everything, and can be closed again.
pub async fn a_closed_backplane_refuses(nodes: Nodes) {
    let ([here, _, _], _guard) = nodes.connected().await;
    here.subscribe(&room("r")).await;
    here.backplane.close().await;
    here.backplane.close().await;
    assert!(!here.backplane.is_connected());
    assert_eq!(here.backplane.publish(&room("r"), "one".into()), Err(PublishError::Closed));
    for name in ["r", "s"] {
        assert_eq!(here.backplane.subscribe(room(name)).await, Err(SubscribeError::Closed));
    }
    here.backplane.unsubscribe(&room("r"));
}
