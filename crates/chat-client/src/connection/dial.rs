//! From an address to a session: connecting, the handshake, `hello` and `welcome`.

use std::time::Duration;

use chat_protocol::v2::{ClientFrame, Command, Hello, SUBPROTOCOL, ServerFrame, Welcome};
use futures::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::http::header::{HeaderValue, SEC_WEBSOCKET_PROTOCOL};
use tokio_tungstenite::tungstenite::http::{Request, Uri};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream, client_async_tls_with_config};

use super::byte_counter::Metered;
use super::heartbeat::Heartbeat;
use super::wire::Wire;
use crate::model::{ConnectError, Options};
use crate::session::json;

/// Small buffers: a program may hold many connections. What is larger than them is read and written all the same.
const READ_BUFFER: usize = 8 * 1024;
const WRITE_BUFFER: usize = 4 * 1024;

/// The largest frame that is taken. A page of history ends at 1 MiB of text, which escapes and rendered copies make several times
/// as much on the wire.
const LARGEST: usize = 32 << 20;

/// Where `welcome` names no heartbeat.
const HEARTBEAT: Duration = Duration::from_secs(25);

/// A socket, or one that is encrypted.
type Socket = WebSocketStream<MaybeTlsStream<Metered>>;

/// Gets the token, connects, sends `hello` and waits for `welcome`.
pub(crate) async fn dial(options: &Options, mut hello: Hello) -> Result<(Box<Wire>, Welcome), ConnectError> {
    let timeout = options.connect_timeout;
    let dialing = async {
        if let Some(source) = &options.token {
            let token = source.token().await.map_err(|error| ConnectError::Token(error.to_string()))?;
            hello.token = Some(token);
        }
        let mut socket = connect(options).await?;
        let welcome = begin(&mut socket, hello).await?;
        Ok((socket, welcome))
    };
    let (socket, welcome) =
        tokio::time::timeout(timeout, dialing).await.unwrap_or(Err(ConnectError::TimedOut(timeout)))?;
    let every = match (options.heartbeat, welcome.heartbeat_ms) {
        (Some(every), _) => every,
        (None, 0) => HEARTBEAT,
        (None, millis) => Duration::from_millis(millis),
    };
    let received = socket.get_ref().get_ref().received();
    let heartbeat = Heartbeat::new(every, options.pong_timeout, Instant::now(), received);
    Ok((Box::new(Wire::new(socket, heartbeat)), welcome))
}

async fn connect(options: &Options) -> Result<Socket, ConnectError> {
    let (request, address) = request(&options.url).ok_or_else(|| ConnectError::Url(options.url.clone()))?;
    let connector = match request.uri().scheme_str() {
        #[cfg(feature = "tls")]
        Some("wss") => Connector::Rustls(options.tls.config().await?),
        _ => Connector::Plain,
    };
    let stream = TcpStream::connect(address).await.map_err(unreachable)?;
    // frames are small and go out as soon as there is nothing to add to them
    stream.set_nodelay(true).map_err(unreachable)?;
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER)
        .max_message_size(Some(LARGEST))
        .max_frame_size(Some(LARGEST));
    // a handshake of TLS is large, and lives for a moment
    let shaking =
        Box::pin(client_async_tls_with_config(request, Metered::new(stream), Some(config), Some(connector)));
    shaking.await.map(|(socket, _)| socket).map_err(not_shaken)
}

/// The handshake's request, and the address that it goes to. `None` if the URL is neither a `ws:` nor, with TLS, a `wss:` one.
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

async fn begin(socket: &mut Socket, hello: Hello) -> Result<Welcome, ConnectError> {
    let hello = json(&ClientFrame { reference: None, command: Command::Hello(hello) });
    // the server may have ended it before; then what it said is read below
    let said = socket.send(Message::text(hello)).await;
    while let Some(message) = socket.next().await {
        match message.map_err(|error| ConnectError::Ended(error.to_string()))? {
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
                // a notice, or something that this client does not know yet
                _ => {}
            },
            Message::Close(Some(frame)) => {
                return Err(ConnectError::Ended(format!("closed with {}: {}", frame.code, frame.reason)));
            }
            _ => {}
        }
    }
    Err(ConnectError::Ended(said.err().map_or_else(|| "it was closed".into(), |error| error.to_string())))
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn unreachable(error: std::io::Error) -> ConnectError {
    ConnectError::Unreachable { kind: error.kind(), message: error.to_string() }
}

fn not_shaken(error: Error) -> ConnectError {
    match error {
        #[cfg(feature = "tls")]
        Error::Tls(error) => ConnectError::Tls(error.to_string()),
        #[cfg(feature = "tls")]
        Error::Io(error) if crate::model::is_refusal(&error) => ConnectError::Tls(error.to_string()),
        Error::Http(response) => ConnectError::Handshake { status: response.status().as_u16() },
        Error::Io(_) | Error::Protocol(ProtocolError::HandshakeIncomplete) => {
            ConnectError::Ended(error.to_string())
        }
        error => ConnectError::Dialect(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_where_to_go() {
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
