//! A chat connection, from the answered handshake to the closed socket.

mod cipher;
mod classic;
mod clock;
mod conversation;
mod farewell;
mod inflater;
mod scanner;
mod session;
mod socket;
mod tcp;
mod wire;

use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use chat_protocol::CloseCode;
use chat_rooms::outbox::{BacklogLimits, Outbox};
use chat_rooms::{Outlet, Seat, SendWindow};
use futures::FutureExt;
use tokio::io::Interest;
use tokio::net::TcpStream;

use crate::context::Context;
use crate::meters::Connected;
use crate::place::{ChatPermit, Place};
use crate::stream::Stream;
use cipher::Cipher;
use classic::Classic;
use conversation::{Conversation, Talk};
use farewell::{Dialect, Ending};
use session::Session;
use tcp::{Tcp, Writer};
use wire::Wire;

/// A connection's place among the others, held until its socket is closed.
type Permits = (ChatPermit, Place);

/// A connection as the door leaves it.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) stream: Stream,
    /// Read from it already.
    pub(crate) unread: Bytes,
    /// The answer to the handshake; empty where it is out already.
    pub(crate) answer: Vec<u8>,
    /// Whether it was agreed upon that messages may be compressed.
    pub(crate) deflates: bool,
}

/// What was let in.
#[derive(Debug)]
pub(crate) enum Entrant {
    /// A member of one room.
    Classic(Seat),
    /// A session that has said nothing yet.
    V2,
}

/// Lets the entrant in and starts the connection's task. Whoever has seen the answer to the handshake is in: it is written
/// behind the entering, and before all else.
pub(crate) fn start(opened: Opened, entrant: Entrant, permits: Permits, context: &Arc<Context>) {
    let Opened { stream, unread, answer, deflates } = opened;
    let (tcp, cipher) = taken_apart(stream);
    let outbox = Outbox::beginning_with(&answer, tcp, context.config().backlog);
    let outbox = Arc::new(outbox.within(Arc::clone(&context.backlogs)));
    let most = context.config().limits.message_bytes;
    let wire = Wire::new(Arc::clone(&outbox), cipher, unread, deflates, most);
    match entrant {
        Entrant::Classic(seat) => {
            let encoding = context.encodings.of(deflates).classic;
            let outlet = Outlet::Frames { encoding, sink: Arc::clone(&outbox) as _ };
            let member = seat.with_window(&send_window(context.config().backlog)).enter(outlet);
            let listed = context.classics.add(Arc::clone(member.member()), permits.0.client);
            let talk = Classic::new(member, outbox, listed);
            context.tasks.spawn(serve(talk, Dialect::Classic, wire, permits, Arc::clone(context)));
        }
        Entrant::V2 => {
            let talk = Session::new(outbox, deflates, permits.0.client, Arc::clone(context));
            context.tasks.spawn(serve(talk, Dialect::V2, wire, permits, Arc::clone(context)));
        }
    }
}

/// The socket, and what it is encrypted with.
fn taken_apart(stream: Stream) -> (Tcp, Option<Box<Cipher>>) {
    match stream {
        Stream::Left(plain) => (Tcp::new(plain, Writer::Anyone), None),
        Stream::Right(encrypted) => {
            let (socket, keys) = encrypted.into_inner();
            // a client has nothing to say before the server's first word: what was read early went into the handshake
            let (_, socket) = socket.into_parts();
            (Tcp::new(socket, Writer::OwnTask), Some(Box::new(Cipher::new(keys))))
        }
    }
}

/// All of a connection, as a future. Not an `async fn`, which would keep room for its arguments beside what becomes of them.
fn serve<T: Talk + Send>(
    talk: T,
    dialect: Dialect,
    mut wire: Wire,
    permits: Permits,
    context: Arc<Context>,
) -> impl Future<Output = ()> + Send {
    let held = (permits, Connected::by(dialect.name()));
    let mut conversation = Conversation::new(talk, Arc::clone(&wire.outbox), context);
    async move {
        let ending = AssertUnwindSafe(conversation.run(&mut wire)).catch_unwind().await;
        let context = conversation.context();
        // the rooms hear of it now; the socket may take its time
        drop(conversation);
        let ending = ending.unwrap_or(Ending::Failed(CloseCode::Internal));
        // boxed, so that the connection's future does not carry it all its life
        Box::pin(farewell::say(&mut wire, dialect, ending, &context)).await;
        drop(held);
    }
}

/// What a connection may have on its way: with what waits for it already, a half of its backlog at most, it still fits.
fn send_window(backlog: BacklogLimits) -> SendWindow {
    SendWindow::new((backlog.frames / 4).clamp(1, 64), (backlog.bytes / 4).clamp(1, 1 << 20))
}

/// Resolves when no more than half of what may wait for a reader waits. To be polled by the task that writes it.
async fn drained(outbox: &Outbox<Tcp>) {
    let most = outbox.limits();
    poll_fn(|_| {
        let waiting = outbox.waiting();
        let reads = waiting.bytes <= most.bytes / 2 && waiting.frames <= most.frames / 2;
        if reads { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
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
pub(crate) fn hang_up(socket: &TcpStream) -> Option<HangUp> {
    let ready = socket.ready(Interest::READABLE | Interest::WRITABLE).now_or_never()?.ok()?;
    match (ready.is_read_closed(), ready.is_write_closed()) {
        (_, true) => Some(HangUp::Reset),
        (true, false) => Some(HangUp::Finished),
        (false, false) => None,
    }
}
