//! The metrics of a backplane, for the recorder of the [`metrics`] facade that is installed before
//! the backplane is made.

use std::fmt;

use metrics::{Counter, Gauge, counter, describe_counter, describe_gauge, gauge};

use crate::PublishError;

/// Why a message was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dropped {
    /// The queue of messages to publish is full.
    QueueFull,
    /// The message is too large.
    TooLarge,
    /// There is no connection.
    NotConnected,
    /// The backplane is closed.
    Closed,
    /// It was in the queue for too long.
    #[cfg(feature = "nats")]
    Expired,
    /// The receiver of this node reads too slowly.
    SlowReceiver,
}

impl Dropped {
    fn reason(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::TooLarge => "too_large",
            Self::NotConnected => "not_connected",
            Self::Closed => "closed",
            #[cfg(feature = "nats")]
            Self::Expired => "expired",
            Self::SlowReceiver => "slow_receiver",
        }
    }
}

impl From<PublishError> for Dropped {
    fn from(error: PublishError) -> Self {
        match error {
            PublishError::Full => Self::QueueFull,
            PublishError::TooLarge { .. } => Self::TooLarge,
            PublishError::NotConnected => Self::NotConnected,
            PublishError::Closed => Self::Closed,
        }
    }
}

/// The handles, looked up once.
#[derive(Clone)]
pub(crate) struct Meters {
    pub(crate) connected: Gauge,
    pub(crate) published: Counter,
    pub(crate) received: Counter,
    #[cfg(feature = "nats")]
    pub(crate) reconnects: Counter,
    #[cfg(feature = "nats")]
    pub(crate) errors: Counter,
    slow_receiver: Counter,
}

impl fmt::Debug for Meters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meters").finish_non_exhaustive()
    }
}

const DROPPED: &str = "chatd_backplane_dropped_total";

impl Meters {
    pub(crate) fn new() -> Self {
        describe_gauge!(
            "chatd_backplane_connected",
            "1 while this node is connected to the other nodes through the backplane, else 0"
        );
        describe_counter!("chatd_backplane_published_total", "Messages sent to other nodes");
        describe_counter!("chatd_backplane_received_total", "Messages received from other nodes");
        describe_counter!(
            DROPPED,
            "Messages between nodes that were dropped, by reason; nodes find in the database what they miss"
        );
        describe_counter!(
            "chatd_backplane_reconnects_total",
            "How often the connection of the backplane was established again"
        );
        describe_counter!(
            "chatd_backplane_errors_total",
            "Failed attempts to connect, and errors that the server of the backplane has reported"
        );
        Self {
            connected: gauge!("chatd_backplane_connected"),
            published: counter!("chatd_backplane_published_total"),
            received: counter!("chatd_backplane_received_total"),
            #[cfg(feature = "nats")]
            reconnects: counter!("chatd_backplane_reconnects_total"),
            #[cfg(feature = "nats")]
            errors: counter!("chatd_backplane_errors_total"),
            slow_receiver: counter!(DROPPED, "reason" => Dropped::SlowReceiver.reason()),
        }
    }

    /// Counts a message that was dropped.
    pub(crate) fn dropped(&self, why: Dropped) {
        match why {
            Dropped::SlowReceiver => self.slow_receiver.increment(1),
            other => counter!(DROPPED, "reason" => other.reason()).increment(1),
        }
    }
}
