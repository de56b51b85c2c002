//! One port for WebSockets and plain HTTP: reads the head of a connection's first request and
//! decides which it is.

mod forwarded;
mod head;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use chat_log::{Passed, cut};
use futures::FutureExt;
use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CONNECTION, VARY};
use http::{HeaderValue, Request, Response, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout_at};
use tokio_tungstenite::tungstenite::handshake::server::write_response;
use tracing::Instrument;

use crate::admission::addresses::{AddressPermit, Arrival};
use crate::admission::client_log::LogKind;
use crate::admission::permit::{ConnectionPermit, Peer};
use crate::admission::proxies::ProxyHeader;
use crate::api;
use crate::config::HEAD_BYTES;
use crate::connection::{self, OpenConnection};
use crate::context::Context;
use crate::handshake::refusal::Refusal;
use crate::handshake::{self, Admitted};
use crate::metrics;
use crate::transport::prefixed::Prefixed;
use crate::transport::stream::{self, Stream};
use crate::transport::throttled_discard::ThrottledDiscard;
use crate::transport::tls::Opening;
use head::{Head, HeadError};

/// Time for the response to a refused request to arrive.
const LINGER: Duration = Duration::from_secs(2);

/// Reads the first request of a new connection and passes the connection on to the code that serves
/// it.
pub(crate) async fn open(
    mut socket: TcpStream,
    from: IpAddr,
    permit: OwnedSemaphorePermit,
    context: Arc<Context>,
) {
    let accepted_at = Instant::now();
    let deadline = accepted_at + context.config().timings.head;
    let Some(Some((arrived, read))) =
        in_time(deadline, &context, identify_peer(&mut socket, from, &context)).await
    else {
        return;
    };
    let Some(Some((mut stream, read))) =
        in_time(deadline, &context, tls_handshake(socket, from, read, &context)).await
    else {
        return;
    };
    let peer = match arrived {
        Arrived::Allowed(peer) => peer,
        Arrived::TooMany(address_permit) => {
            refuse_early(stream, Refusal::TooManyFromThere, &context).await;
            return drop(address_permit);
        }
    };
    // if it takes too long there is no request to answer
    let Some(head) = in_time(deadline, &context, head::read(&mut stream, read)).await else { return };
    match head {
        Err(HeadError::Gone) => {}
        Err(HeadError::Malformed) => refuse_early(stream, Refusal::Malformed, &context).await,
        Err(HeadError::TooLarge) => {
            metrics::handshake_refused(Refusal::Malformed.name());
            refuse(stream, too_large(), &context).await;
        }
        Ok(Head { request, bytes, end }) => {
            let connection_permit = ConnectionPermit::new(permit, peer);
            if handshake::is_websocket_path(request.uri().path()) {
                let span = tracing::trace_span!("handshake");
                answer(stream, request, bytes.slice(end..), connection_permit, accepted_at, context)
                    .instrument(span)
                    .await;
            } else {
                api::serve(Prefixed::new(bytes, stream), connection_permit, context).await;
            }
        }
    }
}

/// The output of a future. `None` if the deadline passes or the server shuts down first.
async fn in_time<T>(deadline: Instant, context: &Context, future: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        () = context.stopping.cancelled() => None,
        done = timeout_at(deadline, future) => done.ok(),
    }
}

/// A connection before its first request.
enum Arrived {
    /// It may be served.
    Allowed(Peer),
    /// The address is over its limit. The permit is held while the refusal is sent.
    TooMany(AddressPermit),
}

/// Determines the peer of a connection and counts it. Also returns the bytes read after a proxy's
/// header. `None` if the connection is not served: its address is far over the limit, or a trusted
/// proxy sent no PROXY protocol header.
async fn identify_peer(
    socket: &mut TcpStream,
    from: IpAddr,
    context: &Context,
) -> Option<(Arrived, BytesMut)> {
    let proxies = &context.config().proxies;
    let (client, read) = match (proxies.is_trusted(from), proxies.header) {
        (false, _) => (from, BytesMut::new()),
        (true, ProxyHeader::ForwardedFor) => {
            return Some((Arrived::Allowed(Peer::Proxy(from)), BytesMut::new()));
        }
        (true, ProxyHeader::ProxyProtocol) => match forwarded::read(socket).await {
            Some((Some(client), read)) => (client, read),
            Some((None, read)) => return Some((Arrived::Allowed(Peer::Proxy(from)), read)),
            None => {
                if let Some(Passed { suppressed }) = context.log.pass_for(LogKind::ProxyHeader, from) {
                    tracing::warn!(proxy = %from, suppressed, "a trusted proxy sent no PROXY protocol header");
                }
                return None;
            }
        },
    };
    let arrived = match context.addresses.count_connection(client) {
        Arrival::Allowed(address_permit) => {
            Arrived::Allowed(Peer::Client { address: client, _permit: address_permit })
        }
        Arrival::TooMany(address_permit) => Arrived::TooMany(address_permit),
        Arrival::FarTooMany => return None,
    };
    Some((arrived, read))
}

