//! Closing a connection.

use std::future::poll_fn;
use std::io;
use std::time::Duration;

use chat_outbox::{Signal, Unsent};
use chat_protocol::CloseCode;
use tokio::net::TcpStream;

use crate::context::Context;
use crate::encoding::frames;
use crate::session::close_reason::{CloseReason, Dialect};
use crate::transport::throttled_discard::ThrottledDiscard;
use crate::transport::wire::Wire;

/// How long a server that shuts down waits for messages already read from a connection to be stored
/// and delivered.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(1);

/// Waits for pending messages, and keeps writing meanwhile.
pub(super) async fn settle(pending: impl Future<Output = ()>, wire: &mut Wire) {
    let draining = async {
        // a signal would end the connection, which is ending anyway
        poll_fn(|cx| wire.poll_drain(cx)).await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = pending => {}
        () = draining => {}
        () = tokio::time::sleep(SETTLE_TIMEOUT) => {}
    }
}

/// Writes the remaining data and the close frame, and waits for the client to close its side, for
/// at most [`Timings::close`](crate::Timings::close) in all. If the server shuts down and only the
/// close frame was left to write, it waits no longer than a client needs to answer.
pub(super) async fn close_connection(
    wire: &mut Wire,
    dialect: Dialect,
    reason: CloseReason,
    context: &Context,
) {
    let (code, unsent) = match reason {
        CloseReason::Gone => return,
        CloseReason::ClientClosed(_) => (CloseCode::Normal, Unsent::Discard),
        CloseReason::Failed(code) => (code, Unsent::Discard),
        CloseReason::SignInAgain => (CloseCode::NotAccepted, Unsent::Keep),
        CloseReason::TooSlow => (CloseCode::TooSlow, Unsent::Discard),
        CloseReason::ShuttingDown => (CloseCode::GoingAway, Unsent::Keep),
    };
    let last_frame = match (reason, dialect) {
        (CloseReason::ClientClosed(code), _) => frames::close_answer(code),
        (_, Dialect::Classic) => frames::close(code),
        (CloseReason::ShuttingDown, Dialect::V2) => {
            frames::bye(code, code.reconnect(), context.drain.reconnect_delay())
        }
        (CloseReason::SignInAgain, Dialect::V2) => frames::bye(code, true, None),
        (_, Dialect::V2) => frames::bye(code, code.reconnect(), None),
    };
    let has_unsent =
        unsent == Unsent::Keep && wire.outbox.backlog().bytes + wire.outbox.queued_reply_bytes() > 0;
    wire.outbox.close(last_frame, unsent);
    let closing = async {
        if flush(wire).await {
            let _ = poll_fn(|cx| wire.poll_close(cx)).await;
            // closing a socket with unread bytes would reset it, and the close frame could be lost
            tokio::select! {
                _ = discard(wire.stream()) => {}
                () = context.shutdown_grace_elapsed(), if !has_unsent => {}
            }
        }
    };
    // a client that does not read in time loses the rest
    let _ = tokio::time::timeout(context.config().timings.close, closing).await;
}

/// Writes until the last frame is sent. Returns `false` if the socket failed first.
async fn flush(wire: &mut Wire) -> bool {
    loop {
        match poll_fn(|cx| wire.poll_drain(cx)).await {
            Signal::Flushed => return true,
            Signal::Broken => return false,
            Signal::Probed | Signal::TooSlow => {}
        }
    }
}

/// Reads and discards everything until the end of the stream.
async fn discard(stream: &TcpStream) -> io::Result<()> {
    let (mut rest, mut throttle) = (vec![0; 4096], ThrottledDiscard::default());
    loop {
        stream.readable().await?;
        match stream.try_read(&mut rest) {
            Ok(0) => return Ok(()),
            Ok(bytes) => throttle.discarded(bytes).await,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}
