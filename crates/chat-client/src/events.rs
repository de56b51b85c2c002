//! The stream of events.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures::Stream;
use tokio::sync::mpsc;

use crate::model::Event;

/// The events of a client in their order: the first is [`Event::Connected`], the last is
/// [`Event::Closed`].
///
/// The client makes progress only while the program reads them. While
/// [`Options::event_buffer`](crate::Options::event_buffer) events are unread, the client reads
/// nothing more from the server, so commands are not answered either. Read events in a task of
/// their own or concurrently with commands, never only after them. A program that does not need
/// events drops this: then they are discarded, and everything else continues.
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use chat_client::{Client, Event, Options};
///
/// let options = Options::new("ws://127.0.0.1:8000/ws", "ana".parse()?);
/// let (client, mut events) = Client::connect(options).await?;
/// tokio::spawn(async move {
///     while let Some(event) = events.next().await {
///         if let Event::Message { room, message } = event {
///             println!("{room}: {message:?}");
///         }
///     }
/// });
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use = "the client stalls while too many events are unread; drop this to discard them"]
pub struct Events {
    events: mpsc::Receiver<Event>,
}

impl Events {
    pub(crate) fn new(events: mpsc::Receiver<Event>) -> Self {
        Self { events }
    }

    /// The next event. `None` after [`Event::Closed`]. Cancel-safe: if this is dropped before it
    /// resolves, no event is lost.
    ///
    /// ```no_run
    /// # async fn run(mut events: chat_client::Events) {
    /// while let Some(event) = events.next().await {
    ///     println!("{event:?}");
    /// }
    /// # }
    /// ```
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
