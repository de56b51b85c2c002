//! Several nodes in one process.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt};
use parking_lot::Mutex;

use crate::incoming::channel_with;
use crate::metrics::Meters;
use crate::{Backplane, Limits, MAX_MESSAGE, PublishError, Receiver, Sender, SubscribeError, Topic};

/// Connects nodes in one process. Clones are the same hub.
///
/// ```
/// use chat_backplane::{Backplane, Hub};
///
/// let hub = Hub::new();
/// let (here, mut receiver) = hub.join();
/// let (there, _) = hub.join();
/// assert!(here.is_connected() && there.is_connected());
/// ```
#[derive(Clone, Default)]
pub struct Hub(Arc<Mutex<Nodes>>);

#[derive(Default)]
struct Nodes {
    last_id: u64,
    /// The subscribers of each topic; never empty.
    topics: HashMap<Topic, Vec<Arc<Node>>>,
}

struct Node {
    id: u64,
    sender: Sender,
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").finish_non_exhaustive()
    }
}

impl Hub {
    /// A hub without nodes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a node, whose receiver queues as much as the default [`Limits`] say.
    pub fn join(&self) -> (LocalBackplane, Receiver) {
        self.join_with(Limits::default())
    }

    /// Adds a node, whose receiver queues as much as the limits say.
    pub fn join_with(&self, limits: Limits) -> (LocalBackplane, Receiver) {
        let meters = Meters::new();
        let (sender, receiver) = channel_with(limits, meters.clone());
        sender.connected();
        let mut nodes = self.0.lock();
        nodes.last_id += 1;
        let node = Arc::new(Node { id: nodes.last_id, sender });
        drop(nodes);
        (LocalBackplane { hub: self.clone(), node, meters, is_closed: AtomicBool::new(false) }, receiver)
    }
}

impl Nodes {
    fn unsubscribe(&mut self, topic: &Topic, id: u64) {
        if let Some(nodes) = self.topics.get_mut(topic) {
            nodes.retain(|node| node.id != id);
            if nodes.is_empty() {
                self.topics.remove(topic);
            }
        }
    }
}

/// A node of a [`Hub`]. It is always connected, and publishes at once: there is no queue but those
/// of the receivers.
pub struct LocalBackplane {
    hub: Hub,
    node: Arc<Node>,
    meters: Meters,
    /// Changed under the lock of the hub.
    is_closed: AtomicBool,
}

impl fmt::Debug for LocalBackplane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalBackplane").field("node", &self.node.id).finish_non_exhaustive()
    }
}

impl LocalBackplane {
    fn try_publish(&self, topic: &Topic, message: &Bytes) -> Result<(), PublishError> {
        if message.len() > MAX_MESSAGE {
            return Err(PublishError::TooLarge { size: message.len() });
        }
        let nodes = self.hub.0.lock();
        if self.is_closed.load(Ordering::Relaxed) {
            return Err(PublishError::Closed);
        }
        let subscribers = nodes.topics.get(topic).map(Vec::as_slice).unwrap_or_default();
        for node in subscribers.iter().filter(|node| node.id != self.node.id) {
            // what the receiver has no space for is counted there
            node.sender.message(topic.clone(), message.clone());
        }
        self.meters.published.increment(1);
        Ok(())
    }

    fn leave(&self) {
        let mut nodes = self.hub.0.lock();
        if self.is_closed.swap(true, Ordering::Relaxed) {
            return;
        }
        nodes.topics.retain(|_, subscribers| {
            subscribers.retain(|node| node.id != self.node.id);
            !subscribers.is_empty()
        });
        self.node.sender.close();
    }
}

impl Backplane for LocalBackplane {
    fn publish(&self, topic: &Topic, message: Bytes) -> Result<(), PublishError> {
        self.try_publish(topic, &message).inspect_err(|error| self.meters.dropped((*error).into()))
    }

    fn subscribe(&self, topic: Topic) -> BoxFuture<'_, Result<(), SubscribeError>> {
        async move {
            let mut nodes = self.hub.0.lock();
            if self.is_closed.load(Ordering::Relaxed) {
                return Err(SubscribeError::Closed);
            }
            let subscribers = nodes.topics.entry(topic).or_default();
            if !subscribers.iter().any(|node| node.id == self.node.id) {
                subscribers.push(Arc::clone(&self.node));
            }
            Ok(())
        }
        .boxed()
    }

    fn unsubscribe(&self, topic: &Topic) {
        self.hub.0.lock().unsubscribe(topic, self.node.id);
    }

    fn is_connected(&self) -> bool {
        !self.is_closed.load(Ordering::Relaxed)
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        async move { self.leave() }.boxed()
    }
}

impl Drop for LocalBackplane {
    fn drop(&mut self) {
        self.leave();
    }
}
