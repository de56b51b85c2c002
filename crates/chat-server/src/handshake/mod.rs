//! Admission: decided before the handshake is answered.

pub(crate) mod refusal;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use chat_access::{Action, Actor, Denied, Network};
use chat_log::{Passed, cut};
use chat_protocol::v2::SUBPROTOCOL;
use chat_protocol::{Identity, RoomName, Username};
use chat_rooms::{Admission, JoinError};
use http::header::{
    CONNECTION, CONTENT_LENGTH, HeaderValue, ORIGIN, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, TRANSFER_ENCODING,
};
use http::{HeaderMap, Method, Request, Response};
use percent_encoding::percent_decode_str;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::error::{Error as WsError, ProtocolError};
use tokio_tungstenite::tungstenite::handshake::server::create_response;

use crate::accounts::FreeName;
use crate::admission::addresses::{AddressPermit, Arrival};
use crate::admission::client_log::LogKind;
use crate::admission::origins::Endpoint;
use crate::admission::permit::{ChatPermit, ConnectionPermit, Peer};
use crate::context::Context;
use crate::encoding::deflate;
use crate::handshake::refusal::Refusal;

/// What was admitted.
#[derive(Debug)]
pub(crate) enum Accepted {
    /// A classic client, admitted to one room. Its name was free, if there are accounts.
    Classic(Admission, Option<FreeName>),
    /// A session that has not sent `hello` yet.
    V2,
}

/// An admitted handshake.
#[derive(Debug)]
pub(crate) struct Admitted {
    /// The response to the handshake.
    pub(crate) response: Response<()>,
    /// Whether the response agrees to compression.
    pub(crate) deflates: bool,
    /// What was admitted.
    pub(crate) accepted: Accepted,
    /// Counts the chat connection until dropped.
    pub(crate) permit: ChatPermit,
}

/// Path of the `chat.v2` endpoint.
const V2_PATH: &str = "/ws";

/// Whether WebSockets are served on a path.
pub(crate) fn is_websocket_path(path: &str) -> bool {
    path == V2_PATH || path.starts_with("/ws/")
}

/// Decides about a handshake. An admitted classic client has its name reserved.
///
/// Cancel-safe: if dropped before it resolves, the name is free again.
pub(crate) async fn admit(
    request: &Request<()>,
    connection_permit: &ConnectionPermit,
    context: &Arc<Context>,
) -> Result<Admitted, Refusal> {
    if request.uri().path() == V2_PATH {
        return admit_session(request, connection_permit, context);
    }
    let (room, username) = classic_target(request.uri().path()).ok_or(Refusal::NotFound)?;
    let mut response = handshake(request)?;
    let permit = chat_permit(request, connection_permit, context)?;
    check_origin(request, Endpoint::Classic, connection_permit, context)?;
    let deflates = negotiate_deflate(request, &mut response, context);
    let free = check_name(&username, context).await?;
    // no other connection of a classic client can be the same user
    let user = Identity::one_time_guest(rand::random(), username.clone());
    let network = Network::of_client(permit.client);
    let admitted = match context.may_open(&user, &room).await {
        Ok(true) => context.engine.admit(&user, &room).await,
        Ok(false) => Err(JoinError::Denied(Denied::NotFound)),
        Err(error) => Err(error.into()),
    };
    match admitted {
        Ok(admission) => {
            let actor = Actor::from(&user).at(network);
            if let Ok(Err(Denied::Banned { .. })) = context.engine.may(&actor, Action::Join, &room).await {
                return Err(Refusal::Banned);
            }
            let accepted = Accepted::Classic(admission, free);
            Ok(Admitted { response, deflates, accepted, permit })
        }
        Err(JoinError::NameTaken) => Err(Refusal::NameTaken),
        Err(JoinError::RoomFull) => Err(Refusal::RoomFull),
        Err(JoinError::Denied(Denied::Banned { .. })) => Err(Refusal::Banned),
        Err(JoinError::Denied(_)) => Err(Refusal::NotAllowed),
        Err(JoinError::Closing) => Err(Refusal::ShuttingDown),
        Err(error) => {
            if let Some(Passed { suppressed }) = context.log.pass(LogKind::Join) {
                tracing::warn!(%room, %username, %error, suppressed, "a user could not join");
            }
            Err(Refusal::Store)
        }
    }
}

/// Refuses a name that belongs to an account: classic clients are guests.
async fn check_name(username: &Username, context: &Context) -> Result<Option<FreeName>, Refusal> {
    if !context.config().guests {
        return Err(Refusal::NoGuests);
    }
    let Some(accounts) = &context.accounts else { return Ok(None) };
    match accounts.check_guest(username.clone()).await {
        Ok(Ok(free)) => Ok(Some(free)),
        Ok(Err(_)) => Err(Refusal::NameReserved),
        Err(error) => {
            if let Some(Passed { suppressed }) = context.log.pass(LogKind::Join) {
                tracing::warn!(%username, %error, suppressed, "a name could not be checked");
            }
            Err(Refusal::Store)
        }
    }
}

