//! What SIGKILL in the middle of traffic leaves: everything that was acked, once, and nothing that anyone saw is missing.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chat_testkit::v2::Session;
use chat_testkit::{Seen, soon};
use futures::future::join_all;
use rand::RngExt;
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::sync::{Barrier, Notify};

use crate::process::{Running, chatd};

const ROUNDS: usize = 50;
const WRITERS: usize = 20;
const READERS: usize = 3;
const ROOMS: usize = 4;

/// How many messages a writer sends before it waits for an ack.
const IN_FLIGHT: usize = 8;

/// What was seen of a room's messages, by number.
type Log = BTreeMap<u64, String>;

fn room(of: usize) -> String {
    format!("r{}", of % ROOMS)
}

/// Counts acks, and rings when there are as many as a round lasts.
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

/// Somebody who writes through all rounds.
struct Writer {
    number: usize,
    next: usize,
    /// Sent and not acked: the fate is unknown, so they are sent again under the same id.
    unacked: Vec<String>,
    /// The number under which each was acked.
    acked: HashMap<String, u64>,
}

impl Writer {
    async fn write(&mut self, server: SocketAddr, acks: &Acks, all_in: &Barrier) {
        let name = format!("writer{}", self.number);
        let (mut session, _) = Session::enter(server, &room(self.number), &name).await;
        all_in.wait().await;
        for id in self.unacked.clone() {
            if !self.send(&mut session, &id).await {
                return;
            }
        }
        loop {
            while self.unacked.len() < IN_FLIGHT {
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
    assert_eq!(log.insert(seq, id), None, "each once");
}

/// Reads one room until the server is gone.
async fn read(server: SocketAddr, number: usize, all_in: Arc<Barrier>) -> Log {
    let (mut session, _) = Session::enter(server, &room(number), &format!("reader{number}")).await;
    all_in.wait().await;
    let (mut log, mut last) = (Log::new(), 0);
    while let Seen::Event(frame) = session.client.see().await {
        if frame["type"] == "message" {
            let seq = frame["seq"].as_u64().unwrap();
            assert!(last == 0 || seq == last + 1, "in order, without a hole");
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
            assert_eq!(message["seq"], log.len() as u64 + 1, "without a hole");
            note(&mut log, message);
        }
        assert!(log.len() > after, "{page}");
    }
    log
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_kills_lose_nothing_that_was_acked_and_take_back_nothing_that_was_shown() {
    let folder = tempfile::tempdir().unwrap();
    let acks = Arc::new(Acks::default());
    let mut writers: Vec<_> = (0..WRITERS)
        .map(|number| Writer { number, next: 0, unacked: Vec::new(), acked: HashMap::new() })
        .collect();
    let mut seen: Vec<(usize, Log)> = Vec::new();
    for _ in 0..ROUNDS {
        let mut server = Running::start(&mut chatd(folder.path()));
        let address = server.address;
        acks.count.store(0, Ordering::Relaxed);
        acks.enough.store(rand::rng().random_range(1..300), Ordering::Relaxed);
        // whoever is killed on the way in has nothing to tell
        let all_in = Arc::new(Barrier::new(WRITERS + READERS));
        let writing = writers.into_iter().map(|mut writer| {
            let (acks, all_in) = (Arc::clone(&acks), Arc::clone(&all_in));
            tokio::spawn(async move {
                writer.write(address, &acks, &all_in).await;
                writer
            })
        });
        let writing: Vec<_> = writing.collect();
        let reading: Vec<_> =
            (0..READERS).map(|number| tokio::spawn(read(address, number, Arc::clone(&all_in)))).collect();
        soon("so many acks", acks.reached.notified()).await;
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
            assert_eq!(log.get(seq), Some(id), "what was acked is where its ack said");
        }
        assert!(writer.acked.len() > ROUNDS, "every round has some: {}", writer.acked.len());
    }
    for log in &stored {
        let mut ids: Vec<_> = log.values().collect();
        ids.sort_unstable();
        assert!(ids.windows(2).all(|pair| pair[0] != pair[1]), "nothing is there twice");
    }
    let mut read = 0;
    for (number, log) in &seen {
        for (seq, id) in log {
            assert_eq!(stored[number % ROOMS].get(seq), Some(id), "nobody saw what history lacks");
            read += 1;
        }
    }
    assert!(read > ROUNDS, "the readers saw something: {read}");
}
