//! SIGKILL under load: every acked message is stored once, and every delivered message is stored.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chat_testkit::v2::{Session, guest_token};
use chat_testkit::{Seen, soon};
use futures::future::join_all;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::sync::{Barrier, Notify};

use crate::process::{Running, chatd};

const ROUNDS: usize = 50;
const WRITERS: usize = 20;
const READERS: usize = 3;
const ROOMS: usize = 4;

/// The maximum number of messages of a writer without an ack.
const MAX_IN_FLIGHT: usize = 8;

/// The messages of a room, by number.
type Log = BTreeMap<u64, String>;

fn room(of: usize) -> String {
    format!("r{}", of % ROOMS)
}

/// Counts acks and notifies when there are enough for a round.
#[derive(Default)]
struct Acks {
    count: AtomicUsize,
    enough: AtomicUsize,
    reached: Notify,
}

impl Acks {
    fn note(&self) {
        if self.count.fetch_add(1, Ordering::Relaxed) + 1 == self.enough.load(Ordering::Relaxed) {
            self.reached.notify_one();
        }
    }
}

/// A client that sends messages in all rounds.
struct Writer {
    number: usize,
    guest_token: String,
    next: usize,
    /// Messages without an ack. They may be stored or not, so they are sent again under the same
    /// id.
    unacked: Vec<String>,
    /// The number of each acked message, by id.
    acked: HashMap<String, u64>,
}

impl Writer {
    async fn write(&mut self, server: SocketAddr, acks: &Acks, all_joined: &Barrier) {
        let name = format!("writer{}", self.number);
        // the same guest in every round, so that a message that is sent again is recognised
        let mut session = Session::hello_as(server, &name, &self.guest_token).await;
        session.join(&room(self.number)).await;
        all_joined.wait().await;
        for id in self.unacked.clone() {
            if !self.send(&mut session, &id).await {
                return;
            }
        }
        loop {
            while self.unacked.len() < MAX_IN_FLIGHT {
                let id = format!("{name}.{}", self.next);
                self.next += 1;
                self.unacked.push(id.clone());
                if !self.send(&mut session, &id).await {
                    return;
                }
            }
            let Seen::Event(frame) = session.client.see().await else { return };
            match frame["type"].as_str().unwrap() {
                "ack" => {
                    let id = frame["id"].as_str().unwrap().to_owned();
                    self.unacked.retain(|unacked| *unacked != id);
                    assert_eq!(self.acked.insert(id, frame["seq"].as_u64().unwrap()), None, "acked once");
                    acks.note();
                }
                other => assert!(matches!(other, "message" | "presence"), "{frame}"),
            }
        }
    }

    async fn send(&self, session: &mut Session, id: &str) -> bool {
        let frame =
            json!({"type": "send", "room": room(self.number), "body": format!("says {id}"), "id": id});
        session.client.try_send(&frame.to_string()).await
    }
}

fn note(log: &mut Log, message: &Value) {
    let (seq, id) = (message["seq"].as_u64().unwrap(), message["id"].as_str().unwrap().to_owned());
    assert_eq!(message["body"], format!("says {id}"));
    assert_eq!(log.insert(seq, id), None, "each message once");
}

/// Reads one room until the server is killed.
async fn read(server: SocketAddr, number: usize, all_joined: Arc<Barrier>) -> Log {
    let (mut session, _) = Session::enter(server, &room(number), &format!("reader{number}")).await;
    all_joined.wait().await;
    let (mut log, mut last) = (Log::new(), 0);
    while let Seen::Event(frame) = session.client.see().await {
        if frame["type"] == "message" {
            let seq = frame["seq"].as_u64().unwrap();
            assert!(last == 0 || seq == last + 1, "in order, without a gap");
            last = seq;
            note(&mut log, &frame);
        }
    }
    log
}

async fn history(server: SocketAddr, room: &str) -> Log {
    let (mut session, joined) = Session::enter(server, room, "historian").await;
    let (mut log, newest) = (Log::new(), joined["seq"].as_u64().unwrap());
    while log.len() < newest as usize {
        let after = log.len();
        let page = session.ask(json!({"type": "history", "room": room, "after": after, "limit": 200})).await;
        for message in page["messages"].as_array().unwrap() {
            assert_eq!(message["seq"], log.len() as u64 + 1, "without a gap");
            note(&mut log, message);
        }
        assert!(log.len() > after, "{page}");
    }
    log
}

/// The seed of the numbers of acks after which the server is killed. `SEED` repeats a run.
fn seed() -> u64 {
    match std::env::var("SEED") {
        Ok(seed) => seed.parse().expect("SEED is a number"),
        Err(_) => rand::random(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_kills_lose_no_acked_and_no_delivered_message() {
    let seed = seed();
    println!("SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let folder = tempfile::tempdir().unwrap();
    let acks = Arc::new(Acks::default());
    let mut writers: Vec<_> = (0..WRITERS)
        .map(|number| Writer {
            number,
            guest_token: guest_token(),
            next: 0,
            unacked: Vec::new(),
            acked: HashMap::new(),
        })
        .collect();
    let mut seen: Vec<(usize, Log)> = Vec::new();
    for _ in 0..ROUNDS {
        let mut server = Running::start(&mut chatd(folder.path()));
        let address = server.address;
        acks.count.store(0, Ordering::Relaxed);
        acks.enough.store(random.random_range(1..300), Ordering::Relaxed);
        // the server must not be killed before all clients have joined
        let all_joined = Arc::new(Barrier::new(WRITERS + READERS));
        let writing = writers.into_iter().map(|mut writer| {
            let (acks, all_joined) = (Arc::clone(&acks), Arc::clone(&all_joined));
            tokio::spawn(async move {
                writer.write(address, &acks, &all_joined).await;
                writer
            })
        });
        let writing: Vec<_> = writing.collect();
        let reading: Vec<_> =
            (0..READERS).map(|number| tokio::spawn(read(address, number, Arc::clone(&all_joined)))).collect();
        soon("enough acks", acks.reached.notified()).await;
        server.signal(Signal::KILL);
        server.end_within(Duration::from_secs(10)).await;
        writers = join_all(writing).await.into_iter().map(Result::unwrap).collect();
        for (number, log) in join_all(reading).await.into_iter().enumerate() {
            seen.push((number, log.unwrap()));
        }
    }

    let server = Running::start(&mut chatd(folder.path()));
    let mut stored = Vec::new();
    for number in 0..ROOMS {
        stored.push(history(server.address, &room(number)).await);
    }
    for writer in &writers {
        let log = &stored[writer.number % ROOMS];
        for (id, seq) in &writer.acked {
            assert_eq!(log.get(seq), Some(id), "an acked message has the number of its ack");
        }
        assert!(writer.acked.len() > ROUNDS, "every round has acks: {}", writer.acked.len());
    }
    for log in &stored {
        let mut ids: Vec<_> = log.values().collect();
        ids.sort_unstable();
        assert!(ids.windows(2).all(|pair| pair[0] != pair[1]), "no message is stored twice");
    }
    let mut read = 0;
    for (number, log) in &seen {
        for (seq, id) in log {
            assert_eq!(stored[number % ROOMS].get(seq), Some(id), "every delivered message is stored");
            read += 1;
        }
    }
    assert!(read > ROUNDS, "the readers received messages: {read}");
}
