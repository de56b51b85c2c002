//! The queue of what a node receives.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::task::AtomicWaker;
use parking_lot::Mutex;

use crate::Topic;
use crate::metrics::{Dropped, Meters};

/// What a node receives.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Incoming {
    /// A message of another node.
    Message {
        /// The topic on which it was published.
        topic: Topic,
        /// What was published.
        message: Bytes,
    },
    /// The connection was lost. Messages are lost until [`Connected`](Self::Connected); some that
    /// had arrived before may still follow.
    Disconnected,
    /// The connection is there, for the first time or again, and all subscriptions are active. What
    /// was published before may be lost, on all topics: the node polls the database now.
    Connected,
    /// Messages that were published before this arrived may be lost, because this node reads too
    /// slowly, or because [`subscribe`](crate::Backplane::subscribe) had failed and the
    /// subscription is active only now. The node reads the topic from the database.
    Missed {
        /// The topic; `None` if it may be any.
        topic: Option<Topic>,
    },
}

/// How much a [`Receiver`] queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The maximum number of messages.
    pub messages: usize,
    /// The maximum number of bytes in these messages.
    pub bytes: usize,
}

impl Default for Limits {
    /// 16,384 messages and 64 MiB.
    fn default() -> Self {
        Self { messages: 16_384, bytes: 64 << 20 }
    }
}

impl Limits {
    /// Sets the maximum number of messages; at least 1.
    #[must_use]
    pub fn with_messages(self, messages: usize) -> Self {
        Self { messages: messages.max(1), ..self }
    }

    /// Sets the maximum number of bytes. A message always fits into an empty queue.
    #[must_use]
    pub fn with_bytes(self, bytes: usize) -> Self {
        Self { bytes, ..self }
    }
}

#[derive(Debug)]
struct Shared {
    limits: Limits,
    queue: Mutex<Queue>,
    reader: AtomicWaker,
    meters: Meters,
}

#[derive(Debug, Default)]
struct Queue {
    items: VecDeque<Incoming>,
    messages: usize,
    bytes: usize,
    is_closed: bool,
}

/// Makes the queue of what a node receives, for implementations of
/// [`Backplane`](crate::Backplane).
///
/// ```
/// use chat_backplane::{Incoming, Limits, Topic, channel};
///
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// let (sender, mut receiver) = channel(Limits::default().with_messages(1));
/// sender.message(Topic::All, "one".into());
/// sender.message(Topic::All, "two".into());
/// drop(sender);
/// assert!(matches!(receiver.recv().await, Some(Incoming::Message { .. })));
/// assert_eq!(receiver.recv().await, Some(Incoming::Missed { topic: Some(Topic::All) }));
/// assert_eq!(receiver.recv().await, None);
/// # });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn channel(limits: Limits) -> (Sender, Receiver) {
    channel_with(limits, Meters::new())
}

pub(crate) fn channel_with(limits: Limits, meters: Meters) -> (Sender, Receiver) {
    let shared = Shared { limits, queue: Mutex::default(), reader: AtomicWaker::new(), meters };
    let shared = Arc::new(shared);
    (Sender(Arc::clone(&shared)), Receiver(shared))
}

/// The end of the queue to which a backplane adds. No method waits, and the queue is bounded: if it
/// is full, messages are dropped, and [`Incoming::Missed`] stands in their place.
///
/// The receiver ends when the sender is dropped.
pub struct Sender(Arc<Shared>);

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}

impl Sender {
    /// Adds a message. Returns false if it is dropped, because the queue is full or closed.
    pub fn message(&self, topic: Topic, message: Bytes) -> bool {
        let mut queue = self.0.queue.lock();
        if queue.is_closed {
            return false;
        }
        let Limits { messages, bytes } = self.0.limits;
        let fits = queue.messages < messages && queue.bytes.saturating_add(message.len()) <= bytes;
        let fits = fits || queue.messages == 0;
        if fits {
            self.0.meters.received.increment(1);
            queue.messages += 1;
            queue.bytes += message.len();
            queue.items.push_back(Incoming::Message { topic, message });
        } else {
            self.0.meters.dropped(Dropped::SlowReceiver);
            queue.miss(Some(topic));
        }
        drop(queue);
        self.0.reader.wake();
        fits
    }

    /// Adds [`Incoming::Missed`].
    pub fn missed(&self, topic: Option<Topic>) {
        self.change(|queue| queue.miss(topic));
    }

    /// Adds [`Incoming::Connected`].
    pub fn connected(&self) {
        self.0.meters.connected.set(1.0);
        self.change(|queue| {
            if queue.items.back() != Some(&Incoming::Connected) {
                queue.items.push_back(Incoming::Connected);
            }
        });
    }

    /// Adds [`Incoming::Disconnected`].
    pub fn disconnected(&self) {
        self.0.meters.connected.set(0.0);
        self.change(|queue| {
            // the next `Connected` says all that they say, and the queue stays bounded
            while queue.items.back().is_some_and(|last| !matches!(last, Incoming::Message { .. })) {
                queue.items.pop_back();
            }
            queue.items.push_back(Incoming::Disconnected);
        });
    }

    /// Ends the queue. The receiver still gets what is in it.
    pub fn close(&self) {
        self.0.meters.connected.set(0.0);
        self.change(|queue| queue.is_closed = true);
    }

