//! A chat connection, from the answered handshake to the closed socket.

mod close;
mod deadlines;
mod driver;
mod input;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use bytes::Bytes;
use chat_outbox::Outbox;
use chat_protocol::CloseCode;
use chat_rooms::{Sink, Subscribe};
use futures::FutureExt;

use crate::admission::permit::{ChatPermit, ConnectionPermit};
use crate::context::Context;
use crate::handshake::Accepted;
use crate::metrics::Connected;
use crate::session::classic::Classic;
use crate::session::ending::{CloseReason, Dialect};
use crate::session::protocol::Protocol;
use crate::session::{Session, send_window};
use crate::transport::cipher::Cipher;
use crate::transport::stream::Stream;
use crate::transport::tcp::{Tcp, Writer};
use crate::transport::wire::Wire;
use driver::ConnectionDriver;

/// A connection's place among the others, held until its socket is closed.
type Permits = (ChatPermit, ConnectionPermit);

/// A connection as the door leaves it.
#[derive(Debug)]
pub(crate) struct OpenConnection {
    pub(crate) stream: Stream,
    /// Read from it already.
    pub(crate) unread: Bytes,
    /// The answer to the handshake; empty where it is out already.
    pub(crate) answer: Vec<u8>,
    /// Whether it was agreed upon that messages may be compressed.
    pub(crate) deflates: bool,
}

/// Lets the entrant in and starts the connection's task. Whoever has seen the answer to the handshake is in: it is written
/// behind the entering, and before all else.
pub(crate) async fn start(
    opened: OpenConnection,
    entrant: Accepted,
    permits: Permits,
    context: &Arc<Context>,
) {
    let OpenConnection { stream, unread, answer, deflates } = opened;
    let (tcp, cipher) = taken_apart(stream);
    let outbox = Outbox::beginning_with(&answer, tcp, context.config().backlog);
    let outbox = Arc::new(outbox.within(Arc::clone(&context.backlogs)));
    let most = context.config().limits.message_bytes;
    let wire = Wire::new(Arc::clone(&outbox), cipher, unread, deflates, most);
    match entrant {
        Accepted::Classic(seat) => {
            let encoding = context.encodings.of(deflates).classic;
            let outlet = Sink::Frames { encoding, sink: Arc::clone(&outbox) as _ };
            let seat = seat.with_window(&send_window(context.config().backlog));
            // lists need nothing from the store: this resolves at once, and does not fail
            let Ok((member, _)) = seat.join(Subscribe::new(outlet).with_lists()).await else { return };
            let listed = context.classics.add(Arc::clone(member.member()), permits.0.client);
            let talk = Classic::new(member, outbox, listed);
            context.tasks.spawn(serve(talk, Dialect::Classic, wire, permits, Arc::clone(context)));
        }
        Accepted::V2 => {
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
fn serve<T: Protocol + Send>(
    talk: T,
    dialect: Dialect,
    mut wire: Wire,
    permits: Permits,
    context: Arc<Context>,
) -> impl Future<Output = ()> + Send {
    let held = (permits, Connected::by(dialect.name()));
    let mut conversation = ConnectionDriver::new(talk, Arc::clone(&wire.outbox), context);
    async move {
        let ending = AssertUnwindSafe(conversation.run(&mut wire)).catch_unwind().await;
        let context = conversation.context();
        // the rooms hear of it now; the socket may take its time
        drop(conversation);
        let ending = ending.unwrap_or(CloseReason::Failed(CloseCode::Internal));
        // boxed, so that the connection's future does not carry it all its life
        Box::pin(close::say(&mut wire, dialect, ending, &context)).await;
        drop(held);
    }
}
