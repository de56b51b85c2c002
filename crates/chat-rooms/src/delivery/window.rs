//! The limit on one sender's messages in flight.

use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;

use crate::sync::Notify;
use crate::sync::atomic::{AtomicUsize, Ordering};

/// Limits the messages that a sender has in flight: accepted, but not yet stored and offered to
/// every member.
///
/// Clones share the same window. A connection that sends to several rooms uses one window for all
/// of them.
#[derive(Debug, Clone)]
pub struct SendWindow {
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    max_messages: usize,
    max_bytes: usize,
    messages: AtomicUsize,
    bytes: AtomicUsize,
    /// Notified whenever a message is no longer in flight.
    progress: Notify,
}

impl Default for SendWindow {
    /// 64 messages and 1 MiB.
    fn default() -> Self {
        Self::new(64, 1 << 20)
    }
}

impl SendWindow {
    /// Creates a window of `max_messages` messages and `max_bytes` bytes. The engine counts about
    /// the bytes that a message takes on the wire.
    ///
    /// The message that reaches a limit is still accepted.
    ///
    /// ```
    /// use chat_rooms::SendWindow;
    ///
    /// let window = SendWindow::new(64, 1 << 20);
    /// assert!(window.is_open());
    /// ```
    pub fn new(max_messages: usize, max_bytes: usize) -> Self {
        let (messages, bytes) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Self { state: Arc::new(State { max_messages, max_bytes, messages, bytes, progress: Notify::new() }) }
    }

    /// Returns whether one more message can be sent now.
    pub fn is_open(&self) -> bool {
        let State { max_messages, max_bytes, messages, bytes, .. } = &*self.state;
        messages.load(Ordering::Acquire) < *max_messages && bytes.load(Ordering::Acquire) < *max_bytes
    }

    /// Waits until one more message can be sent. Cancel-safe.
    pub async fn open(&self) {
        loop {
            // created before the check, so that no progress is missed in between
            let progress = self.state.progress.notified();
            if self.is_open() {
                return;
            }
            progress.await;
        }
    }

    pub(crate) fn take(&self, bytes: usize, budget: OwnedSemaphorePermit) -> InFlightGuard {
        self.state.messages.fetch_add(1, Ordering::AcqRel);
        self.state.bytes.fetch_add(bytes, Ordering::AcqRel);
        InFlightGuard { state: Arc::clone(&self.state), bytes, _budget: budget }
    }
}

/// A message's share of a sender's window and of the engine's budget.
///
/// Dropping it returns the share. It is dropped with the batch that contains the message, once that
/// was offered to every member, or when the message is refused.
#[derive(Debug)]
pub(crate) struct InFlightGuard {
    state: Arc<State>,
    bytes: usize,
    _budget: OwnedSemaphorePermit,
}

impl Drop for InFlightGuard {
    fn drop(&mut self) {
        self.state.messages.fetch_sub(1, Ordering::AcqRel);
        self.state.bytes.fetch_sub(self.bytes, Ordering::AcqRel);
        self.state.progress.notify_waiters();
    }
}
