//! Proof that the server has processed everything that was sent to it.
//!
//! The library's `flush` returns when bytes are written to the socket, which proves nothing about
//! the server, and it does not show the replies to pings. So a message makes the trip instead: from
//! the connection of the backplane through the server to a second connection, which answers it. The
//! server processes what a connection sends in order, so everything before it was processed, too.
//!
//! The server itself answers a request that has no subscriber. That is as good, and happens while
//! the second connection is not there yet. The second connection is needed because any other client
//! that subscribes to everything, to watch what happens, would suppress that answer.

use async_nats::{Client, Subscriber};
use bytes::Bytes;
use futures::StreamExt;

use super::subject::Subjects;

/// Makes round trips on a connection.
#[derive(Debug)]
pub(super) struct RoundTrips {
    client: Client,
    /// Where the second connection listens.
    echo: String,
    /// The beginning of the subjects of replies.
    reply: String,
    replies: Subscriber,
    last: u64,
}

/// The connection has ended.
#[derive(Debug)]
pub(super) struct Ended;

impl RoundTrips {
    /// `id` is that of the second connection. The name tells these round trips from others.
    pub(super) async fn new(
        client: &Client,
        subjects: &Subjects,
        id: &str,
        name: &str,
    ) -> Result<Self, Ended> {
        let reply = subjects.reply(&format!("{id}-{name}"));
        let replies = client.subscribe(format!("{reply}.*")).await.map_err(|_| Ended)?;
        Ok(Self { client: client.clone(), echo: subjects.echo(id), reply, replies, last: 0 })
    }

    /// Resolves when the server has processed everything that the client was given before. It does
    /// not resolve if the connection breaks meanwhile: the caller limits the time.
    ///
    /// A future that is dropped has no effect on the next trip.
    pub(super) async fn make(&mut self) -> Result<(), Ended> {
        self.last += 1;
        let reply = format!("{}.{}", self.reply, self.last);
        let sent = self.client.publish_with_reply(self.echo.clone(), reply.clone(), Bytes::new());
        sent.await.map_err(|_| Ended)?;
        while let Some(message) = self.replies.next().await {
            if message.subject.as_str() == reply {
                return Ok(());
            }
        }
        Err(Ended)
    }
}

/// Answers the messages of round trips, on a connection of its own, until that ends.
pub(super) async fn answer(client: Client, subject: String) {
    let Ok(mut requests) = client.subscribe(subject).await else { return };
    while let Some(request) = requests.next().await {
        if let Some(reply) = request.reply
            && client.publish(reply, Bytes::new()).await.is_err()
        {
            return;
        }
    }
}