    fn change(&self, change: impl FnOnce(&mut Queue)) {
        let mut queue = self.0.queue.lock();
        if !queue.is_closed {
            change(&mut queue);
        }
        drop(queue);
        self.0.reader.wake();
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.close();
    }
}

impl Queue {
    /// Notes a loss. There is at most one note between two messages, so the queue stays bounded.
    fn miss(&mut self, topic: Option<Topic>) {
        match self.items.back_mut() {
            Some(Incoming::Missed { topic: noted }) => {
                if *noted != topic {
                    *noted = None;
                }
            }
            _ => self.items.push_back(Incoming::Missed { topic }),
        }
    }

    fn pop(&mut self) -> Option<Incoming> {
        let item = self.items.pop_front()?;
        if let Incoming::Message { message, .. } = &item {
            self.messages -= 1;
            self.bytes -= message.len();
        }
        if self.items.is_empty() {
            // a burst does not keep its memory
            self.items.shrink_to(64);
        }
        Some(item)
    }
}

/// What a node receives from a backplane, in the order of arrival.
#[derive(Debug)]
pub struct Receiver(Arc<Shared>);

impl Receiver {
    /// The next item. `None` once the backplane is closed and everything was received.
    ///
    /// # Cancellation
    /// A future that is dropped has taken nothing from the queue.
    pub async fn recv(&mut self) -> Option<Incoming> {
        poll_fn(|context| self.poll_recv(context)).await
    }

    /// Like [`recv`](Self::recv), for implementations of futures.
    pub fn poll_recv(&mut self, context: &mut Context<'_>) -> Poll<Option<Incoming>> {
        if let Poll::Ready(item) = self.poll_now() {
            return Poll::Ready(item);
        }
        self.0.reader.register(context.waker());
        // something may have been added in between
        self.poll_now()
    }

    /// The next item, if there is one now.
    pub fn try_recv(&mut self) -> Option<Incoming> {
        self.0.queue.lock().pop()
    }

    fn poll_now(&self) -> Poll<Option<Incoming>> {
        let mut queue = self.0.queue.lock();
        match queue.pop() {
            Some(item) => Poll::Ready(Some(item)),
            None if queue.is_closed => Poll::Ready(None),
            None => Poll::Pending,
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let mut queue = self.0.queue.lock();
        queue.is_closed = true;
        queue.items = VecDeque::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &'static str) -> Incoming {
        Incoming::Message { topic: Topic::All, message: text.into() }
    }

    fn all(receiver: &mut Receiver) -> Vec<Incoming> {
        std::iter::from_fn(|| receiver.try_recv()).collect()
    }

    #[test]
    fn a_full_queue_notes_what_is_lost_in_its_place() {
        let (sender, mut receiver) = channel(Limits::default().with_messages(2));
        let node = Topic::Node("n".parse().unwrap());
        for text in ["one", "two"] {
            assert!(sender.message(Topic::All, text.into()));
        }
        for _ in 0..1_000 {
            assert!(!sender.message(Topic::All, "lost".into()));
        }
        assert_eq!(receiver.try_recv(), Some(message("one")));
        assert!(sender.message(Topic::All, "three".into()));
        assert!(!sender.message(Topic::All, "lost".into()));
        assert!(!sender.message(node, "lost".into()));
        let missed = |topic| Incoming::Missed { topic };
        let rest = [message("two"), missed(Some(Topic::All)), message("three"), missed(None)];
        assert_eq!(all(&mut receiver), rest);
    }

    #[test]
    fn bytes_are_limited_and_one_message_always_fits() {
        let (sender, mut receiver) = channel(Limits::default().with_bytes(3));
        assert!(sender.message(Topic::All, "large".into()));
        assert!(!sender.message(Topic::All, "x".into()));
        assert_eq!(receiver.try_recv(), Some(message("large")));
        assert!(sender.message(Topic::All, "abc".into()));
        assert!(!sender.message(Topic::All, "x".into()));
    }

    #[test]
    fn a_connection_that_comes_and_goes_does_not_fill_the_queue() {
        let (sender, mut receiver) = channel(Limits::default());
        sender.connected();
        sender.message(Topic::All, "one".into());
        for _ in 0..1_000 {
            sender.disconnected();
            sender.connected();
            sender.missed(None);
        }
        let last = [Incoming::Disconnected, Incoming::Connected, Incoming::Missed { topic: None }];
        let queued = all(&mut receiver);
        assert_eq!(queued[..2], [Incoming::Connected, message("one")]);
        assert_eq!(queued[2..], last);
    }

    #[tokio::test]
    async fn the_receiver_ends_after_what_is_queued() {
        let (sender, mut receiver) = channel(Limits::default());
        sender.message(Topic::All, "one".into());
        drop(sender);
        assert_eq!(receiver.recv().await, Some(message("one")));
        assert_eq!(receiver.recv().await, None);
    }

    #[test]
    fn nothing_is_queued_for_a_receiver_that_is_gone() {
        let (sender, receiver) = channel(Limits::default());
        drop(receiver);
        assert!(!sender.message(Topic::All, "one".into()));
        sender.connected();
        assert!(sender.0.queue.lock().items.is_empty());
    }
}
