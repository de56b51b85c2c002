//! A raid on a room: `raid ADDRESS MEMBERS GUESTS`, and what the members of another room notice:
//! `raid ADDRESS bystanders SECONDS`.
//!
//! MEMBERS guests are in a room that has an owner. Then GUESTS others join it and post the same
//! link, each with some messages in flight. After a few seconds the owner lets only accounts post.
//! From the `room_changed` on, no message of a guest may come.
//!
//! The bystanders are ten members of another room who receive 20 messages a second. Run them at the
//! same time in a process of their own, with a higher priority: the clients of the raid receive so
//! much that they would measure themselves.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use chat_testkit::http::send_json;
use chat_testkit::v2::{Session, guest_token};
use futures::stream::{self, StreamExt};
use futures::{SinkExt, TryFutureExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

const LINK: &str = "https://example.com/free-things?from=raid";

/// How many messages each raider has in flight.
const IN_FLIGHT: usize = 8;

/// How long the raid lasts before the owner acts, and how long it goes on afterwards.
const BEFORE: Duration = Duration::from_secs(5);
const AFTER: Duration = Duration::from_secs(5);

/// The time between two messages in the room of the bystanders, and how many members it has.
const INTERVAL: Duration = Duration::from_millis(50);
const BYSTANDERS: usize = 10;

/// How many clients connect at once.
const CONCURRENCY: usize = 50;

struct Socket(WebSocketStream<TcpStream>);

impl Socket {
    async fn enter(server: SocketAddr, room: &str, username: &str) -> Self {
        let stream = TcpStream::connect(server).await.unwrap();
        let mut request = format!("ws://{server}/ws").into_client_request().unwrap();
        request.headers_mut().insert("Sec-WebSocket-Protocol", HeaderValue::from_static("chat.v2"));
        let (socket, _) = tokio_tungstenite::client_async(request, stream).await.unwrap();
        let mut socket = Self(socket);
        socket.send(json!({"type": "hello", "username": username, "guest_token": guest_token()})).await;
        socket.send(json!({"type": "join", "ref": "j", "room": room})).await;
        while !socket.text().await.unwrap().contains(r#""type":"joined""#) {}
        socket
    }

    async fn send(&mut self, frame: Value) {
        self.0.send(Message::text(frame.to_string())).await.unwrap();
    }

    /// The next frame; `None` if the connection has ended.
    async fn text(&mut self) -> Option<Utf8Bytes> {
        loop {
            match self.0.next().await {
                Some(Ok(Message::Text(text))) => return Some(text),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }
}

#[derive(Default)]
struct Counts {
    sent: AtomicU64,
    stored: AtomicU64,
    refused: AtomicU64,
    /// Clients that the server has disconnected because they read too slowly.
    ended: AtomicUsize,
    /// Raiders with something in flight.
    waiting: AtomicUsize,
    stop: AtomicBool,
}

/// Posts the link again and again until the server refuses it, then waits for what is in flight.
async fn raid(mut socket: Socket, counts: Arc<Counts>) {
    let mut in_flight = 0;
    counts.waiting.fetch_add(1, Ordering::Relaxed);
    let mut is_refused = false;
    loop {
        while in_flight < IN_FLIGHT && !is_refused {
            socket.send(json!({"type": "send", "ref": "s", "room": "raided", "body": LINK})).await;
            counts.sent.fetch_add(1, Ordering::Relaxed);
            in_flight += 1;
        }
        if in_flight == 0 {
            break;
        }
        let Some(text) = socket.text().await else {
            counts.ended.fetch_add(1, Ordering::Relaxed);
            break;
        };
        if text.starts_with(r#"{"type":"ack""#) {
            counts.stored.fetch_add(1, Ordering::Relaxed);
            in_flight -= 1;
        } else if text.starts_with(r#"{"type":"error""#) {
            assert!(text.contains(r#""code":"forbidden""#), "{text}");
            counts.refused.fetch_add(1, Ordering::Relaxed);
            in_flight -= 1;
            is_refused = true;
        }
    }
    counts.waiting.fetch_sub(1, Ordering::Relaxed);
    // stays in the room and reads
    while socket.text().await.is_some() {
        if counts.stop.load(Ordering::Relaxed) {
            return;
        }
    }
}

async fn read(mut socket: Socket, counts: Arc<Counts>) {
    while !counts.stop.load(Ordering::Relaxed) {
        if socket.text().await.is_none() {
            counts.ended.fetch_add(1, Ordering::Relaxed);
            return;
        }
    }
}

/// Sends messages, each with the time at which it was sent.
async fn speak(mut sender: Session, begun: Instant, counts: Arc<Counts>) {
    let mut ticks = tokio::time::interval(INTERVAL);
    while !counts.stop.load(Ordering::Relaxed) {
        ticks.tick().await;
        sender.send_message("quiet", &begun.elapsed().as_micros().to_string()).await;
    }
    sender.send_message("quiet", "last").await;
}

async fn listen(mut member: Session, begun: Instant) -> Vec<(Duration, Duration)> {
    let mut latencies = Vec::new();
    loop {
        let frame = member.next("message").await;
        let Ok(sent) = frame["body"].as_str().unwrap().parse() else { return latencies };
        let sent = Duration::from_micros(sent);
        latencies.push((sent, begun.elapsed() - sent));
    }
}

fn print(when: &str, mut latencies: Vec<Duration>) {
    latencies.sort_unstable();
    let at = |share: usize| latencies[(latencies.len() - 1) * share / 100].as_secs_f64() * 1_000.0;
    let (count, p50, p99, max) = (latencies.len(), at(50), at(99), at(100));
    println!("{when}: {count} deliveries, p50 {p50:.1} ms, p99 {p99:.1} ms, longest {max:.1} ms");
}

/// Prints the latency of the messages in each second, and over all.
async fn watch(server: SocketAddr, duration: Duration) {
    let begun = Instant::now();
    let mut listening = JoinSet::new();
    for number in 0..BYSTANDERS {
        let (member, _) = Session::enter(server, "quiet", &format!("b{number}")).await;
        listening.spawn(listen(member, begun));
    }
    let counts = Arc::new(Counts::default());
    let (sender, _) = Session::enter(server, "quiet", "speaker").await;
    let speaking = tokio::spawn(speak(sender, begun, Arc::clone(&counts)));
    tokio::time::sleep(duration).await;
    counts.stop.store(true, Ordering::Relaxed);
    speaking.await.unwrap();
    let all: Vec<_> = listening.join_all().await.into_iter().flatten().collect();
    for second in 0..=duration.as_secs() {
        let latencies: Vec<_> =
            all.iter().filter(|(sent, _)| sent.as_secs() == second).map(|(_, latency)| *latency).collect();
        if !latencies.is_empty() {
            print(&format!("second {second}"), latencies);
        }
    }
    print("all", all.into_iter().map(|(_, latency)| latency).collect());
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, members, guests] = &arguments[..] else { panic!("usage: raid ADDRESS MEMBERS GUESTS") };
    if members == "bystanders" {
        return watch(address.parse().unwrap(), Duration::from_secs(guests.parse().unwrap())).await;
    }
    let (server, members, guests): (SocketAddr, usize, usize) =
        (address.parse().unwrap(), members.parse().unwrap(), guests.parse().unwrap());
    let body = json!({"username": "owner", "password": "correct horse battery"});
    let registered = send_json(server, "POST", "/api/v1/accounts", &[], &body).await.json();
    let mut owner = Session::hello_with(server, json!({"token": registered["token"]})).await;
    owner.join("raided").await;
    assert_eq!(owner.ask(json!({"type": "create_room", "room": "raided"})).await["type"], "ack");

    let counts = Arc::new(Counts::default());
    let mut tasks = JoinSet::new();
    let entering = stream::iter(0..members)
        .map(|i| async move { Socket::enter(server, "raided", &format!("m{i}")).await });
    let mut entering = entering.buffer_unordered(CONCURRENCY);
    while let Some(socket) = entering.next().await {
        tasks.spawn(read(socket, Arc::clone(&counts)));
    }
    tokio::time::sleep(Duration::from_secs(3)).await;

    for i in 0..guests {
        let counts = Arc::clone(&counts);
        let entering =
            async move { raid(Socket::enter(server, "raided", &format!("r{i}")).await, counts).await };
        tasks.spawn(entering);
    }
    // the owner reads everything, so that it is not behind when it acts
    let owning = async move {
        let end = tokio::time::Instant::now() + BEFORE;
        let mut seen = 0_u64;
        while tokio::time::timeout_at(end, owner.frame()).map_ok(|_| seen += 1).await.is_ok() {}
        let acted = Instant::now();
        owner
            .send(&json!({"type": "configure_room", "ref": "c", "room": "raided", "post": "accounts"}))
            .await;
        let (mut changed, mut acked, mut after) = (None, None, 0_u64);
        let end = tokio::time::Instant::now() + AFTER;
        while let Ok(frame) = tokio::time::timeout_at(end, owner.frame()).await {
            match frame["type"].as_str().unwrap() {
                "room_changed" => changed = Some(acted.elapsed()),
                "ack" => acked = Some(acted.elapsed()),
                "message" if changed.is_some() => after += 1,
                "sync" => assert_eq!(frame["messages"].as_array().map_or(0, Vec::len), 0, "{frame}"),
                _ => {}
            }
        }
        (acted, changed.unwrap(), acked.unwrap(), after, owner)
    };
    let watched = Arc::clone(&counts);
    let draining = async {
        // until the last raider has all of its answers
        tokio::time::sleep(BEFORE + Duration::from_millis(200)).await;
        while watched.waiting.load(Ordering::Relaxed) > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Instant::now()
    };
    let ((acted, changed, acked, after, owner), drained) = tokio::join!(owning, draining);
    counts.stop.store(true, Ordering::Relaxed);
    drop(owner);
    tasks.shutdown().await;

    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    println!(
        "{} messages of the raid stored, {} refused; {} clients were disconnected",
        count(&counts.stored),
        count(&counts.refused),
        counts.ended.load(Ordering::Relaxed)
    );
    println!(
        "the owner sees room_changed after {changed:?}, its ack after {acked:?}, and {after} messages later"
    );
    println!("the last raider has its answers after {:?}", drained.saturating_duration_since(acted));
    assert_eq!(after, 0, "messages of guests after the change");
}
