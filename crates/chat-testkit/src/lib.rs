//! WebSocket clients on bare sockets, PostgreSQL and NATS servers, and a proxy with faults, for
//! chatd's own tests and load tools.
//!
//! The client writes and reads frames on a bare socket and shares no code with the server, so that
//! both ends do not have the same fault. It can also violate the protocol.
//!
//! Everything that waits panics after [`PATIENCE`]: a test that would hang fails instead.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::missing_panics_doc)]

pub mod frame;
pub mod http;
pub mod jwt;
#[cfg(unix)]
pub mod nats;
#[cfg(unix)]
pub mod needs;
mod port;
#[cfg(unix)]
pub mod postgres;
pub mod proxy;
pub mod tls;
pub mod v2;

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use frame::{BINARY, CLOSE, Frame, Inflater, PING, PONG, TEXT};

/// The maximum duration of any wait.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Resolves like the future, or panics after [`PATIENCE`].
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("still waiting after {PATIENCE:?}: {what}"),
    }
}

/// Resolves once the condition is true, or panics after [`PATIENCE`].
pub async fn until<F: Future<Output = bool>>(what: &str, condition: impl Fn() -> F) {
    let looking = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    soon(what, looking).await;
}

/// What a client received.
#[derive(Debug, Clone, PartialEq)]
pub enum Seen {
    /// A text frame.
    Event(Value),
    /// A pong, with its payload.
    Pong(Vec<u8>),
    /// A ping, with its payload.
    Ping(Vec<u8>),
    /// A close frame, with its code.
    Close(Option<u16>),
    /// The end of the stream.
    End,
}

/// A WebSocket connection on a bare socket.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    /// Bytes that were read and not parsed yet.
    read_buffer: Vec<u8>,
    /// Whether pings are answered.
    answers_pings: bool,
    /// The extensions that the server accepted.
    extensions: Option<String>,
    /// The number of compressed messages so far.
    deflated: usize,
    /// Created by the first compressed message: it is large, and some programs hold thousands of
    /// clients.
    inflater: Option<Inflater>,
    /// The bytes of the last event that was not compressed.
    last_event: Vec<u8>,
}

/// The path of a classic connection.
pub fn path(room: &str, username: &str) -> String {
    format!("/ws/chat/{room}/{username}")
}

/// The request of a handshake.
pub fn handshake(path: &str) -> String {
    handshake_with(path, "")
}

/// The request of a handshake with additional header lines, each ended by CR LF.
pub fn handshake_with(path: &str, lines: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{lines}\r\n"
    )
}

impl Client {
    /// Connects in the classic dialect, which enters a room.
    pub async fn enter(server: SocketAddr, room: &str, username: &str) -> Self {
        Self::try_enter(server, room, username).await.expect("accepted")
    }

    /// Tries to connect in the classic dialect.
    ///
    /// # Errors
    /// The server's response, unless it is 101.
    pub async fn try_enter(server: SocketAddr, room: &str, username: &str) -> Result<Self, http::Answer> {
        Self::open(server, &handshake(&path(room, username))).await
    }

    /// Opens a connection with this handshake.
    ///
    /// # Errors
    /// The server's response, unless it is 101.
    pub async fn open(server: SocketAddr, handshake: &str) -> Result<Self, http::Answer> {
        let mut stream = TcpStream::connect(server).await.expect("a connection");
        stream.write_all(handshake.as_bytes()).await.expect("the handshake is sent");
        Self::shake_hands(stream).await
    }

