//! A storm of reactions on one message: `reaction_storm ADDRESS MEMBERS SECONDS`.
//!
//! MEMBERS guests are in a room. First they receive 20 messages a second. Then each member also
//! puts its emoji on one message, or removes it, once a second. One in 50 applies what it
//! receives, and half way another one joins. At the end all of them must have the counts that the
//! acks add up to.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use chat_testkit::v2::guest_token;
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

const EMOJI: [&str; 4] = ["👍", "🎉", "🚀", "😄"];

/// The time between two messages.
const INTERVAL: Duration = Duration::from_millis(50);

/// One in so many members applies what it receives.
const APPLYING: usize = 50;

/// How many guests connect at once.
const CONCURRENCY: usize = 50;

/// The text of the message on which the emoji are put.
const TARGET: &str = "the target";

type Counts = BTreeMap<String, u64>;

struct Socket(WebSocketStream<TcpStream>);

impl Socket {
    async fn enter(server: SocketAddr, username: &str) -> (Self, Value) {
        let stream = TcpStream::connect(server).await.unwrap();
        let mut request = format!("ws://{server}/ws").into_client_request().unwrap();
        request.headers_mut().insert("Sec-WebSocket-Protocol", HeaderValue::from_static("chat.v2"));
        let (socket, _) = tokio_tungstenite::client_async(request, stream).await.unwrap();
        let mut socket = Self(socket);
        socket.send(json!({"type": "hello", "username": username, "guest_token": guest_token()})).await;
        socket.next("welcome").await;
        socket.send(json!({"type": "join", "ref": "j", "room": "storm", "history": 50})).await;
        let joined = socket.next("joined").await;
        (socket, joined)
    }

    async fn send(&mut self, frame: Value) {
        self.0.send(Message::text(frame.to_string())).await.unwrap();
    }

    async fn text(&mut self) -> Utf8Bytes {
        loop {
            match self.0.next().await.unwrap().unwrap() {
                Message::Text(text) => return text,
                Message::Close(frame) => panic!("closed: {frame:?}"),
                _ => {}
            }
        }
    }

    /// Asks for the target, which is older than the newest messages: its counts, and the number of
    /// its last change.
    async fn target(&mut self, target: u64) -> (Counts, u64) {
        let before = target + 1;
        self.send(json!({"type": "history", "ref": "h", "room": "storm", "before": before, "limit": 1}))
            .await;
        let mut meanwhile = Vec::new();
        loop {
            let frame: Value = serde_json::from_str(&self.text().await).unwrap();
            match frame["type"].as_str().unwrap() {
                "history" => {
                    let (mut counts, mut changed) = listed(&frame, target);
                    meanwhile.iter().for_each(|frame| apply(&mut counts, &mut changed, frame));
                    return (counts, changed);
                }
                "reactions" => meanwhile.push(frame),
                _ => {}
            }
        }
    }

    async fn next(&mut self, kind: &str) -> Value {
        loop {
            let frame: Value = serde_json::from_str(&self.text().await).unwrap();
            assert_ne!(frame["type"], "error", "{frame}");
            if frame["type"] == kind {
                return frame;
            }
        }
    }
}

/// What a member has found out.
struct Outcome {
    /// When each message was sent, and its latency.
    latencies: Vec<(Duration, Duration)>,
    /// The time until each reaction was acknowledged.
    acks: Vec<Duration>,
    /// The emoji that the member has on the message at the end.
    own: Option<&'static str>,
    /// The counts as the member knows them, if it applies what it receives.
    counts: Option<Counts>,
    frames: u64,
    bytes: u64,
}

/// The counts of the target in a list of messages, and the number of its last change.
fn listed(joined: &Value, target: u64) -> (Counts, u64) {
    let messages = joined["messages"].as_array().unwrap();
    let Some(message) = messages.iter().find(|message| message["seq"] == target) else {
        panic!("the target is not among the newest messages");
    };
    let reactions = message["reactions"].as_array().into_iter().flatten();
    let counts =
        reactions.map(|r| (r["emoji"].as_str().unwrap().to_owned(), r["count"].as_u64().unwrap())).collect();
    (counts, message["changed_seq"].as_u64().unwrap_or(0))
}

fn apply(counts: &mut Counts, changed: &mut u64, frame: &Value) {
    let seq = frame["seq"].as_u64().unwrap();
    if seq <= *changed {
        return;
    }
    *changed = seq;
    for change in frame["changes"].as_array().unwrap() {
        let emoji = change["emoji"].as_str().unwrap();
        match change["count"].as_u64().unwrap() {
            0 => counts.remove(emoji),
            count => counts.insert(emoji.to_owned(), count),
        };
    }
}

struct Plan {
    target: u64,
    begun: Instant,
    storm: std::ops::Range<Duration>,
    /// Members whose reactions are not all acknowledged.
    reacting: AtomicUsize,
}

