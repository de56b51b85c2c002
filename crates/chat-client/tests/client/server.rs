//! A scripted server: it does only what the test scripts.
//!
//! Everything that waits panics after [`TIMEOUT`].

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chat_client::{Backoff, Client, Event, Events, JoinOptions, Options, RoomName, StoredMessage};
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::{WebSocketStream, accept_hdr_async};

const TIMEOUT: Duration = Duration::from_secs(30);

pub(crate) const SENT_AT: &str = "2026-01-01T00:00:00.000Z";

/// Resolves like the future, or panics after [`TIMEOUT`].
pub(crate) async fn within_timeout<T>(what: &str, future: impl Future<Output = T>) -> T {
    let waiting = tokio::time::timeout(TIMEOUT, future).await;
    waiting.unwrap_or_else(|_| panic!("still waiting after {TIMEOUT:?}: {what}"))
}

pub(crate) fn lobby() -> RoomName {
    "lobby".parse().unwrap()
}

/// A listening server.
pub(crate) struct Server {
    listener: TcpListener,
    /// The number of sessions that began.
    sessions: AtomicU64,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").await.unwrap(), sessions: AtomicU64::new(0) }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap()
    }

    /// The options of a client that reconnects soon.
    pub(crate) fn options(&self) -> Options {
        Options::new(format!("ws://{}/ws", self.address()), "ana".parse().unwrap())
            .backoff(Backoff::new(Duration::from_millis(1), Duration::from_millis(20)))
    }

    /// The next connection, before its handshake.
    pub(crate) async fn socket(&self) -> TcpStream {
        within_timeout("a connection", self.listener.accept()).await.unwrap().0
    }

    /// The next connection, before its `hello`.
    pub(crate) async fn accept(&self) -> Peer {
        #[expect(clippy::result_large_err, reason = "tungstenite's signature")]
        fn choose(request: &Request, mut response: Response) -> Result<Response, ErrorResponse> {
            assert_eq!(request.uri().path(), "/ws");
            assert_eq!(request.headers()["Sec-WebSocket-Protocol"], "chat.v2");
            response.headers_mut().insert("Sec-WebSocket-Protocol", HeaderValue::from_static("chat.v2"));
            Ok(response)
        }
        let socket = self.socket().await;
        Peer { socket: within_timeout("a handshake", accept_hdr_async(socket, choose)).await.unwrap() }
    }

    /// The next connection with its session, and the client's `hello`.
    pub(crate) async fn welcome(&self) -> (Peer, Value) {
        let mut peer = self.accept().await;
        let hello = peer.receive("hello").await;
        let number = self.sessions.fetch_add(1, Ordering::Relaxed) + 1;
        peer.send(json!({
            "type": "welcome", "session": format!("session-{number}"), "server": "script 1",
            "user": {"id": "g_ana", "username": "ana", "kind": "guest", "role": "user"}, "heartbeat_ms": 60_000,
            "limits": {
                "message_bytes": 131_072, "messages_per_second": 100, "burst": 100, "rooms": 10, "sessions": 20,
            },
        }))
        .await;
        (peer, hello)
    }

    /// A client with its session, and the server's end of it.
    pub(crate) async fn client(&self, options: Options) -> (Client, Received, Peer) {
        let (connected, (peer, _)) = tokio::join!(Client::connect(options), self.welcome());
        let (client, events) = connected.unwrap();
        let mut received = Received { events };
        assert_eq!(received.next().await, "connected");
        (client, received, peer)
    }

    /// A client in the lobby, where 5 messages have been sent, and the server's end of it.
    pub(crate) async fn client_in_lobby(&self, options: Options) -> (Client, Received, Peer) {
        let (client, mut received, mut peer) = self.client(options).await;
        let answer = async {
            let join = peer.receive("join").await;
            peer.joined(&join, "e", 5, &[], false).await;
        };
        let room = lobby();
        let (joined, ()) = tokio::join!(client.join(&room, JoinOptions::default()), answer);
        assert_eq!(joined.unwrap().seq, 5);
        assert_eq!(received.next().await, "joined 5");
        (client, received, peer)
    }

    /// The client reconnects and requests the lobby. Returns its `join`, which is not answered.
    pub(crate) async fn reconnects(&self) -> (Peer, Value) {
        let (mut peer, hello) = self.welcome().await;
        assert!(hello["replaces"].as_str().unwrap().starts_with("session-"));
        let join = peer.receive("join").await;
        (peer, join)
    }
}

