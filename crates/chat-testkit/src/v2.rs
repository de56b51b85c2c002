//! Sessions of `chat.v2` on bare sockets.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::{Client, Seen, handshake_with, http};

/// The header line that requests the dialect.
pub const PROTOCOL: &str = "Sec-WebSocket-Protocol: chat.v2\r\n";

/// A session of `chat.v2`.
#[derive(Debug)]
pub struct Session {
    /// The connection.
    pub client: Client,
    /// The answer to its `hello`.
    pub welcome: Value,
}

/// Opens a connection and sends nothing.
///
/// # Errors
/// The response of the server if it is not 101.
pub async fn open(server: SocketAddr) -> Result<Client, http::Answer> {
    Client::open(server, &handshake_with("/ws", PROTOCOL)).await
}

impl Session {
    /// Opens a connection and sends `hello` with this name.
    pub async fn hello(server: SocketAddr, username: &str) -> Self {
        Self::hello_with(server, json!({ "username": username })).await
    }

    /// Opens a connection and sends `hello` with these fields.
    pub async fn hello_with(server: SocketAddr, hello: Value) -> Self {
        Self::hello_on(open(server).await.expect("let in"), hello).await
    }

    /// Sends `hello` with these fields on a connection on which nothing was sent.
    pub async fn hello_on(client: Client, mut hello: Value) -> Self {
        hello["type"] = "hello".into();
        let mut session = Self { client, welcome: Value::Null };
        session.send(&hello).await;
        session.welcome = session.frame().await;
        assert_eq!(session.welcome["type"], "welcome", "{}", session.welcome);
        session
    }

    /// Opens a connection and joins a room; also returns the reply.
    pub async fn enter(server: SocketAddr, room: &str, username: &str) -> (Self, Value) {
        let mut session = Self::hello(server, username).await;
        let joined = session.join(room).await;
        (session, joined)
    }

    /// The secret with which a later session takes over this one.
    pub fn secret(&self) -> &str {
        self.welcome["resume"].as_str().expect("a secret")
    }

    /// Sends a frame.
    pub async fn send(&mut self, frame: &Value) {
        self.client.send(&frame.to_string()).await;
    }

    /// The next frame.
    pub async fn frame(&mut self) -> Value {
        self.client.event().await
    }

    /// The next frame of a type; other frames except errors are skipped.
    pub async fn next(&mut self, kind: &str) -> Value {
        loop {
            let frame = self.frame().await;
            if frame["type"] == kind {
                return frame;
            }
            assert_ne!(frame["type"], "error", "{frame} instead of {kind}");
        }
    }

    /// The next error; other frames are skipped.
    pub async fn next_error(&mut self) -> Value {
        loop {
            let frame = self.frame().await;
            if frame["type"] == "error" {
                return frame;
            }
        }
    }

    /// Sends a frame and returns the reply: the next frame with its `ref`. Other frames are
    /// skipped.
    pub async fn ask(&mut self, mut frame: Value) -> Value {
        frame["ref"] = "asked".into();
        self.send(&frame).await;
        loop {
            let answer = self.frame().await;
            if answer["ref"] == "asked" {
                return answer;
            }
        }
    }

    /// Joins a room and returns the reply.
    pub async fn join(&mut self, room: &str) -> Value {
        let joined = self.ask(json!({ "type": "join", "room": room })).await;
        assert_eq!(joined["type"], "joined", "{joined}");
        joined
    }

    /// Sends a message and returns its number once it is stored.
    pub async fn say(&mut self, room: &str, body: &str) -> u64 {
        let ack = self.ask(json!({ "type": "send", "room": room, "body": body })).await;
        assert_eq!(ack["type"], "ack", "{ack}");
        ack["seq"].as_u64().expect("a number")
    }

    /// Reads to the end, and returns the `bye` and the close code, if there were any.
    pub async fn closed(&mut self) -> (Option<Value>, Option<u16>) {
        let (mut bye, mut code) = (None, None);
        loop {
            match self.client.see().await {
                Seen::Event(frame) if frame["type"] == "bye" => bye = Some(frame),
                Seen::Close(given) => code = given,
                Seen::End => return (bye, code),
                _ => {}
            }
        }
    }
}