/// Admits a `chat.v2` session, which sends its username later.
fn admit_session(
    request: &Request<()>,
    connection_permit: &ConnectionPermit,
    context: &Context,
) -> Result<Admitted, Refusal> {
    let mut response = handshake(request)?;
    // a client that does not offer the subprotocol would not understand it (RFC 6455, section
    // 4.2.2)
    let offered = request.headers().get_all(SEC_WEBSOCKET_PROTOCOL).iter();
    let mut offered = offered.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(','));
    if !offered.any(|name| name.trim() == SUBPROTOCOL) {
        return Err(Refusal::NoSubprotocol);
    }
    response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    if context.engine.is_closing() {
        return Err(Refusal::ShuttingDown);
    }
    let permit = chat_permit(request, connection_permit, context)?;
    check_origin(request, Endpoint::V2, connection_permit, context)?;
    let deflates = negotiate_deflate(request, &mut response, context);
    Ok(Admitted { response, deflates, accepted: Accepted::V2, permit })
}

/// Accepts the client's offer of compression, if there is a suitable one. Returns whether it did.
fn negotiate_deflate(request: &Request<()>, response: &mut Response<()>, context: &Context) -> bool {
    if !context.config().deflate {
        return false;
    }
    let Some(accepted) = deflate::accept(request.headers()) else { return false };
    response.headers_mut().insert(SEC_WEBSOCKET_EXTENSIONS, accepted);
    true
}

/// Takes a permit for a chat connection, if one is left, memory is not short, and the client's
/// address is within its limits.
fn chat_permit(
    request: &Request<()>,
    connection_permit: &ConnectionPermit,
    context: &Context,
) -> Result<ChatPermit, Refusal> {
    let (client, address) = match connection_permit.peer() {
        Peer::Client { address, .. } => {
            check_handshake_rate(*address, context)?;
            (*address, None)
        }
        Peer::Proxy(proxy) => {
            let client = context.config().proxies.client(request.headers(), *proxy);
            (client, Some(count_client(client, context)?))
        }
    };
    if context.is_short_of_memory.load(Ordering::Relaxed) {
        return Err(Refusal::Full);
    }
    let permit = Arc::clone(&context.chat_permits).try_acquire_owned().map_err(|_| Refusal::Full)?;
    Ok(ChatPermit { _permit: permit, client, _address: address })
}

/// Counts a client that connects through a proxy.
fn count_client(address: IpAddr, context: &Context) -> Result<AddressPermit, Refusal> {
    let Arrival::Allowed(permit) = context.addresses.count_connection(address) else {
        return Err(Refusal::TooManyFromThere);
    };
    check_handshake_rate(address, context).map(|()| permit)
}

/// The client's address, as far as it is known.
fn client_address(headers: &HeaderMap, connection_permit: &ConnectionPermit, context: &Context) -> IpAddr {
    match connection_permit.peer() {
        Peer::Client { address, .. } => *address,
        Peer::Proxy(proxy) => context.config().proxies.client(headers, *proxy),
    }
}

fn check_handshake_rate(address: IpAddr, context: &Context) -> Result<(), Refusal> {
    context.addresses.allow_handshake(address, Instant::now()).then_some(()).ok_or(Refusal::TooManyFromThere)
}

/// Refuses pages whose origin is not allowed: their readers did not choose to chat here. Checked
/// after the limits of the address, which bound how often a refusal is logged.
fn check_origin(
    request: &Request<()>,
    endpoint: Endpoint,
    connection_permit: &ConnectionPermit,
    context: &Context,
) -> Result<(), Refusal> {
    if context.config().origins.allows(request.headers(), endpoint) {
        return Ok(());
    }
    let address = client_address(request.headers(), connection_permit, context);
    if let Some(Passed { suppressed }) = context.log.pass_for(LogKind::Origin, address) {
        let origin = request.headers().get(ORIGIN).map(HeaderValue::as_bytes).unwrap_or_default();
        tracing::info!(
            %address,
            origin = %cut(origin),
            suppressed,
            "a page of this origin is not allowed to connect; see --allowed-origins"
        );
    }
    Err(Refusal::Origin)
}

/// Parses the room and the name in `/ws/chat/{room}/{username}`.
fn classic_target(path: &str) -> Option<(RoomName, Username)> {
    let (room, username) = path.strip_prefix("/ws/chat/")?.split_once('/')?;
    // no guest has a role in a private room: its address is the same as one that does not exist
    let room = RoomName::parse(&decoded(room)?).ok().filter(|room| !room.is_address())?;
    Some((room, Username::parse(&decoded(username)?).ok()?))
}

/// A path segment without its percent-encoding. `None` if it is not UTF-8.
pub(crate) fn decoded(segment: &str) -> Option<String> {
    percent_decode_str(segment).decode_utf8().ok().map(Into::into)
}