/// The server's end of a connection.
pub(crate) struct Peer {
    pub(crate) socket: WebSocketStream<TcpStream>,
}

impl Peer {
    /// The next message of any kind. Pings and close frames are answered meanwhile.
    pub(crate) async fn message(&mut self) -> Option<Message> {
        within_timeout("a message", self.socket.next()).await.and_then(Result::ok)
    }

    /// The next frame, which must be of this type. Pings of the heartbeat are answered meanwhile,
    /// unless the test waits for one.
    pub(crate) async fn receive(&mut self, kind: &str) -> Value {
        loop {
            match self.message().await {
                Some(Message::Text(text)) => {
                    let frame: Value = serde_json::from_str(&text).unwrap();
                    if kind != "ping" && frame["type"] == "ping" && frame["ref"].is_null() {
                        self.send(json!({"type": "pong"})).await;
                        continue;
                    }
                    assert_eq!(frame["type"], kind, "{frame}");
                    return frame;
                }
                Some(Message::Ping(_) | Message::Pong(_)) => {}
                other => panic!("{other:?} instead of {kind}"),
            }
        }
    }

    /// The code of the client's close frame, which must come next and be followed by the end.
    pub(crate) async fn closed(&mut self) -> Option<u16> {
        let Some(Message::Close(frame)) = self.message().await else { return None };
        while self.message().await.is_some() {}
        frame.map(|frame| frame.code.into())
    }

    pub(crate) async fn send(&mut self, frame: Value) {
        within_timeout("the client reads", self.socket.send(Message::text(frame.to_string()))).await.unwrap();
    }

    /// Answers a `join`. `messages` are the numbers of its messages.
    pub(crate) async fn joined(
        &mut self,
        join: &Value,
        epoch: &str,
        seq: u64,
        messages: &[u64],
        recovered: bool,
    ) {
        let messages: Vec<_> = messages.iter().map(|seq| stored_message(*seq)).collect();
        let changed = recovered.then(|| json!([]));
        self.joined_with(join, epoch, seq, json!(messages), changed).await;
    }

    /// Answers a `join` with lists of messages: without `changed`, nothing is recovered.
    pub(crate) async fn joined_with(
        &mut self,
        join: &Value,
        epoch: &str,
        seq: u64,
        messages: Value,
        changed: Option<Value>,
    ) {
        let first = messages[0]["seq"].as_u64().unwrap_or(seq + 1);
        let mut joined = json!({
            "type": "joined", "ref": join["ref"], "room": "lobby", "epoch": epoch, "seq": seq, "oldest": 1,
            "members": [{"username": "ana", "user": "g_ana", "joined_at": SENT_AT}], "member_count": 1,
            "first": first, "last": seq, "messages": messages, "recovered": changed.is_some(),
        });
        if let Some(changed) = changed {
            joined["changed"] = changed;
        }
        self.send(joined).await;
    }

    pub(crate) async fn refuse(&mut self, frame: &Value, code: &str) {
        self.send(json!({"type": "error", "ref": frame["ref"], "code": code, "message": "no"})).await;
    }

    /// Acks a `send`, and delivers the message to its sender.
    pub(crate) async fn store(&mut self, send: &Value, seq: u64) {
        self.ack(send, seq).await;
        let mut message = stored_message(seq);
        message["type"] = "message".into();
        message["room"] = "lobby".into();
        message["from"] = "ana".into();
        message["user"] = "g_ana".into();
        message["id"] = send["id"].clone();
        message["body"] = send["body"].clone();
        self.send(message).await;
    }

    pub(crate) async fn ack(&mut self, send: &Value, seq: u64) {
        self.send(json!({
            "type": "ack", "ref": send["ref"], "room": "lobby", "seq": seq, "id": send["id"], "sent_at": SENT_AT,
        }))
        .await;
    }

