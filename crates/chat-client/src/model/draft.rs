//! Messages that are not sent yet.

use std::sync::Arc;

/// A message to send: a text, and perhaps the message that it replies to. A text alone converts to
/// one.
///
/// ```no_run
/// # async fn run(client: chat_client::Client) -> Result<(), Box<dyn std::error::Error>> {
/// use chat_client::Draft;
///
/// let lobby = "lobby".parse()?;
/// let question = client.send(&lobby, "tea or coffee?").await?;
/// client.send(&lobby, Draft::new("tea").reply_to(question.seq)).await?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Draft {
    /// The text, in Markdown.
    pub body: Arc<str>,
    /// The number of the message that this one replies to. If it does not exist or was deleted, the
    /// message is refused with [`NotFound`](chat_protocol::v2::ErrorCode::NotFound).
    pub reply_to: Option<u64>,
}

impl Draft {
    /// A message with this text.
    pub fn new(body: impl Into<Arc<str>>) -> Self {
        Self { body: body.into(), reply_to: None }
    }

    /// Makes it a reply to the message with this number.
    #[must_use]
    pub fn reply_to(self, target: u64) -> Self {
        Self { reply_to: Some(target), ..self }
    }
}

impl<T: Into<Arc<str>>> From<T> for Draft {
    fn from(body: T) -> Self {
        Self::new(body)
    }
}
