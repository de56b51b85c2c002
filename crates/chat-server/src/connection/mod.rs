//! A chat connection, from the answered handshake to the closed socket.

mod close;
mod deadlines;
mod deferred;
mod driver;
mod input;

use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use bytes::Bytes;
use chat_access::Network;
use chat_outbox::Outbox;
use chat_protocol::CloseCode;
use chat_rooms::{Admission, FrameSink, Membership, Sink, Subscribe};
use futures::FutureExt;

use crate::accounts::FreeName;
use crate::admission::permit::{ChatPermit, ConnectionPermit};
use crate::context::Context;
use crate::handshake::Accepted;
use crate::metrics::Connected;
use crate::session::classic::Classic;
use crate::session::close_reason::{CloseReason, Dialect};
use crate::session::protocol::Protocol;
use crate::session::{Session, send_window};
use crate::transport::cipher::Cipher;
use crate::transport::stream::Stream;
use crate::transport::tcp::{Tcp, Writer};
use crate::transport::wire::Wire;
use deferred::DeferredSink;
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

/// What a connection is once its client may use it.
pub(crate) enum Joined {
    /// A member of one room, whose frames are queued until its socket is there.
    Classic(Membership, Option<FreeName>, Arc<DeferredSink>),
    /// A session that has sent nothing yet.
    V2,
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
    let deflates = opened.deflates;
    let wire = wire(opened, context);
    match accepted {
        Accepted::Classic(admission, free) => {
            let sink = Arc::clone(&wire.outbox) as _;
            if let Some(member) = join(admission, sink, deflates, (permits.0.client, context)).await {
                serve_classic(member, free, wire, permits, context);
            }
        }
        Accepted::V2 => serve_v2(wire, deflates, permits, context),
    }
}

/// Joins a classic member to its room before its socket is there. `None` if it could not join.
pub(crate) async fn join_early(
    accepted: Accepted,
    deflates: bool,
    client: IpAddr,
    context: &Arc<Context>,
) -> Option<Joined> {
    let Accepted::Classic(admission, free) = accepted else { return Some(Joined::V2) };
    let sink = DeferredSink::new(context.config().backlog);
    let member = join(admission, Arc::clone(&sink) as _, deflates, (client, context)).await?;
    Some(Joined::Classic(member, free, sink))
}

/// Starts the connection's task for what [`join_early`] returned. The response is sent already.
pub(crate) fn start_joined(opened: OpenConnection, joined: Joined, permits: Permits, context: &Arc<Context>) {
    let deflates = opened.deflates;
    let wire = wire(opened, context);
    match joined {
        Joined::Classic(member, free, sink) => {
            sink.attach(Arc::clone(&wire.outbox) as _);
            serve_classic(member, free, wire, permits, context);
        }
        Joined::V2 => serve_v2(wire, deflates, permits, context),
    }
}

async fn join(
    admission: Admission,
    sink: Arc<dyn FrameSink>,
    deflates: bool,
    (client, context): (IpAddr, &Context),
) -> Option<Membership> {
    let encoding = context.encodings.for_connection(deflates).classic;
    let subscribe = Subscribe::new(Sink::Frames { encoding, sink }).with_lists();
    let subscribe = subscribe.network(Network::of_client(client));
    let admission = admission.with_window(&send_window(context.config().backlog));
    // with lists nothing is read from the store, so this resolves at once. It fails only if the
    // user was banned a moment ago
    let (member, _) = admission.join(subscribe).await.ok()?;
    Some(member)
}

fn wire(opened: OpenConnection, context: &Context) -> Wire {
    let OpenConnection { stream, unread, answer, deflates } = opened;
    let (tcp, cipher) = split(stream);
    let outbox = Outbox::with_initial(&answer, tcp, context.config().backlog);
    let outbox = Arc::new(outbox.within(Arc::clone(&context.backlog_budget)));
    Wire::new(outbox, cipher, unread, deflates, context.config().limits.message_bytes)
}

fn serve_classic(
    member: Membership,
    free: Option<FreeName>,
    wire: Wire,
    permits: Permits,
    context: &Arc<Context>,
) {
    let entry = context.classics.add(Arc::clone(member.member()), permits.0.client);
    // a new account ends the guests in the list who have its name: this one is there now
    if free.is_some_and(|free| !context.still_free(free)) {
        let (context, member) = (Arc::clone(context), Arc::clone(member.member()));
        context.tasks.clone().spawn(async move { context.check_classic(&member).await });
    }
    let protocol = Classic::new(member, Arc::clone(&wire.outbox), entry, Arc::clone(context));
    context.tasks.spawn(serve(protocol, Dialect::Classic, wire, permits, Arc::clone(context)));
}

fn serve_v2(wire: Wire, deflates: bool, permits: Permits, context: &Arc<Context>) {
    let outbox = Arc::clone(&wire.outbox);
    let protocol = Session::new(outbox, deflates, permits.0.client, Arc::clone(context));
    context.tasks.spawn(serve(protocol, Dialect::V2, wire, permits, Arc::clone(context)));
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The size of what a function returns.
    fn size_of_output<T: Protocol, F>(_: impl Fn(T, Dialect, Wire, Permits, Arc<Context>) -> F) -> usize {
        size_of::<F>()
    }

    /// What a connection of each dialect has reserved when this was last measured, in bytes. Raise
    /// it only on purpose: every idle connection pays for it.
    const MAX_SESSION: usize = 1_144;
    const MAX_CLASSIC: usize = 1_208;

    #[test]
    fn the_task_of_an_idle_connection_does_not_grow() {
        let (session, classic) = (size_of_output(serve::<Session>), size_of_output(serve::<Classic>));
        assert!(session <= MAX_SESSION && classic <= MAX_CLASSIC, "{session} and {classic} bytes");
    }
}
