//! The contract of a backplane.

use std::fmt;

use bytes::Bytes;
use futures::future::BoxFuture;

use crate::{PublishError, SubscribeError, Topic};

/// What carries messages between the nodes of a cluster, as one node has it. It comes together with
/// a [`Receiver`](crate::Receiver), which has what arrives.
///
/// A backplane is fast, and may lose messages. The truth is in the database: a node reads there
/// what it may have missed.
///
/// # Delivery
/// - A message arrives at all nodes that have subscribed to its topic, except the one that has
///   published it.
/// - Messages of one node on one topic arrive in the order in which they were published, and each
///   at most once. Nothing is promised about the order of different topics or nodes.
/// - Messages may be lost. If that happens at the receiving node (its connection broke, or it reads
///   too slowly), the receiver says so:
///   [`Connected`](crate::Incoming::Connected) or [`Missed`](crate::Incoming::Missed). If it
///   happens elsewhere (the publishing node is not connected), nothing says so. Therefore nodes
///   also poll the database from time to time.
///
/// # Connection
/// The receiver has [`Connected`](crate::Incoming::Connected) each time that the backplane is
/// connected and all subscriptions are active, the first time too, and
/// [`Disconnected`](crate::Incoming::Disconnected) when that ends.
///
/// # Implementing a backplane
/// [`channel`](crate::channel) makes the receiver, with the queue behind it. The suite
/// `conformance` (feature `conformance`) tests all of this.
///
/// ```
/// use bytes::Bytes;
/// use chat_backplane::{Backplane, Hub, Incoming, Topic};
/// use chat_protocol::RoomName;
///
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// let hub = Hub::new();
/// let ((here, _), (there, mut receiver)) = (hub.join(), hub.join());
/// let lobby = Topic::Room(RoomName::parse("lobby")?);
/// there.subscribe(lobby.clone()).await?;
/// here.publish(&lobby, Bytes::from_static(b"hello"))?;
///
/// assert_eq!(receiver.recv().await, Some(Incoming::Connected));
/// let message = Incoming::Message { topic: lobby.clone(), message: Bytes::from_static(b"hello") };
/// assert_eq!(receiver.recv().await, Some(message));
///
/// there.unsubscribe(&lobby);
/// here.close().await;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Backplane: fmt::Debug + Send + Sync + 'static {
    /// Publishes a message. It is put into a bounded queue and sent later; this never waits. What
    /// is refused, or dropped later, is counted in `chatd_backplane_dropped_total`.
    ///
    /// # Errors
    /// [`PublishError`] if the message is too large, the queue is full, there is no connection, or
    /// the backplane is closed. The message is lost then.
    fn publish(&self, topic: &Topic, message: Bytes) -> Result<(), PublishError>;

    /// Subscribes to a topic. When this resolves without an error, everything that any other node
    /// publishes from now on arrives. So a node subscribes first, and reads the newest state from
    /// the database then. Subscribing to a topic twice is the same as once.
    ///
    /// It takes a few seconds at most.
    ///
    /// # Errors
    /// [`SubscribeError::NotConnected`] at once if there is no connection, and
    /// [`SubscribeError::TimedOut`] if the subscription is not confirmed in time. In both cases the
    /// topic is subscribed to nevertheless, until [`unsubscribe`](Self::unsubscribe). When the
    /// subscription becomes active, the receiver gets [`Connected`](crate::Incoming::Connected), or
    /// [`Missed`](crate::Incoming::Missed) for this topic.
    ///
    /// [`SubscribeError::Unsubscribed`] if another call unsubscribes at the same time,
    /// [`SubscribeError::Closed`] if the backplane is closed.
    ///
    /// # Cancellation
    /// A future that is dropped before it was polled has no effect. One that is dropped later has
    /// subscribed to the topic: the caller unsubscribes if it does not want that.
    fn subscribe(&self, topic: Topic) -> BoxFuture<'_, Result<(), SubscribeError>>;

    /// Unsubscribes from a topic. Nothing more is queued for the receiver; what was queued before
    /// still arrives. Does nothing if the topic is not subscribed to.
    fn unsubscribe(&self, topic: &Topic);

    /// Whether the backplane is connected, and all subscriptions that have resolved are active.
    ///
    /// A connection that breaks without a sign is noticed late: see the implementation.
    fn is_connected(&self) -> bool;

    /// Sends what is queued, for up to 2 s, and ends the backplane. The receiver ends after what
    /// was queued for it. Closing twice is not an error.
    ///
    /// # Cancellation
    /// A future that is dropped after it was polled has closed the backplane. It does not wait for
    /// the rest of the queue.
    fn close(&self) -> BoxFuture<'_, ()>;
}