    /// Delivers a message of another member in the lobby.
    pub(crate) async fn deliver(&mut self, seq: u64) {
        let mut message = stored_message(seq);
        message["type"] = "message".into();
        message["room"] = "lobby".into();
        self.send(message).await;
    }

    /// Sends `bye`, closes the connection, and waits for its end.
    pub(crate) async fn bye(mut self, code: u16, reconnect: bool, after_ms: Option<u64>) {
        self.send(json!({"type": "bye", "code": code, "reason": "so", "reconnect": reconnect, "after_ms": after_ms}))
            .await;
        self.close(code).await;
    }

    /// Closes the connection, and waits for its end.
    pub(crate) async fn close(mut self, code: u16) {
        self.socket.close(Some(CloseFrame { code: code.into(), reason: "so".into() })).await.unwrap();
        while self.message().await.is_some() {}
    }

    /// Resets the connection.
    pub(crate) fn reset(self) {
        let stream = self.socket.into_inner();
        socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    }
}

/// A message of bob in a list.
pub(crate) fn stored_message(seq: u64) -> Value {
    json!({
        "seq": seq, "id": format!("id-{seq}"), "from": "bob", "user": "g_bob", "body": format!("text {seq}"),
        "sent_at": SENT_AT,
    })
}

/// A message in a list that was deleted by the event of this number.
pub(crate) fn deleted_message(seq: u64, changed_seq: u64) -> Value {
    json!({"seq": seq, "sent_at": SENT_AT, "deleted": true, "by": "operator", "changed_seq": changed_seq})
}

/// The events of the client, as short texts for comparisons.
pub(crate) struct Received {
    pub(crate) events: Events,
}

impl Received {
    pub(crate) async fn event(&mut self) -> Event {
        within_timeout("an event", self.events.next()).await.expect("an event")
    }

    pub(crate) async fn next(&mut self) -> String {
        brief(&self.event().await)
    }

    pub(crate) async fn next_events(&mut self, count: usize) -> Vec<String> {
        let mut events = Vec::new();
        while events.len() < count {
            events.push(self.next().await);
        }
        events
    }

    /// Skips failed attempts up to the next connection.
    pub(crate) async fn connected(&mut self) {
        loop {
            match self.next().await.as_str() {
                "connected" => return,
                "disconnected" => {}
                other => panic!("{other} instead of connected"),
            }
        }
    }

    /// All remaining events.
    pub(crate) async fn rest(mut self) -> Vec<String> {
        let mut rest = Vec::new();
        while let Some(event) = within_timeout("an event", self.events.next()).await {
            rest.push(brief(&event));
        }
        rest
    }
}

fn brief(event: &Event) -> String {
    match event {
        Event::Connected(_) => "connected".into(),
        Event::Disconnected { .. } => "disconnected".into(),
        Event::Joined(joined) if joined.recovered => format!("rejoined {}", joined.seq),
        Event::Joined(joined) => {
            let kind = if joined.since.is_some() { "void" } else { "joined" };
            let messages: String =
                joined.messages.iter().map(|message| format!(" {}", entry(message))).collect();
            format!("{kind} {}{messages}", joined.seq)
        }
        Event::Message { message, .. } => entry(message),
        Event::Changed { message, .. } => format!("changed {}", entry(message)),
        Event::Deleted(deleted) => format!("{}: deletes {:?}", deleted.seq, deleted.targets),
        Event::History(page) => format!("history {}..{}", page.first, page.last),
        Event::Recovered { count, .. } => format!("recovered {count}"),
        Event::Left { reason, .. } => format!("left {reason:?}"),
        Event::RejoinDelayed { code, .. } => format!("delayed {code:?}"),
        Event::RejoinRefused { code, .. } => format!("refused {code:?}"),
        Event::Closed(_) => "closed".into(),
        other => format!("{other:?}"),
    }
}

fn entry(message: &StoredMessage) -> String {
    match message {
        StoredMessage::Text { seq, body, .. } => format!("{seq}: {body}"),
        StoredMessage::Deleted { seq, .. } => format!("{seq}: deleted"),
    }
}
