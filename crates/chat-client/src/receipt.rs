//! The receipt of a message.

use std::pin::Pin;
use std::task::{Context, Poll};

use chat_protocol::MessageId;

use crate::command::PendingReply;
use crate::model::{Ack, CommandError};

/// The receipt of a message. It resolves once: when the server has stored or refused the message,
/// or when the client is closed for good.
///
/// Not cancel-safe: if this is dropped before the message was [accepted](Self::accepted), the
/// message is not sent. If it is dropped later, the message is sent anyway. A receipt may be moved
/// to another task and awaited there.
///
/// ```no_run
/// # async fn run(client: chat_client::Client) -> Result<(), Box<dyn std::error::Error>> {
/// let receipt = client.send(&"lobby".parse()?, "hello");
/// let ack = receipt.await?;
/// println!("stored as number {}", ack.seq);
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use = "without its receipt, a message that waits for capacity is not sent, and the outcome is unknown"]
pub struct Receipt {
    id: MessageId,
    reply: PendingReply<Ack>,
}

impl Receipt {
    pub(crate) fn new(id: MessageId, reply: PendingReply<Ack>) -> Self {
        Self { id, reply }
    }

    /// The id of the message.
    ///
    /// ```no_run
    /// # async fn run(client: chat_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let receipt = client.send(&"lobby".parse()?, "hello");
    /// println!("sending {}", receipt.id());
    /// # receipt.await?;
    /// # Ok(()) }
    /// ```
    pub fn id(&self) -> &MessageId {
        &self.id
    }

    /// Resolves when the message is one of the
    /// [`Options::max_in_flight`](crate::Options::max_in_flight) messages in flight. From then on
    /// it is sent, even if the receipt is dropped. Await this after each message when you send many
    /// without awaiting their acks, so that the backlog does not grow. Cancel-safe: if this is
    /// dropped before it resolves, the message keeps waiting for capacity.
    ///
    /// # Errors
    /// [`CommandError::Closed`]: the message was not sent.
    ///
    /// ```no_run
    /// # async fn run(client: chat_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let lobby = "lobby".parse()?;
    /// for line in ["one", "two", "three"] {
    ///     let mut receipt = client.send(&lobby, line);
    ///     receipt.accepted().await?;
    ///     tokio::spawn(async move {
    ///         if let Err(error) = receipt.await {
    ///             eprintln!("not sent: {error}");
    ///         }
    ///     });
    /// }
    /// # Ok(()) }
    /// ```
    pub async fn accepted(&mut self) -> Result<(), CommandError> {
        self.reply.accepted().await
    }
}

impl Future for Receipt {
    type Output = Result<Ack, CommandError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.reply).poll(cx)
    }
}
