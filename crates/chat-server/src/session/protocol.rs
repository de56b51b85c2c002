//! The interface between a connection and its dialect.

use tokio::time::Instant;

use crate::session::close_reason::CloseReason;

/// Handles a connection in one dialect.
pub(crate) trait Protocol {
    /// Handles a text frame. Returns why the connection ends, if it does. May leave the protocol
    /// [busy](Self::is_busy).
    fn on_text(&mut self, text: &str) -> Option<CloseReason>;

    /// Whether work has to be done before the next frame is read.
    fn is_busy(&self) -> bool;

    /// Continues the pending work. Resolves when it is done, or with the reason why the connection
    /// ends. Cancel-safe: work that has begun continues with the next call.
    fn proceed(&mut self) -> impl Future<Output = Result<(), CloseReason>> + Send;

    /// Until when the client has to send something that it has not sent yet.
    fn deadline(&self) -> Option<Instant>;

    /// Another client asks for a name or a session that this connection holds. Returns why the
    /// connection ends, if it does.
    fn on_probe(&mut self) -> Option<CloseReason>;

    /// Sends what was read but not yet sent, and waits until it and everything before it has
    /// reached every member's outbox.
    fn settle(&mut self) -> impl Future<Output = ()> + Send;

    /// Writes a log line.
    fn log(&self, what: &str, reason: Option<CloseReason>);
}
