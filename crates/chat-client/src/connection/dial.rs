//! Establishes a session: TCP, TLS, the WebSocket handshake, `hello` and `welcome`.

use std::time::Duration;

use chat_protocol::v2::{ClientFrame, Command, Hello, SUBPROTOCOL, ServerFrame, Welcome};
use futures::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::time::Instant;
#[cfg(not(feature = "tls"))]
use tokio_tungstenite::client_async_with_config;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::http::header::{HeaderValue, SEC_WEBSOCKET_PROTOCOL};
use tokio_tungstenite::tungstenite::http::{Request, Uri};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
#[cfg(feature = "tls")]
use tokio_tungstenite::{Connector, client_async_tls_with_config};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::byte_counter::ByteCounter;
use super::heartbeat::Heartbeat;
use super::wire::Wire;
use crate::model::{Cause, ConnectError, Options, to_json};

/// Small buffers, because a program may hold many connections. Larger frames only take more reads
/// and writes.
const READ_BUFFER: usize = 8 * 1024;
const WRITE_BUFFER: usize = 4 * 1024;

/// The maximum size of a frame. A page of history ends at 1 MiB of text, and escapes and rendered
/// copies multiply that.
const MAX_FRAME_BYTES: usize = 32 << 20;

/// The heartbeat interval if `welcome` has none.
const DEFAULT_HEARTBEAT: Duration = Duration::from_secs(25);

type Socket = WebSocketStream<MaybeTlsStream<ByteCounter>>;

/// Fetches the token, connects, sends `hello`, and waits for `welcome`.
pub(crate) async fn dial(options: &Options, mut hello: Hello) -> Result<(Box<Wire>, Welcome), ConnectError> {
    let timeout = options.connect_timeout;
    let dialing = async {
        if let Some(source) = &options.token {
            let token = source.token().await.map_err(|error| ConnectError::Token(error.into()))?;
            hello.token = Some(token);
        }
        let mut socket = connect(options).await?;
        let welcome = open_session(&mut socket, hello).await?;
        Ok((socket, welcome))
    };
    let (socket, welcome) =
        tokio::time::timeout(timeout, dialing).await.unwrap_or(Err(ConnectError::TimedOut(timeout)))?;
    let interval = match (options.heartbeat_interval, welcome.heartbeat_ms) {
        (Some(interval), _) => interval,
        (None, 0) => DEFAULT_HEARTBEAT,
        (None, millis) => Duration::from_millis(millis),
    };
    let received = socket.get_ref().get_ref().received();
    let heartbeat = Heartbeat::new(interval, options.pong_timeout, Instant::now(), received);
    Ok((Box::new(Wire::new(socket, heartbeat)), welcome))
}

async fn connect(options: &Options) -> Result<Socket, ConnectError> {
    let (request, address) = request(&options.url).ok_or_else(|| ConnectError::Url(options.url.clone()))?;
    #[cfg(feature = "tls")]
    let connector = match request.uri().scheme_str() {
        Some("wss") => Connector::Rustls(options.tls.config().await?),
        _ => Connector::Plain,
    };
    let stream = TcpStream::connect(address).await.map_err(unreachable)?;
    // frames are small, and are written once there is nothing to add
    stream.set_nodelay(true).map_err(unreachable)?;
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER)
        .max_message_size(Some(MAX_FRAME_BYTES))
        .max_frame_size(Some(MAX_FRAME_BYTES));
    let stream = ByteCounter::new(stream);
    #[cfg(feature = "tls")]
    let handshake = client_async_tls_with_config(request, stream, Some(config), Some(connector));
    #[cfg(not(feature = "tls"))]
    let handshake = client_async_with_config(request, MaybeTlsStream::Plain(stream), Some(config));
    // the future of a TLS handshake is large and short-lived
    Box::pin(handshake).await.map(|(socket, _)| socket).map_err(handshake_error)
}

/// The request of the handshake, and the address to connect to. `None` if the URL is neither a
/// `ws:` nor, with TLS, a `wss:` one.
fn request(url: &str) -> Option<(Request<()>, String)> {
    let uri = url.parse::<Uri>().ok()?;
    let port = match uri.scheme_str()? {
        "ws" => 80,
        "wss" if cfg!(feature = "tls") => 443,
        _ => return None,
    };
    let address = format!("{}:{}", uri.host()?, uri.port_u16().unwrap_or(port));
    let mut request = uri.into_client_request().ok()?;
    request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    Some((request, address))
}

async fn open_session(socket: &mut Socket, hello: Hello) -> Result<Welcome, ConnectError> {
    let hello = to_json(&ClientFrame { reference: None, command: Command::Hello(hello) });
    // if this fails, the server may have sent the reason before
    let sent = socket.send(Message::text(hello)).await;
    while let Some(message) = socket.next().await {
        match message.map_err(|error| ConnectError::Ended(error.into()))? {
            Message::Text(frame) => match serde_json::from_str(&frame) {
                Ok(ServerFrame::Welcome(welcome)) => return Ok(welcome),
                Ok(ServerFrame::Error(error)) => {
                    let retry_after = error.retry_after_ms.map(Duration::from_millis);
                    return Err(ConnectError::Refused {
                        code: error.code,
                        message: error.message,
                        retry_after,
                    });
                }
                Ok(ServerFrame::Bye(bye)) => return Err(ConnectError::Bye(bye)),
                // a notice, or a frame of a newer server
                _ => {}
            },
            Message::Close(Some(frame)) => {
                let reason = format!("the server closed it with {}: {}", frame.code, frame.reason);
                return Err(ConnectError::Ended(reason.into()));
            }
            _ => {}
        }
    }
    Err(ConnectError::Ended(sent.err().map_or_else(|| "the server closed it".into(), Cause::from)))
}

fn unreachable(error: std::io::Error) -> ConnectError {
    ConnectError::Unreachable { kind: error.kind(), source: error.into() }
}

fn handshake_error(error: Error) -> ConnectError {
    match error {
        #[cfg(feature = "tls")]
        Error::Tls(_) => ConnectError::Tls(error.into()),
        #[cfg(feature = "tls")]
        Error::Io(error) if crate::model::is_refusal(&error) => ConnectError::Tls(error.into()),
        Error::Http(response) => ConnectError::Handshake { status: response.status().as_u16() },
        Error::Io(_) | Error::Protocol(ProtocolError::HandshakeIncomplete) => {
            ConnectError::Ended(error.into())
        }
        error => ConnectError::Dialect(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_part_of_the_url() {
        let address = |url| request(url).map(|(_, address)| address);
        assert_eq!(address("ws://localhost:8000/ws").as_deref(), Some("localhost:8000"));
        assert_eq!(address("ws://chat.example/ws").as_deref(), Some("chat.example:80"));
        assert_eq!(address("ws://[::1]:8000/ws").as_deref(), Some("[::1]:8000"));
        for url in
            ["", "localhost:8000", "http://localhost/ws", "https://localhost/ws", "ws:///ws", "ws://a b/"]
        {
            assert_eq!(address(url), None, "{url}");
        }
        let encrypted = cfg!(feature = "tls").then_some("chat.example:443");
        assert_eq!(address("wss://chat.example/ws").as_deref(), encrypted);
    }
}