/// Performs the TLS handshake, if the server uses TLS. `read` was read before. `None` if the
/// handshake fails.
async fn tls_handshake(
    socket: TcpStream,
    from: IpAddr,
    read: BytesMut,
    context: &Context,
) -> Option<(Stream, BytesMut)> {
    let Some(tls) = &context.config().tls else { return Some((Stream::Left(socket), read)) };
    // boxed, so that a connection that does not need it reserves no space for it
    match Box::pin(tls.accept(socket, read)).await {
        Ok(Opening::Encrypted(stream)) => Some((Stream::Right(stream), BytesMut::new())),
        Ok(Opening::Plain(socket)) => {
            refuse_early(Stream::Left(socket), Refusal::NotEncrypted, context).await;
            None
        }
        Err(error) => {
            if let Some(Passed { suppressed }) = context.log.pass_for(LogKind::Tls, from) {
                tracing::debug!(address = %from, error = %cut(error.to_string().as_bytes()), suppressed, "a TLS handshake failed");
            }
            None
        }
    }
}

/// Answers a handshake. An admitted connection continues in a task of its own that holds nothing of
/// the listener.
async fn answer(
    mut stream: Stream,
    request: Request<()>,
    unread: Bytes,
    connection_permit: ConnectionPermit,
    accepted_at: Instant,
    context: Arc<Context>,
) {
    let admitted = tokio::select! {
        () = context.stopping.cancelled() => Err(Refusal::ShuttingDown),
        admitted = handshake::admit(&request, &connection_permit, &context) => admitted,
    };
    match admitted {
        Err(refusal) => {
            metrics::handshake_refused(refusal.name());
            refuse(stream, refusal.response(), &context).await;
        }
        Ok(Admitted { response, deflates, accepted, permit }) => {
            let Some(unread) = unread_if_connected(&mut stream, unread) else { return };
            let opened = OpenConnection { stream, unread, answer: serialized(&response), deflates };
            connection::start(opened, accepted, (permit, connection_permit), &context).await;
            metrics::handshake_completed(accepted_at.elapsed());
        }
    }
}

/// The bytes that arrived after the head. `None` if the client gave up while it waited for
/// admission, so that the room does not notice it. A client that sent something before it hung up
/// is still served.
fn unread_if_connected(stream: &mut Stream, unread: Bytes) -> Option<Bytes> {
    if stream::hang_up(stream::socket(stream)).is_none() {
        return Some(unread);
    }
    let mut bytes = Vec::from(unread);
    let mut chunk = [0; 1024];
    while bytes.len() < HEAD_BYTES
        && let Some(Ok(count @ 1..)) = stream.read(&mut chunk).now_or_never()
    {
        bytes.extend_from_slice(&chunk[..count]);
    }
    (!bytes.is_empty()).then(|| bytes.into())
}

/// Refuses a connection before its request is known.
async fn refuse_early(stream: Stream, refusal: Refusal, context: &Context) {
    metrics::handshake_refused(refusal.name());
    refuse(stream, readable_from_any_origin(refusal.response()), context).await;
}

/// Refuses a request, and reads on until the client closes its side: closing a socket with unread
/// bytes would reset it, and the response could be lost.
async fn refuse(mut stream: Stream, mut response: Response<&'static str>, context: &Context) {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    // boxed, so that a connection that is not refused reserves no space for it
    let answer_and_linger = Box::pin(async {
        let mut answer = serialized(&response);
        answer.extend_from_slice(response.body().as_bytes());
        if stream.write_all(&answer).await.is_ok() {
            let _ = stream.shutdown().await;
            let (mut rest, mut throttle) = ([0; 4096], ThrottledDiscard::default());
            while let Ok(bytes @ 1..) = stream.read(&mut rest).await {
                throttle.discarded(bytes).await;
            }
        }
    });
    // a client that does not read in time loses the response
    tokio::select! {
        _ = tokio::time::timeout(LINGER, answer_and_linger) => {}
        () = context.shutdown_grace_elapsed() => {}
    }
}

fn too_large() -> Response<&'static str> {
    let mut response = readable_from_any_origin(Refusal::Malformed.response());
    *response.status_mut() = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
    response
}

/// Lets pages of every origin read the response: the request may have been a look-up that could not
/// be read.
fn readable_from_any_origin(mut response: Response<&'static str>) -> Response<&'static str> {
    response.headers_mut().insert(VARY, HeaderValue::from_static("Origin"));
    response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    response
}

/// The serialized head of a response.
fn serialized<T>(response: &Response<T>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let serialized = write_response(&mut bytes, response);
    debug_assert!(serialized.is_ok());
    bytes
}
