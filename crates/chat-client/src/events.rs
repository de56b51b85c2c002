//! The reader's end of what a client tells.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures::Stream;
use tokio::sync::mpsc;

use crate::model::Event;

/// What happens, in its order: the first is [`Event::Connected`], the last [`Event::Closed`].
///
/// It has to be read for the client to go on: with [`Options::event_buffer`](crate::Options::event_buffer) events unread, nothing more
/// is read from the server, and so no command is answered either. So read it in a task of its own, or beside the commands, never
/// only after them. Who does not want to know drops it: then events are thrown away, and everything else goes on.
#[derive(Debug)]
#[must_use = "with many events unread the client stands still; drop it to hear none"]
pub struct Events {
    events: mpsc::Receiver<Event>,
}

impl Events {
    pub(crate) fn new(events: mpsc::Receiver<Event>) -> Self {
        Self { events }
    }

    /// The next event; none after [`Event::Closed`]. Cancel-safe: dropped before it resolves, no event is lost.
    pub async fn next(&mut self) -> Option<Event> {
        self.events.recv().await
    }
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.events.poll_recv(cx)
    }
}