/// The response to a valid handshake.
fn handshake(request: &Request<()>) -> Result<Response<()>, Refusal> {
    if request.method() != Method::GET {
        return Err(Refusal::Method);
    }
    // a body would be read as frames, and a key must not be repeated (RFC 6455, section 11.3.1)
    let headers = request.headers();
    let has_body = headers.contains_key(TRANSFER_ENCODING)
        || headers.get(CONTENT_LENGTH).is_some_and(|length| length != "0");
    if has_body || headers.get_all(SEC_WEBSOCKET_KEY).iter().nth(1).is_some() {
        return Err(Refusal::Malformed);
    }
    create_response(&with_one_connection_line(request)).map_err(|error| match error {
        WsError::Protocol(
            ProtocolError::MissingConnectionUpgradeHeader
            | ProtocolError::MissingUpgradeWebSocketHeader
            | ProtocolError::MissingSecWebSocketVersionHeader,
        ) => Refusal::UpgradeRequired,
        _ => Refusal::Malformed,
    })
}

/// Joins all `Connection` lines into one, which is equivalent (RFC 9110, section 5.3): the library
/// looks only at the first.
fn with_one_connection_line(request: &Request<()>) -> Request<()> {
    let mut request = request.clone();
    let lines: Vec<_> = request.headers().get_all(CONNECTION).iter().map(HeaderValue::as_bytes).collect();
    if lines.len() > 1
        && let Ok(all) = HeaderValue::from_bytes(&lines.join(&b", "[..]))
    {
        request.headers_mut().insert(CONNECTION, all);
    }
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_names_the_room_and_the_user() {
        let target = |path| classic_target(path).map(|(room, name)| (room.to_string(), name.to_string()));
        assert_eq!(target("/ws/chat/lobby/ana"), Some(("lobby".into(), "ana".into())));
        assert_eq!(target("/ws/chat/caf%C3%A9/%61na"), Some(("café".into(), "ana".into())));
        assert_eq!(target("/ws/chat/cafe%CC%81/jose%CC%81"), Some(("café".into(), "josé".into())));
        for path in [
            "/ws/chat/lobby",
            "/ws/chat/lobby/",
            "/ws/chat//ana",
            "/ws/chat/lobby/ana/",
            "/ws/chat/lobby/ana/x",
            "/ws/chat/lobby/a%2Fb",
            "/ws/chat/lobby/a%00b",
            "/ws/chat/lobby/%FF",
            "/ws/chat/../ana",
            "/ws/chat/lobby/%E2%80%8Bana",
            "/ws/chat/lobby/*chatd*",
            "/ws/other/lobby/ana",
            "/ws",
        ] {
            assert_eq!(target(path), None, "{path}");
        }
    }

    #[test]
    fn an_invalid_handshake_is_refused_with_its_reason() {
        let request = |change: fn(&mut Request<()>)| {
            let mut request = Request::builder()
                .uri("/ws/chat/r/ana")
                .header("Connection", "keep-alive, Upgrade")
                .header("Upgrade", "websocket")
                .header("Sec-WebSocket-Version", "13")
                .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
                .body(())
                .unwrap();
            change(&mut request);
            handshake(&request).map(|response| response.headers()["Sec-WebSocket-Accept"].clone())
        };
        // the example of RFC 6455, section 1.3
        assert_eq!(request(|_| ()).unwrap(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        let in_two_lines = |r: &mut Request<()>| {
            r.headers_mut().insert(CONNECTION, HeaderValue::from_static("keep-alive"));
            r.headers_mut().append(CONNECTION, HeaderValue::from_static("Upgrade"));
        };
        assert!(request(in_two_lines).is_ok());
        assert_eq!(request(|r| *r.method_mut() = Method::POST), Err(Refusal::Method));
        assert_eq!(request(|r| drop(r.headers_mut().remove("Upgrade"))), Err(Refusal::UpgradeRequired));
        assert_eq!(request(|r| drop(r.headers_mut().remove("Connection"))), Err(Refusal::UpgradeRequired));
        assert_eq!(
            request(|r| drop(r.headers_mut().insert("Sec-WebSocket-Version", HeaderValue::from_static("8")))),
            Err(Refusal::UpgradeRequired)
        );
        assert_eq!(request(|r| drop(r.headers_mut().remove("Sec-WebSocket-Key"))), Err(Refusal::Malformed));
        assert_eq!(
            request(|r| drop(r.headers_mut().insert("Sec-WebSocket-Key", HeaderValue::from_static("short")))),
            Err(Refusal::Malformed)
        );
        assert_eq!(request(|r| *r.version_mut() = http::Version::HTTP_10), Err(Refusal::Malformed));
        let twice = |r: &mut Request<()>| {
            r.headers_mut().append(SEC_WEBSOCKET_KEY, HeaderValue::from_static("dGhlIHNhbXBsZSBub25jZQ=="));
        };
        assert_eq!(request(twice), Err(Refusal::Malformed));
        let body =
            |r: &mut Request<()>| drop(r.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("3")));
        assert_eq!(request(body), Err(Refusal::Malformed));
    }
}
