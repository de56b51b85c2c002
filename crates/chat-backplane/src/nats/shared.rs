//! What the tasks of a backplane share.

use std::sync::atomic::{AtomicBool, Ordering};

use chat_log::{Occasional, Passed};
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use super::topics::Topics;
use crate::metrics::{Dropped, Meters};
use crate::{Sender, Topic};

/// The state of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Link {
    /// Counts connections.
    pub(super) number: u64,
    /// Whether this connection is there.
    pub(super) is_up: bool,
    /// Whether all subscriptions are active on it, and the receiver knows.
    pub(super) is_announced: bool,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) topics: Mutex<Topics>,
    pub(super) incoming: Sender,
    pub(super) link: watch::Sender<Link>,
    /// Wakes the driver when there are topics to subscribe to.
    pub(super) changed: Notify,
    pub(super) meters: Meters,
    /// Set at the end, so that the library stops connecting.
    pub(super) is_closed: AtomicBool,
    logs: Logs,
}

/// Limits for log lines, which the server or the network may cause at any rate.
#[derive(Debug, Default)]
struct Logs {
    connected: Occasional,
    lost: Occasional,
    failures: Occasional,
    errors: Occasional,
    slow: Occasional,
    unconfirmed: Occasional,
}

impl Shared {
    pub(super) fn new(incoming: Sender, meters: Meters) -> Self {
        Self {
            topics: Mutex::default(),
            incoming,
            link: watch::Sender::default(),
            changed: Notify::new(),
            meters,
            is_closed: AtomicBool::new(false),
            logs: Logs::default(),
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }

    /// Notes that there is a connection, of this number or the next one.
    pub(super) fn link_up(&self, number: Option<u64>) {
        self.link.send_modify(|link| {
            if link.is_announced {
                self.incoming.disconnected();
            }
            let number = number.unwrap_or(link.number + 1);
            *link = Link { number, is_up: true, is_announced: false };
            if number > 1 {
                self.meters.reconnects.increment(1);
            }
        });
        if let Some(Passed { suppressed }) = self.logs.connected.pass() {
            tracing::info!(suppressed, "connected to NATS");
        }
    }

    /// Notes that the connection was lost.
    pub(super) fn link_down(&self) {
        let was_up = self.link.send_if_modified(|link| {
            if link.is_announced {
                self.incoming.disconnected();
            }
            let was_up = link.is_up;
            *link = Link { number: link.number, is_up: false, is_announced: false };
            was_up
        });
        if was_up
            && !self.is_closed()
            && let Some(Passed { suppressed }) = self.logs.lost.pass()
        {
            tracing::warn!(suppressed, "the connection to NATS was lost");
        }
    }

    /// Tells the receiver that all subscriptions are active, unless the connection is another one
    /// by now, or it knows already. Returns whether it was notified.
    pub(super) fn announce(&self, number: u64) -> bool {
        self.link.send_if_modified(|link| {
            let is_new = link.number == number && link.is_up && !link.is_announced;
            if is_new {
                link.is_announced = true;
                self.incoming.connected();
            }
            is_new
        })
    }

    /// Adds a message for the receiver, unless its subscription has ended.
    pub(super) fn deliver(&self, topic: Topic, id: u64, message: bytes::Bytes) {
        // under the lock, so that nothing is added after `unsubscribe` has returned
        let topics = self.topics.lock();
        if topics.is_current(&topic, id) && !self.incoming.message(topic, message) {
            drop(topics);
            self.warn_slow();
        }
    }

    /// Notes that the library has dropped a message because this process was too slow.
    pub(super) fn overrun(&self) {
        self.meters.dropped(Dropped::SlowReceiver);
        self.incoming.missed(None);
        self.warn_slow();
    }

    fn warn_slow(&self) {
        if let Some(Passed { suppressed }) = self.logs.slow.pass() {
            tracing::warn!(
                suppressed,
                "this node reads messages of other nodes too slowly: some were dropped"
            );
        }
    }

    /// Logs and counts an error that the server has reported.
    pub(super) fn server_error(&self, error: &str) {
        self.meters.errors.increment(1);
        if let Some(Passed { suppressed }) = self.logs.errors.pass() {
            tracing::warn!(error, suppressed, "NATS has reported an error");
        }
    }

    /// Logs and counts a failed attempt to connect.
    pub(super) fn connect_failed(&self, server: &str, error: &str) {
        self.meters.errors.increment(1);
        if let Some(Passed { suppressed }) = self.logs.failures.pass() {
            tracing::warn!(server, error, suppressed, "cannot connect to NATS, and tries again");
        }
    }

    /// Logs and counts that subscriptions were not confirmed.
    pub(super) fn unconfirmed(&self, prefix: &str) {
        self.meters.errors.increment(1);
        if let Some(Passed { suppressed }) = self.logs.unconfirmed.pass() {
            tracing::warn!(
                suppressed,
                "NATS has not confirmed subscriptions in time: it is overloaded, or its user lacks the permission to publish and subscribe to \"{prefix}.>\""
            );
        }
    }
}
