//! Accounts: registering, signing in, devices, tokens, names.

mod deleting;
mod description;
mod devices;
mod jwt;
mod lists;
mod moderation;
mod names;
mod private;
mod registering;
mod server_acts;
mod signing_in;
mod tokens;

use std::net::SocketAddr;

use chat_testkit::http::{Answer, request, send_json};
use chat_testkit::v2::Session;
use serde_json::{Value, json};

pub(crate) const PASSWORD: &str = "correct horse";

/// A user who is signed in.
#[derive(Debug, Clone)]
pub(crate) struct User {
    pub(crate) token: String,
    pub(crate) id: String,
}

impl User {
    fn of(answer: &Answer) -> Self {
        let body = answer.json();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        Self { token: text(&body["token"]), id: text(&body["user"]["id"]) }
    }

    /// Registers a user.
    pub(crate) async fn register(server: SocketAddr, username: &str) -> Self {
        let answer = post(server, "accounts", None, &credentials(username, PASSWORD)).await;
        assert_eq!(answer.status, 201, "{:?}", answer.json());
        Self::of(&answer)
    }

    /// Signs in on another device.
    pub(crate) async fn log_in(server: SocketAddr, username: &str, password: &str) -> Self {
        let answer = post(server, "login", None, &credentials(username, password)).await;
        assert_eq!(answer.status, 200, "{:?}", answer.json());
        Self::of(&answer)
    }

    /// Begins a chat session.
    pub(crate) async fn hello(&self, server: SocketAddr) -> Session {
        Session::hello_with(server, json!({"token": self.token})).await
    }

    /// The status of a request of this user.
    pub(crate) async fn get(&self, server: SocketAddr, path: &str) -> Answer {
        let header = format!("Authorization: Bearer {}", self.token);
        request(server, "GET", &format!("/api/v1/{path}"), &[&header]).await
    }

    pub(crate) async fn send(&self, server: SocketAddr, method: &str, path: &str, body: &Value) -> Answer {
        send(server, method, path, Some(&self.token), body).await
    }

    pub(crate) async fn post(&self, server: SocketAddr, path: &str, body: &Value) -> Answer {
        post(server, path, Some(&self.token), body).await
    }
}

pub(crate) fn credentials(username: &str, password: &str) -> Value {
    json!({"username": username, "password": password})
}

pub(crate) async fn post(server: SocketAddr, path: &str, token: Option<&str>, body: &Value) -> Answer {
    send(server, "POST", path, token, body).await
}

pub(crate) async fn send(
    server: SocketAddr,
    method: &str,
    path: &str,
    token: Option<&str>,
    body: &Value,
) -> Answer {
    let header = token.map(|token| format!("Authorization: Bearer {token}"));
    let headers: Vec<_> = header.iter().map(String::as_str).collect();
    send_json(server, method, &format!("/api/v1/{path}"), &headers, body).await
}

/// The answer to a `hello` that starts no session.
pub(crate) async fn refused(server: SocketAddr, mut hello: Value) -> (Value, Session) {
    hello["type"] = "hello".into();
    let mut session = Session::without_hello(server).await;
    session.send(&hello).await;
    let answer = session.frame().await;
    assert_eq!(answer["type"], "error", "{answer}");
    (answer, session)
}

/// The end of a session: whether to reconnect, and the close code.
pub(crate) async fn end(session: &mut Session) -> (bool, u16) {
    let (bye, code) = session.closed().await;
    (bye.unwrap()["reconnect"].as_bool().unwrap(), code.unwrap())
}
