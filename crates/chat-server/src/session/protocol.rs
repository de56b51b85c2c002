//! What a dialect has to do for a connection.

use tokio::time::Instant;

use crate::session::ending::CloseReason;

/// What a dialect makes of a connection.
pub(crate) trait Protocol {
    /// Takes a text frame. Gives why the connection ends, if it does. It may be [busy](Self::is_busy) with it afterwards.
    fn on_text(&mut self, text: &str) -> Option<CloseReason>;

    /// Whether something has to be done before the next frame is read.
    fn is_busy(&self) -> bool;

    /// Goes on with what has to be done; resolves when it is, or with the reason why the connection ends. Cancel-safe: what was
    /// begun goes on when it is called again.
    fn proceed(&mut self) -> impl Future<Output = Result<(), CloseReason>> + Send;

    /// Until when the client has to have said something that it has not said yet.
    fn deadline(&self) -> Option<Instant>;

    /// Somebody else asks for what this connection holds. Gives why the connection ends, if it does.
    fn on_probe(&mut self) -> Option<CloseReason>;

    /// Says what was read and not yet said, and waits until it and everything before it has reached everyone's outbox.
    fn settle(&mut self) -> impl Future<Output = ()> + Send;

    /// For the log.
    fn log(&self, what: &str, ending: Option<CloseReason>);
}
