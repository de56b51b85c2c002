//! Why a backplane did not do what it was asked to.

use crate::MAX_MESSAGE;

/// Why a message was not published. It is lost: the caller does not publish it again, because the
/// other nodes find in the database what they miss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The queue of messages is full: they are published faster than they can be sent.
    #[error("the queue of the backplane is full")]
    Full,
    /// The message has more than [`MAX_MESSAGE`] bytes.
    #[error("a message of {size} bytes is too large for the backplane (maximum: {MAX_MESSAGE})")]
    TooLarge {
        /// The size in bytes.
        size: usize,
    },
    /// There is no connection to the other nodes.
    #[error("the backplane is not connected")]
    NotConnected,
    /// The backplane was closed.
    #[error("the backplane is closed")]
    Closed,
}

/// Why a subscription is not active yet. Unless the error is [`Closed`](Self::Closed) or
/// [`Unsubscribed`](Self::Unsubscribed), the topic is subscribed to: see
/// [`Backplane::subscribe`](crate::Backplane::subscribe).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubscribeError {
    /// There is no connection. The subscription becomes active with the connection.
    #[error("the backplane is not connected")]
    NotConnected,
    /// The subscription was not confirmed in time. It becomes active later.
    #[error("the backplane did not confirm the subscription in time")]
    TimedOut,
    /// The topic was unsubscribed from at the same time.
    #[error("the topic was unsubscribed from")]
    Unsubscribed,
    /// The backplane was closed.
    #[error("the backplane is closed")]
    Closed,
}
