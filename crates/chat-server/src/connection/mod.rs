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

/// The permits of a connection, held until its socket is closed.
type Permits = (ChatPermit, ConnectionPermit);

/// A connection after its handshake.
#[derive(Debug)]
pub(crate) struct OpenConnection {
    pub(crate) stream: Stream,
    /// Bytes already read from it.
    pub(crate) unread: Bytes,
    /// The response to the handshake; empty if it is already sent.
    pub(crate) answer: Vec<u8>,
    /// Whether compression was negotiated.
    pub(crate) deflates: bool,
}

/// Joins a classic member to its room and starts the connection's task. The response to the
/// handshake is written after the join and before anything else, so a client that has received it
/// is a member.
pub(crate) async fn start(
    opened: OpenConnection,
    accepted: Accepted,
    permits: Permits,
    context: &Arc<Context>,
) {
    let OpenConnection { stream, unread, answer, deflates } = opened;
    let (tcp, cipher) = split(stream);
    let outbox = Outbox::beginning_with(&answer, tcp, context.config().backlog);
    let outbox = Arc::new(outbox.within(Arc::clone(&context.backlog_budget)));
    let max = context.config().limits.message_bytes;
    let wire = Wire::new(Arc::clone(&outbox), cipher, unread, deflates, max);
    match accepted {
        Accepted::Classic(admission) => {
            let encoding = context.encodings.for_connection(deflates).classic;
            let sink = Sink::Frames { encoding, sink: Arc::clone(&outbox) as _ };
            let admission = admission.with_window(&send_window(context.config().backlog));
            // with lists nothing is read from the store, so this resolves at once and cannot fail
            let Ok((member, _)) = admission.join(Subscribe::new(sink).with_lists()).await else { return };
            let entry = context.classics.add(Arc::clone(member.member()), permits.0.client);
            let protocol = Classic::new(member, outbox, entry);
            context.tasks.spawn(serve(protocol, Dialect::Classic, wire, permits, Arc::clone(context)));
        }
        Accepted::V2 => {
            let protocol = Session::new(outbox, deflates, permits.0.client, Arc::clone(context));
            context.tasks.spawn(serve(protocol, Dialect::V2, wire, permits, Arc::clone(context)));
        }
    }
}

/// Splits a stream into the socket and its encryption.
fn split(stream: Stream) -> (Tcp, Option<Box<Cipher>>) {
    match stream {
        Stream::Left(plain) => (Tcp::new(plain, Writer::Anyone), None),
        Stream::Right(encrypted) => {
            let (socket, tls) = encrypted.into_inner();
            // a client sends nothing before the server's first flight, so everything read early was
            // consumed by the handshake
            let (_, socket) = socket.into_parts();
            (Tcp::new(socket, Writer::OwnTask), Some(Box::new(Cipher::new(tls))))
        }
    }
}

/// The whole life of a connection. Not an `async fn`, which would reserve space for its arguments
/// besides the values made from them.
fn serve<T: Protocol + Send>(
    protocol: T,
    dialect: Dialect,
    mut wire: Wire,
    permits: Permits,
    context: Arc<Context>,
) -> impl Future<Output = ()> + Send {
    let guards = (permits, Connected::by(dialect.name()));
    let mut driver = ConnectionDriver::new(protocol, Arc::clone(&wire.outbox), context);
    async move {
        let reason = AssertUnwindSafe(driver.run(&mut wire)).catch_unwind().await;
        let context = driver.context();
        // leaves the rooms now; closing the socket may take time
        drop(driver);
        let reason = reason.unwrap_or(CloseReason::Failed(CloseCode::Internal));
        // boxed, so that the connection's future does not reserve space for it
        Box::pin(close::close_connection(&mut wire, dialect, reason, &context)).await;
        drop(guards);
    }
}
