//! How a connection ends.

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

/// How long a server that ends waits for the last words on a connection to be stored and told.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Waits for the last words, and writes meanwhile.
pub(super) async fn settle(last_words: impl Future<Output = ()>, wire: &mut Wire) {
    let draining = async {
        // a signal would end the connection, which ends anyway
        poll_fn(|cx| wire.poll_drain(cx)).await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = last_words => {}
        () = draining => {}
        () = tokio::time::sleep(LAST_WORDS) => {}
    }
}

/// Writes what is still to be written and the close frame, and waits for the client to close its side, no longer than
/// [`Timings::close`](crate::Timings::close) in all. Where the server ends, and nothing but the close frame was still to be written, it waits
/// no longer than a client needs to answer.
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
            // to close a socket with unread bytes in it would reset it, and the close frame could be lost
            tokio::select! {
                _ = discard(wire.stream()) => {}
                () = context.has_waited_for_answers(), if !is_owed => {}
            }
        }
    };
    // a client that does not take it in time has lost it
    let _ = tokio::time::timeout(context.config().timings.close, farewell).await;
}

/// Writes until the last frame is out. False when the socket failed before.
async fn flushed(wire: &mut Wire) -> bool {
    loop {
        match poll_fn(|cx| wire.poll_drain(cx)).await {
            Signal::Flushed => return true,
            Signal::Broken => return false,
            Signal::Probed | Signal::TooSlow => {}
        }
    }
}

/// Reads to the end, and forgets it.
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
