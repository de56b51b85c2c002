//! A chat connection, from the answered handshake to the closed socket.

mod clock;
mod conversation;
mod farewell;
mod pace;
mod scanner;
mod wire;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use bytes::Bytes;
use chat_protocol::CloseCode;
use chat_rooms::outbox::Outbox;
use chat_rooms::{Outlet, Seat};
use futures::FutureExt;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;

use crate::context::{Context, Place};
use conversation::Conversation;
use farewell::Ending;
use wire::Tcp;

/// A connection's place among the others, held until its socket is closed.
type Permits = (OwnedSemaphorePermit, Place);

/// A connection as the door leaves it.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) stream: TcpStream,
    /// Read from it already.
    pub(crate) unread: Bytes,
    /// The answer to the handshake; empty where it is out already.
    pub(crate) answer: Vec<u8>,
}

/// Lets the member in and starts the connection's task. Whoever has seen the answer to the handshake is in: it is written
/// behind the entering, and before all else.
pub(crate) fn start(opened: Opened, seat: Seat, permits: Permits, context: &Arc<Context>) {
    let Opened { stream, unread, answer } = opened;
    let outbox = Arc::new(Outbox::beginning_with(&answer, Tcp(stream), context.config.backlog));
    let member = seat.enter(Outlet::Frames { encoding: context.classic, sink: Arc::clone(&outbox) as _ });
    let mut conversation = Conversation::new(member, Arc::clone(&outbox), Arc::clone(context));
    let patience = context.config.timings.close;
    context.tasks.spawn(async move {
        let ending = AssertUnwindSafe(conversation.run(unread)).catch_unwind().await;
        // the room hears of it now; the socket may take its time
        drop(conversation);
        let ending = ending.unwrap_or(Ending::Failed(CloseCode::Internal));
        // boxed, so that the connection's future does not carry it all its life
        Box::pin(farewell::say(&outbox, ending, patience)).await;
        drop(permits);
    });
}

/// How a client has hung up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HangUp {
    /// It sends nothing more; what it sent before may still be unread.
    Finished,
    /// The connection is gone in both directions.
    Reset,
}

/// Whether the client has hung up, as far as the system has told; nothing is read to find out.
pub(crate) fn hang_up(stream: &TcpStream) -> Option<HangUp> {
    let ready = stream.ready(Interest::READABLE | Interest::WRITABLE).now_or_never()?.ok()?;
    match (ready.is_read_closed(), ready.is_write_closed()) {
        (_, true) => Some(HangUp::Reset),
        (true, false) => Some(HangUp::Finished),
        (false, false) => None,
    }
}
