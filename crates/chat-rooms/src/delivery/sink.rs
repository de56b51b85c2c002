//! Sinks: where the events of a member go.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use chat_protocol::Event;
use futures::Stream;
use tokio::sync::mpsc;

use crate::{EncodingId, Frames};

/// The sink accepts no more events, because its reader is disconnected or too slow.
///
/// The member is removed from the room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the reader is too slow, or disconnected")]
pub struct SinkClosed;

/// Accepts encoded events. The `Outbox` of the crate `chat-outbox` is one.
pub trait FrameSink: Send + Sync + 'static {
    /// Accepts all of the frames at once, or nothing now and never again.
    ///
    /// Must not block, and must not call into a room.
    ///
    /// # Errors
    /// [`SinkClosed`] if the sink accepts no more frames. The member leaves the room.
    fn offer(&self, frames: &[Frames]) -> Result<(), SinkClosed>;

    /// Called when an event for the member could not be encoded: its encoding panicked, or is not
    /// one of the engine's encodings. The member leaves the room. The sink has to end its reader's
    /// connection, so that the reader does not wait forever.
    ///
    /// Must not block, and must not call into a room. The default implementation does nothing.
    fn fail(&self) {}

    /// Called when another client asks for this member's name: the sink should check whether its
    /// reader is still alive.
    ///
    /// Must not block. The default implementation does nothing.
    fn probe(&self) {}
}

/// Accepts typed events, without encoding them.
pub trait EventSink: Send + Sync + 'static {
    /// Accepts the event, or nothing now and never again.
    ///
    /// Must not block, and must not call into a room.
    ///
    /// # Errors
    /// [`SinkClosed`] if the sink accepts no more events. The member leaves the room.
    fn offer(&self, event: &Arc<Event>) -> Result<(), SinkClosed>;

    /// Called when another client asks for this member's name: the sink should check whether its
    /// reader is still alive.
    ///
    /// Must not block. The default implementation does nothing.
    fn probe(&self) {}
}

/// Where the events of a member go.
#[derive(Clone)]
pub enum Sink {
    /// A sink for typed events. Nothing is encoded for it.
    Events(Arc<dyn EventSink>),
    /// A sink for the bytes of one encoding.
    Frames {
        /// The encoding, which has to be one that was given to the builder of the engine. With any
        /// other, the sink fails at its first event.
        encoding: EncodingId,
        /// The sink.
        sink: Arc<dyn FrameSink>,
    },
}

impl Sink {
    /// Creates a channel of typed events that buffers at most `capacity` of them.
    ///
    /// The member is removed from its room if an event arrives while the buffer is full.
    ///
    /// # Panics
    /// If `capacity` is 0.
    ///
    /// ```
    /// use chat_rooms::{Sink, Subscribe};
    ///
    /// let (sink, events) = Sink::channel(1_000);
    /// let subscribe = Subscribe::new(sink).history(50);
    /// # drop((subscribe, events));
    /// ```
    pub fn channel(capacity: usize) -> (Self, Events) {
        let (sender, receiver) = mpsc::channel(capacity);
        (Self::Events(Arc::new(sender)), Events { receiver })
    }

    pub(crate) fn encoding(&self) -> Option<EncodingId> {
        match self {
            Self::Events(_) => None,
            Self::Frames { encoding, .. } => Some(*encoding),
        }
    }

    /// Whether both lead to the same underlying sink.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.address() == other.address()
    }

    /// The address of the underlying sink, which is the same for all clones.
    pub(crate) fn address(&self) -> usize {
        match self {
            Self::Events(sink) => Arc::as_ptr(sink).addr(),
            Self::Frames { sink, .. } => Arc::as_ptr(sink).addr(),
        }
    }

    pub(crate) fn probe(&self) {
        match self {
            Self::Events(sink) => sink.probe(),
            Self::Frames { sink, .. } => sink.probe(),
        }
    }
}

impl fmt::Debug for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Events(_) => f.write_str("Events"),
            Self::Frames { encoding, .. } => write!(f, "Frames({encoding:?})"),
        }
    }
}

impl EventSink for mpsc::Sender<Arc<Event>> {
    fn offer(&self, event: &Arc<Event>) -> Result<(), SinkClosed> {
        self.try_send(Arc::clone(event)).map_err(|_| SinkClosed)
    }
}

/// The receiving half of [`Sink::channel`]: the events of one member.
#[derive(Debug)]
pub struct Events {
    receiver: mpsc::Receiver<Arc<Event>>,
}

impl Events {
    /// Receives the next event.
    ///
    /// Returns `None` once the channel is closed and every buffered event was received. The channel
    /// is closed when the member has left the room, was removed from it, for example because it
    /// read too slowly, or was [detached](crate::Membership::detach).
    ///
    /// Cancel-safe.
    pub async fn next(&mut self) -> Option<Arc<Event>> {
        self.receiver.recv().await
    }
}

impl Stream for Events {
    type Item = Arc<Event>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.receiver.poll_recv(cx)
    }
}
