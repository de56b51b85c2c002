//! The queue of messages to publish, and the task that sends them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_nats::{Client, PublishErrorKind};
use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::shared::Shared;
use crate::PublishError;
use crate::metrics::Dropped;

/// The maximum number of messages in the queue.
const MAX_MESSAGES: usize = 4_096;

/// The maximum number of bytes in the queue.
const MAX_BYTES: usize = 16 << 20;

/// A message that was in the queue for longer is dropped: by then the other nodes have read the
/// database.
const MAX_AGE: Duration = Duration::from_secs(2);

/// A message in the queue.
#[derive(Debug)]
pub(super) struct Outgoing {
    subject: String,
    message: Bytes,
    queued_at: Instant,
    bytes: Arc<AtomicUsize>,
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        self.bytes.fetch_sub(self.message.len(), Ordering::Relaxed);
    }
}

/// The end of the queue to which messages are added.
#[derive(Debug)]
pub(super) struct Outbox {
    /// `None` once it is closed.
    queue: Mutex<Option<mpsc::Sender<Outgoing>>>,
    bytes: Arc<AtomicUsize>,
}

impl Outbox {
    pub(super) fn new() -> (Self, mpsc::Receiver<Outgoing>) {
        let (sender, receiver) = mpsc::channel(MAX_MESSAGES);
        (Self { queue: Mutex::new(Some(sender)), bytes: Arc::default() }, receiver)
    }

    /// Adds a message. It never waits.
    pub(super) fn push(&self, subject: String, message: Bytes) -> Result<(), PublishError> {
        let queue = self.queue.lock();
        let queue = queue.as_ref().ok_or(PublishError::Closed)?;
        // only added to under the lock
        let bytes = self.bytes.load(Ordering::Relaxed) + message.len();
        if bytes > MAX_BYTES {
            return Err(PublishError::Full);
        }
        self.bytes.fetch_add(message.len(), Ordering::Relaxed);
        let outgoing =
            Outgoing { subject, message, queued_at: Instant::now(), bytes: Arc::clone(&self.bytes) };
        queue.try_send(outgoing).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => PublishError::Full,
            mpsc::error::TrySendError::Closed(_) => PublishError::Closed,
        })
    }

    /// Whether it was closed.
    pub(super) fn is_closed(&self) -> bool {
        self.queue.lock().is_none()
    }

    /// Closes the queue. What is in it is still sent.
    pub(super) fn close(&self) {
        *self.queue.lock() = None;
    }
}

/// Sends what is queued, until the queue is closed.
pub(super) async fn publish(shared: &Shared, client: &Client, mut queue: mpsc::Receiver<Outgoing>) {
    let mut link = shared.link.subscribe();
    while let Some(outgoing) = queue.recv().await {
        if !link.borrow_and_update().is_up {
            shared.meters.dropped(Dropped::NotConnected);
        } else if outgoing.queued_at.elapsed() > MAX_AGE {
            shared.meters.dropped(Dropped::Expired);
        } else {
            let (subject, message) = (outgoing.subject.clone(), outgoing.message.clone());
            tokio::select! {
                biased;
                sent = client.publish(subject, message) => match sent.map_err(|error| error.kind()) {
                    Ok(()) => shared.meters.published.increment(1),
                    Err(PublishErrorKind::MaxPayloadExceeded) => {
                        shared.meters.dropped(Dropped::TooLarge);
                        shared.server_error("a message is larger than the server's max_payload");
                    }
                    Err(_) => shared.meters.dropped(Dropped::Closed),
                },
                // the library's own queue is full, and stays so until there is a connection
                _ = link.wait_for(|link| !link.is_up) => shared.meters.dropped(Dropped::NotConnected),
            }
        }
    }
}
