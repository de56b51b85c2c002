//! How much one sender may have on its way.

use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;

use crate::sync::Notify;
use crate::sync::atomic::{AtomicUsize, Ordering};

/// How much a sender may have on its way at once: accepted, and not yet stored and offered to everyone. Clones are the same
/// window: a connection that speaks in several rooms has one for all of them.
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
    /// Rung whenever something has arrived.
    progress: Notify,
}

impl Default for SendWindow {
    /// 64 messages, 1 MiB.
    fn default() -> Self {
        Self::new(64, 1 << 20)
    }
}

impl SendWindow {
    /// A window of so many messages and so many bytes, as the engine counts them: about what they take on the wire. The message
    /// that reaches a limit is still taken.
    pub fn new(max_messages: usize, max_bytes: usize) -> Self {
        let (messages, bytes) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Self { state: Arc::new(State { max_messages, max_bytes, messages, bytes, progress: Notify::new() }) }
    }

    /// Whether one more may be sent now.
    pub fn is_open(&self) -> bool {
        let State { max_messages, max_bytes, messages, bytes, .. } = &*self.state;
        messages.load(Ordering::Acquire) < *max_messages && bytes.load(Ordering::Acquire) < *max_bytes
    }

    /// Resolves when one more may be sent. Cancel-safe.
    pub async fn open(&self) {
        loop {
            // made before the state is looked at, so that nothing is missed in between
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

/// A place in a sender's window and in the engine's budget. Given back when it is dropped: with the batch that told the
/// message, once everyone was offered it, or when the message was refused.
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
