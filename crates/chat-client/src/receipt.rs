//! A message on its way.

use std::pin::Pin;
use std::task::{Context, Poll};

use chat_protocol::MessageId;
use chat_protocol::v2::Ack;

use crate::command::Asked;
use crate::model::CommandError;

/// A message that was sent. It resolves once: when the server has stored it or refused it, or the client is closed for good.
///
/// Not cancel-safe: dropped before it was [accepted](Self::accepted), nothing is said; later, the message is sent all the same. It may
/// be moved to another task and awaited there.
#[derive(Debug)]
#[must_use = "dropped, nobody learns whether the message was stored, and one that still waits for its place is not sent"]
pub struct Receipt {
    id: MessageId,
    asked: Asked<Ack>,
}

impl Receipt {
    pub(crate) fn new(id: MessageId, asked: Asked<Ack>) -> Self {
        Self { id, asked }
    }

    /// What the message is called.
    pub fn id(&self) -> &MessageId {
        &self.id
    }

    /// Resolves when the message is one of the [`Options::unacked`](crate::Options::unacked) that may wait for their ack: from then on
    /// it is sent whatever becomes of this. Who sends one message after the other without awaiting acks awaits this, so that no
    /// more gather than can be sent. Cancel-safe: dropped before it resolves, the message goes on waiting for its place.
    ///
    /// # Errors
    /// [`CommandError::Closed`]: nothing was said.
    pub async fn accepted(&mut self) -> Result<(), CommandError> {
        self.asked.placed().await
    }
}

impl Future for Receipt {
    type Output = Result<Ack, CommandError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.asked).poll(cx)
    }
}