    /// Reads the response to a handshake that has been sent.
    ///
    /// # Errors
    /// The server's response, unless it is 101.
    pub async fn shake_hands(mut stream: TcpStream) -> Result<Self, http::Answer> {
        let (answer, read_buffer) = http::read_head(&mut stream).await;
        if answer.status != 101 {
            return Err(answer.with_body(&mut stream, read_buffer).await);
        }
        // the example of RFC 6455, section 1.3
        assert_eq!(answer.header("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        let extensions = answer.header("sec-websocket-extensions").map(str::to_owned);
        Ok(Self {
            stream,
            read_buffer,
            answers_pings: true,
            extensions,
            deflated: 0,
            inflater: None,
            last_event: Vec::new(),
        })
    }

    /// The extensions that the server accepted in its response to the handshake.
    pub fn extensions(&self) -> Option<&str> {
        self.extensions.as_deref()
    }

    /// The number of compressed messages so far.
    pub fn deflated(&self) -> usize {
        self.deflated
    }

    /// From now on pings are returned and not answered.
    pub fn ignore_pings(&mut self) {
        self.answers_pings = false;
    }

    /// The socket.
    pub fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    /// Writes bytes without framing them.
    pub async fn write(&mut self, bytes: &[u8]) {
        soon("the server reads", self.stream.write_all(bytes)).await.expect("sent");
    }

    /// Sends a text frame.
    pub async fn send(&mut self, text: &str) {
        self.write(&frame::whole(TEXT, text.as_bytes())).await;
    }

    /// Sends a text frame. Returns false if the connection is closed.
    pub async fn try_send(&mut self, text: &str) -> bool {
        soon("the server reads", self.stream.write_all(&frame::whole(TEXT, text.as_bytes()))).await.is_ok()
    }

    /// Sends a message to the room in the classic dialect.
    pub async fn send_message(&mut self, message: &str) {
        self.send(&said(message)).await;
    }

    /// Sends a close frame.
    pub async fn close(&mut self, code: Option<u16>) {
        let payload = code.map(|code| code.to_be_bytes().to_vec()).unwrap_or_default();
        self.write(&frame::whole(CLOSE, &payload)).await;
    }

    /// Sends a ping.
    pub async fn ping(&mut self, payload: &[u8]) {
        self.write(&frame::whole(PING, payload)).await;
    }

    /// The next frame, or the end of the stream. Pings are answered meanwhile, unless they are
    /// ignored.
    pub async fn see(&mut self) -> Seen {
        soon("something to see", self.next()).await
    }

    async fn next(&mut self) -> Seen {
        loop {
            while let Some(Frame { opcode, is_compressed, payload }) =
                frame::parse(&self.read_buffer, 0).expect("a frame of a server")
            {
                let rest = self.read_buffer.split_off(payload.end);
                let payload = std::mem::replace(&mut self.read_buffer, rest).split_off(payload.start);
                match opcode {
                    TEXT if is_compressed && self.extensions.is_some() => {
                        self.deflated += 1;
                        let inflater = self.inflater.get_or_insert_default();
                        let message = inflater.inflate(&payload).expect("a compressed message");
                        return Seen::Event(serde_json::from_slice(message).expect("JSON"));
                    }
                    _ if is_compressed => panic!("opcode {opcode} with RSV1"),
                    TEXT => {
                        let event = serde_json::from_slice(&payload).expect("JSON");
                        self.last_event = payload;
                        return Seen::Event(event);
                    }
                    PING if self.answers_pings => {
                        // the server may have closed the connection; the end follows
                        let _ = self.stream.write_all(&frame::whole(PONG, &payload)).await;
                    }
                    PING => return Seen::Ping(payload),
                    PONG => return Seen::Pong(payload),
                    CLOSE => {
                        return Seen::Close(payload.first_chunk().map(|code| u16::from_be_bytes(*code)));
                    }
                    BINARY => panic!("a binary frame"),
                    other => panic!("opcode {other}"),
                }
            }
            let mut chunk = vec![0; 65_536];
            match self.stream.read(&mut chunk).await {
                Ok(0) | Err(_) => return Seen::End,
                Ok(count) => self.read_buffer.extend_from_slice(&chunk[..count]),
            }
        }
    }

    /// The next event.
    pub async fn event(&mut self) -> Value {
        match self.see().await {
            Seen::Event(event) => event,
            other => panic!("{other:?} instead of an event"),
        }
    }

    /// The last event, byte by byte as the server has sent it.
    pub fn last_event(&self) -> &[u8] {
        &self.last_event
    }

    /// The next event as a short text: `+ana`, `-ana`, `ana: text`, `*chatd*: text`.
    pub async fn brief(&mut self) -> String {
        brief(&self.event().await)
    }

    /// The texts of the next messages. Other events are skipped.
    pub async fn messages(&mut self, count: usize) -> Vec<String> {
        let mut messages = Vec::with_capacity(count);
        while messages.len() < count {
            let event = self.event().await;
            if event["type"] == "chat_message" {
                messages.push(event["message"].as_str().unwrap().to_owned());
            }
        }
        messages
    }

    /// Reads to the end. Returns the code of the close frame, if there was one.
    pub async fn closed(&mut self) -> Option<u16> {
        let mut code = None;
        loop {
            match self.see().await {
                Seen::Close(given) => code = given,
                Seen::End => return code,
                _ => {}
            }
        }
    }

    /// Resets the connection.
    pub fn reset(self) {
        socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)).unwrap();
    }

    /// Shuts down the sending side. Reading is still possible.
    pub async fn finish(&mut self) {
        self.stream.shutdown().await.unwrap();
    }
}

/// A message of a classic client, with a name that the server must ignore.
pub fn said(message: &str) -> String {
    json!({"message": message, "username": "somebody_else", "type": "chat_message"}).to_string()
}

/// An event as a short text for comparisons. Panics unless it has the four keys of a classic event.
pub fn brief(event: &Value) -> String {
    let keys: Vec<_> = event.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["message", "type", "username", "users"], "exactly these four keys");
    let username = event["username"].as_str().unwrap();
    match event["type"].as_str().unwrap() {
        "chat_enter_room" => format!("+{username}"),
        "chat_leave_room" => format!("-{username}"),
        _ => format!("{username}: {}", event["message"].as_str().unwrap()),
    }
}

/// The names in the list of an event, in its order.
pub fn listed(event: &Value) -> Vec<&str> {
    event["users"].as_array().unwrap().iter().map(|user| user["username"].as_str().unwrap()).collect()
}
