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
    /// The server's answer to the `hello`.
    pub welcome: Value,
    /// The secret of the guest: the one in `hello`, or else the one in `welcome`.
    guest_token: Option<String>,
}

/// A random guest token: the base64url encoding of 32 bytes, which has 43 characters.
pub fn guest_token() -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut token: String =
        rand::random::<[u8; 42]>().map(|byte| char::from(ALPHABET[usize::from(byte % 64)])).iter().collect();
    // two bits of the last character belong to no byte, and are zero
    token.push(char::from(ALPHABET[usize::from(rand::random::<u8>() % 16) * 4]));
    token
}

/// Opens a connection without a session.
///
/// # Errors
/// The server's response, unless it is 101.
pub async fn open(server: SocketAddr) -> Result<Client, http::Answer> {
    Client::open(server, &handshake_with("/ws", PROTOCOL)).await
}

impl Session {
    /// Opens a connection and begins a session of a new guest with this name.
    pub async fn hello(server: SocketAddr, username: &str) -> Self {
        Self::hello_with(server, json!({ "username": username })).await
    }

    /// Opens a connection and begins a session of the guest with this token.
    pub async fn hello_as(server: SocketAddr, username: &str, guest_token: &str) -> Self {
        Self::hello_with(server, json!({ "username": username, "guest_token": guest_token })).await
    }

    /// Opens a connection and begins a session that replaces an earlier one of the same guest.
    pub async fn hello_replacing(server: SocketAddr, earlier: &Self) -> Self {
        let hello = json!({
            "username": earlier.welcome["user"]["username"],
            "guest_token": earlier.guest_token(),
            "replaces": earlier.id(),
        });
        Self::hello_with(server, hello).await
    }

    /// Opens a connection and begins a session with these fields of `hello`. See
    /// [`hello_on`](Self::hello_on).
    pub async fn hello_with(server: SocketAddr, hello: Value) -> Self {
        Self::hello_on(open(server).await.expect("accepted"), hello).await
    }

    /// Opens a connection on which no session has begun.
    pub async fn without_hello(server: SocketAddr) -> Self {
        let client = open(server).await.expect("accepted");
        Self { client, welcome: Value::Null, guest_token: None }
    }

    /// Begins a session with these fields of `hello` on a connection without one. Without a `token`
    /// and a `guest_token`, a random `guest_token` is added. A `guest_token` of null is sent as it
    /// A session on an open connection, before its `hello`.
    pub fn without_hello_on(client: Client) -> Self {
        Self { client, welcome: Value::Null, guest_token: None }
    }

    /// is: then the server makes one.
    pub async fn hello_on(client: Client, mut hello: Value) -> Self {
        hello["type"] = "hello".into();
        if hello.get("token").is_none() && hello.get("guest_token").is_none() {
            hello["guest_token"] = guest_token().into();
        }
        let mut session = Self { client, welcome: Value::Null, guest_token: None };
        session.send(&hello).await;
        session.welcome = session.frame().await;
        assert_eq!(session.welcome["type"], "welcome", "{}", session.welcome);
        let token = hello["guest_token"].as_str().or(session.welcome["guest_token"].as_str());
        session.guest_token = token.map(str::to_owned);
        session
    }

    /// Begins a session and joins a room. Also returns the server's answer.
    pub async fn enter(server: SocketAddr, room: &str, username: &str) -> (Self, Value) {
        let mut session = Self::hello(server, username).await;
        let joined = session.join(room).await;
        (session, joined)
    }

    /// The id of the session, for `replaces` in a later `hello` of the same user.
    pub fn id(&self) -> &str {
        self.welcome["session"].as_str().expect("an id")
    }

    /// The id of the user.
    pub fn user(&self) -> &str {
        self.welcome["user"]["id"].as_str().expect("an id")
    }

    /// The secret with which a later session is the same guest.
    pub fn guest_token(&self) -> &str {
        self.guest_token.as_deref().expect("a guest")
    }

    /// Sends a frame.
    pub async fn send(&mut self, frame: &Value) {
        self.client.send(&frame.to_string()).await;
    }

    /// The next frame.
    pub async fn frame(&mut self) -> Value {
        self.client.event().await
    }

    /// The next frame of a type. Other frames are skipped, but an error panics.
    pub async fn next(&mut self, kind: &str) -> Value {
        loop {
            let frame = self.frame().await;
            if frame["type"] == kind {
                return frame;
            }
            assert_ne!(frame["type"], "error", "{frame} instead of {kind}");
        }
    }

    /// The next error. Other frames are skipped.
    pub async fn next_error(&mut self) -> Value {
        loop {
            let frame = self.frame().await;
            if frame["type"] == "error" {
                return frame;
            }
        }
    }

    /// Sends a frame, and returns its answer: the next frame with the same `ref`.
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

    /// As [`ask`](Self::ask), with the answer byte by byte as the server has sent it.
    pub async fn ask_bytes(&mut self, frame: Value) -> String {
        self.ask(frame).await;
        String::from_utf8(self.client.last_event().to_vec()).expect("text")
    }

    /// Joins a room, and returns the server's answer.
    pub async fn join(&mut self, room: &str) -> Value {
        let joined = self.ask(json!({ "type": "join", "room": room })).await;
        assert_eq!(joined["type"], "joined", "{joined}");
        joined
    }

    /// Sends a message, and returns its number once it is stored.
    pub async fn send_message(&mut self, room: &str, body: &str) -> u64 {
        let ack = self.ask(json!({ "type": "send", "room": room, "body": body })).await;
        assert_eq!(ack["type"], "ack", "{ack}");
        ack["seq"].as_u64().expect("a number")
    }

    /// Reads to the end. Returns the `bye` and the close code, if there were any.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_token_is_the_encoding_of_32_bytes() {
        let tokens = [guest_token(), guest_token()];
        assert_ne!(tokens[0], tokens[1]);
        for token in tokens {
            assert_eq!(token.len(), 43);
            let is_valid = |char: char| char.is_ascii_alphanumeric() || matches!(char, '-' | '_');
            assert!(token.chars().all(is_valid), "{token}");
            assert!(token.ends_with(|last| "AEIMQUYcgkosw048".contains(last)), "{token}");
        }
    }
}
