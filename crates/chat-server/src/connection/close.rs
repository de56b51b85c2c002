//! Closing a connection.

use std::future::poll_fn;
use std::io;
use std::time::Duration;

use chat_outbox::{Signal, Unsent};
use chat_protocol::CloseCode;
use tokio::net::TcpStream;

use crate::context::Context;
use crate::encoding::frames;
use crate::session::ending::{CloseReason, Dialect};
use crate::transport::throttled_discard::ThrottledDiscard;
use crate::transport::wire::Wire;

/// How long a server that shuts down waits for messages already read from a connection to be stored
/// and delivered.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Waits for pending messages, and keeps writing meanwhile.
pub(super) async fn settle(last_words: impl Future<Output = ()>, wire: &mut Wire) {
    let draining = async {
        // a signal would end the connection, which is ending anyway
        poll_fn(|cx| wire.poll_drain(cx)).await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = last_words => {}
        () = draining => {}
        () = tokio::time::sleep(LAST_WORDS) => {}
    }
}

/// Writes the remaining data and the close frame, and waits for the client to close its side, for
/// at most [`Timings::close`](crate::Timings::close) in all. If the server shuts down and only the
/// close frame was left to write, it waits no longer than a client needs to answer.
pub(super) async fn say(wire: &mut Wire, dialect: Dialect, ending: CloseReason, context: &Context) {
    let (code, unsent) = match ending {
        CloseReason::Gone => return,
        CloseReason::ClientClosed(_) => (CloseCode::Normal, Unsent::Discard),
        CloseReason::Failed(code) => (code, Unsent::Discard),
        CloseReason::TooSlow => (CloseCode::TooSlow, Unsent::Discard),
        CloseReason::ShuttingDown => (CloseCode::GoingAway, Unsent::Keep),
    };
    let last = match (ending, dialect) {
        (CloseReason::ClientClosed(code), _) => frames::close_answer(code),
        (_, Dialect::Classic) => frames::close(code),
        (CloseReason::ShuttingDown, Dialect::V2) => frames::bye(code, context.drain.away_for()),
        (_, Dialect::V2) => frames::bye(code, None),
    };
    let is_owed =
        unsent == Unsent::Keep && wire.outbox.backlog().bytes + wire.outbox.queued_reply_bytes() > 0;
    wire.outbox.close(last, unsent);
    let farewell = async {
        if flushed(wire).await {
            let _ = poll_fn(|cx| wire.poll_close(cx)).await;
            // closing a socket with unread bytes would reset it, and the close frame could be lost
            tokio::select! {
                _ = discard(wire.stream()) => {}
                () = context.has_waited_for_answers(), if !is_owed => {}
            }
        }
    };
    // a client that does not read in time loses the rest
    let _ = tokio::time::timeout(context.config().timings.close, farewell).await;
}

/// Writes until the last frame is sent. Returns `false` if the socket failed first.
async fn flushed(wire: &mut Wire) -> bool {
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
    let (mut rest, mut sips) = (vec![0; 4096], ThrottledDiscard::default());
    loop {
        stream.readable().await?;
        match stream.try_read(&mut rest) {
            Ok(0) => return Ok(()),
            Ok(bytes) => sips.took(bytes).await,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}