async fn member(mut socket: Socket, index: usize, plan: Arc<Plan>, known: Option<(Counts, u64)>) -> Outcome {
    let applies = known.is_some();
    let (mut counts, mut changed) = known.unwrap_or_default();
    let mut outcome =
        Outcome { latencies: Vec::new(), acks: Vec::new(), own: None, counts: None, frames: 0, bytes: 0 };
    let emoji = EMOJI[index % EMOJI.len()];
    // spread over the second
    let offset = Duration::from_micros((index as u64).wrapping_mul(618_034) % 1_000_000);
    let mut due = plan.storm.start + offset;
    let (mut asked, mut reacts) = (None, index != usize::MAX);
    let mut quiet = false;
    loop {
        if reacts && asked.is_none() && due >= plan.storm.end {
            reacts = false;
            plan.reacting.fetch_sub(1, Ordering::Relaxed);
        }
        let wakes = tokio::time::sleep_until((plan.begun + due).into());
        let text = tokio::select! {
            text = socket.text() => text,
            () = wakes, if reacts && asked.is_none() => {
                let on = outcome.own.is_none();
                socket
                    .send(json!({
                        "type": "react", "ref": "r", "room": "storm", "target": plan.target,
                        "emoji": emoji, "on": on,
                    }))
                    .await;
                asked = Some((Instant::now(), on));
                due += Duration::from_secs(1);
                continue;
            }
        };
        outcome.frames += 1;
        outcome.bytes += text.len() as u64;
        if text.starts_with(r#"{"type":"reactions""#) {
            if applies {
                apply(&mut counts, &mut changed, &serde_json::from_str(&text).unwrap());
            }
            continue;
        }
        let frame: Value = serde_json::from_str(&text).unwrap();
        match frame["type"].as_str().unwrap() {
            "ack" => {
                let (sent, on) = asked.take().unwrap();
                outcome.acks.push(sent.elapsed());
                outcome.own = on.then_some(emoji);
            }
            "message" if frame["body"] == "last" => quiet = true,
            "message" => {
                let sent = Duration::from_micros(frame["body"].as_str().unwrap().parse().unwrap());
                outcome.latencies.push((sent, plan.begun.elapsed().saturating_sub(sent)));
            }
            "error" | "bye" => panic!("{frame}"),
            _ => {}
        }
        if quiet {
            outcome.counts = applies.then_some(counts);
            return outcome;
        }
    }
}

fn print(when: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |share: usize| times[(times.len() - 1) * share / 1_000].as_secs_f64() * 1_000.0;
    println!(
        "{when}: {}, p50 {:.1} ms, p99 {:.1} ms, p99.9 {:.1} ms, longest {:.1} ms",
        times.len(),
        at(500),
        at(990),
        at(999),
        at(1_000)
    );
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut next = |default: &str| arguments.next().unwrap_or_else(|| default.to_owned());
    let server: SocketAddr = next("127.0.0.1:8000").parse().unwrap();
    let members: usize = next("1000").parse().unwrap();
    let seconds = Duration::from_secs(next("20").parse().unwrap());

    let (mut sender, _) = Socket::enter(server, "sender").await;
    sender.send(json!({"type": "send", "ref": "s", "room": "storm", "body": TARGET})).await;
    let target = sender.next("ack").await["seq"].as_u64().unwrap();
    let mut crowd = Vec::new();
    for first in (0..members).step_by(CONCURRENCY) {
        let mut joining = JoinSet::new();
        for index in first..members.min(first + CONCURRENCY) {
            joining.spawn(async move {
                let (socket, joined) = Socket::enter(server, &format!("member{index}")).await;
                (index, socket, joined)
            });
        }
        crowd.extend(joining.join_all().await);
    }
    let quiet = Duration::from_secs(5);
    let plan = Arc::new(Plan {
        target,
        begun: Instant::now(),
        storm: quiet..quiet + seconds,
        reacting: AtomicUsize::new(members),
    });
    let mut running = JoinSet::new();
    for (index, socket, joined) in crowd {
        let known = (index % APPLYING == 0).then(|| listed(&joined, target));
        running.spawn(member(socket, index, Arc::clone(&plan), known));
    }
    let late = Arc::clone(&plan);
    running.spawn(async move {
        tokio::time::sleep_until((late.begun + quiet + seconds / 2).into()).await;
        let asked = Instant::now();
        let (mut socket, _) = Socket::enter(server, "late").await;
        println!("joined in the middle after {:.1} ms", asked.elapsed().as_secs_f64() * 1_000.0);
        let known = socket.target(late.target).await;
        member(socket, usize::MAX, late, Some(known)).await
    });
    let mut ticks = tokio::time::interval(INTERVAL);
    while plan.reacting.load(Ordering::Relaxed) > 0 {
        ticks.tick().await;
        let body = plan.begun.elapsed().as_micros().to_string();
        sender.send(json!({"type": "send", "ref": "s", "room": "storm", "body": body})).await;
        sender.next("ack").await;
    }
    let ended = plan.begun.elapsed();
    sender.send(json!({"type": "send", "ref": "s", "room": "storm", "body": "last"})).await;
    sender.next("ack").await;

    let outcomes = running.join_all().await;
    let mut expected = Counts::new();
    for own in outcomes.iter().filter_map(|outcome| outcome.own) {
        *expected.entry(own.to_owned()).or_default() += 1;
    }
    let applied: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.counts.as_ref()).collect();
    let wrong = applied.iter().filter(|counts| ***counts != expected).count();
    let (mut after, _) = Socket::enter(server, "after").await;
    assert_eq!(after.target(target).await.0, expected, "the counts in the history");
    let latencies = |from: Duration, to: Duration| {
        let all = outcomes.iter().flat_map(|outcome| &outcome.latencies);
        all.filter(|(sent, _)| (from..to).contains(sent)).map(|&(_, latency)| latency).collect()
    };
    print("messages before the storm", latencies(Duration::from_secs(1), quiet));
    print("messages during the storm", latencies(quiet, ended));
    let acks: Vec<_> = outcomes.iter().flat_map(|outcome| &outcome.acks).copied().collect();
    println!("{:.0} reactions a second", acks.len() as f64 / (ended - quiet).as_secs_f64());
    print("acks of reactions", acks);
    let (frames, bytes) = outcomes.iter().fold((0, 0), |(f, b), o| (f + o.frames, b + o.bytes));
    println!("{frames} frames, {:.1} MiB received", bytes as f64 / 1_048_576.0);
    println!("{expected:?}: {} of {} that apply have these counts", applied.len() - wrong, applied.len());
    assert_eq!(wrong, 0, "wrong counts");
}
