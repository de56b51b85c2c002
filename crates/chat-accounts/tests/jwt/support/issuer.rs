//! An issuer: an HTTP server with a JWKS.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use chat_accounts::JwtKeys;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What the issuer answers.
#[derive(Clone)]
pub(crate) enum Answer {
    Keys(Value),
    /// A whole response.
    Response(String),
    /// Nothing: the connection is closed.
    Nothing,
}

/// It runs as long as the runtime.
pub(crate) struct Issuer {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
}

struct State {
    answer: Mutex<Answer>,
    /// The number of requests that have arrived.
    requests: watch::Sender<usize>,
    /// Whether requests wait for their answers.
    holds: watch::Sender<bool>,
}

impl Issuer {
    pub(crate) async fn start(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            answer: Mutex::new(answer),
            requests: watch::Sender::new(0),
            holds: watch::Sender::new(false),
        });
        let accepting = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(Arc::clone(&accepting), stream));
            }
        });
        Self { address, state }
    }

    pub(crate) async fn with_keys(keys: &[Value]) -> Self {
        Self::start(Answer::Keys(super::jwks(keys))).await
    }

    pub(crate) fn keys(&self) -> JwtKeys {
        JwtKeys::url(format!("http://{}/keys", self.address)).unwrap()
    }

    pub(crate) fn answer(&self, answer: Answer) {
        *self.state.answer.lock().unwrap() = answer;
    }

    pub(crate) fn answer_keys(&self, keys: &[Value]) {
        self.answer(Answer::Keys(super::jwks(keys)));
    }

    /// The number of requests that have arrived.
    pub(crate) fn requests(&self) -> usize {
        *self.state.requests.borrow()
    }

    /// Waits until this many requests have arrived.
    pub(crate) async fn has_requests(&self, count: usize) {
        self.state.requests.subscribe().wait_for(|requests| *requests >= count).await.unwrap();
    }

    /// Lets requests wait for their answers from now on, or no longer.
    pub(crate) fn hold(&self, holds: bool) {
        self.state.holds.send_replace(holds);
    }
}

async fn serve(state: Arc<State>, mut stream: TcpStream) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut request).await.unwrap_or(0) == 0 {
            return;
        }
    }
    assert!(request.starts_with(b"GET /keys HTTP/1.1\r\n"), "{}", String::from_utf8_lossy(&request));
    state.requests.send_modify(|requests| *requests += 1);
    state.holds.subscribe().wait_for(|holds| !holds).await.unwrap();
    let response = match state.answer.lock().unwrap().clone() {
        Answer::Keys(keys) => {
            let body = keys.to_string();
            format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
        }
        Answer::Response(response) => response,
        Answer::Nothing => return,
    };
    // the client may have seen enough
    let _ = stream.write_all(response.as_bytes()).await;
}
