//! Where a member's events go: the face of whatever stands behind a member.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use chat_protocol::Event;
use futures::Stream;
use tokio::sync::mpsc;

use crate::{EncodingId, Frames};

/// The outlet takes nothing more: its reader is too slow, or gone. The member is put out of its room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the reader is too slow, or disconnected")]
pub struct SinkClosed;

/// Takes events as bytes. An [`Outbox`](crate::delivery::budget::Outbox) is one.
pub trait FrameSink: Send + Sync + 'static {
    /// Takes all of it at once, or nothing more ever again. Must not wait, and must not call into a room.
    ///
    /// # Errors
    /// [`SinkClosed`]: the member leaves.
    fn offer(&self, frames: &[Frames]) -> Result<(), SinkClosed>;

    /// What the member was to get could not be encoded (the encoding panicked): the member leaves, and its reader has to hear of it, lest it waits
    /// for ever. Must not wait, and must not call into a room.
    fn fail(&self) {}

    /// Somebody else asks for this member's name: find out whether its reader still lives. Must not wait.
    fn probe(&self) {}
}

/// Takes events as they are.
pub trait EventSink: Send + Sync + 'static {
    /// Takes the event, or nothing more ever again. Must not wait, and must not call into a room.
    ///
    /// # Errors
    /// [`SinkClosed`]: the member leaves.
    fn offer(&self, event: &Arc<Event>) -> Result<(), SinkClosed>;

    /// Somebody else asks for this member's name: find out whether its reader still lives. Must not wait.
    fn probe(&self) {}
}

/// Where a member's events go.
#[derive(Clone)]
pub enum Sink {
    /// To somebody who wants them typed: nothing is encoded for it.
    Events(Arc<dyn EventSink>),
    /// To somebody who wants the bytes of one encoding.
    Frames {
        /// The encoding: one that was given to the builder of the engine. With any other the sink fails at its first event.
        encoding: EncodingId,
        /// To whom.
        sink: Arc<dyn FrameSink>,
    },
}

impl Sink {
    /// A channel of typed events, of which at most `capacity` may wait: whoever lets more gather is put out.
    ///
    /// # Panics
    /// When `capacity` is 0.
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

    /// Whether both lead to the same place.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.address() == other.address()
    }

    /// Where it leads to: the same for all clones, and for all outlets with the same sink.
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

/// The events of one member, from [`Sink::channel`].
#[derive(Debug)]
pub struct Events {
    receiver: mpsc::Receiver<Arc<Event>>,
}

impl Events {
    /// The next event. None once the member is out of the room: it left, or it was put out because it read too slowly, and
    /// has read what was left. Cancel-safe.
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
