//! Reconnecting clients: connections break and the server is killed repeatedly, and every message
//! is stored once and delivered once.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use chat_client::{
    Ack, Backoff, Client, Event, Events, GuestToken, JoinOptions, Options, Page, RoomName, StoredMessage,
};
use chat_testkit::soon;
use futures::future::join_all;
use rand::RngExt;
use rustix::process::Signal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};

use crate::process::{Running, chatd};

const KILLS: usize = 50;
const WRITERS: usize = 20;
const READERS: usize = 3;
const IN_FLIGHT: usize = 8;

/// The maximum number of bytes that a connection forwards before it is cut. A client that missed
/// 1,000 messages receives them in one frame, which has to fit: otherwise it never catches up.
const MAX_BYTES: usize = 400_000;

/// A proxy to the current address of the server that cuts each connection after a random number of
/// bytes.
struct BadLine {
    address: SocketAddr,
    server: watch::Sender<Option<SocketAddr>>,
    cuts: Arc<AtomicUsize>,
}

impl BadLine {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, cuts) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
        let (server, known) = watch::channel(None);
        let cut = Arc::clone(&cuts);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Some(server) = *known.borrow() else { continue };
                let cut = Arc::clone(&cut);
                tokio::spawn(async move {
                    if let Ok(server) = TcpStream::connect(server).await {
                        let most = rand::rng().random_range(500..MAX_BYTES);
                        if forward(client, server, most).await {
                            cut.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        Self { address, server, cuts }
    }
}

/// Forwards bytes until one side ends or `max` bytes were forwarded. Returns whether it was the
/// limit.
async fn forward(mut client: TcpStream, mut server: TcpStream, max: usize) -> bool {
    let (mut up, mut down, mut passed) = (vec![0; 4_096], vec![0; 4_096], 0);
    while passed < max {
        tokio::select! {
            read = client.read(&mut up) => match read {
                Ok(count @ 1..) if server.write_all(&up[..count]).await.is_ok() => passed += count,
                _ => return false,
            },
            read = server.read(&mut down) => match read {
                Ok(count @ 1..) => {
                    // the last bytes may end in the middle of a frame
                    let count = count.min(max - passed).max(1);
                    if client.write_all(&down[..count]).await.is_err() {
                        return false;
                    }
                    passed += count;
                }
                _ => return false,
            },
        }
    }
    true
}

async fn connect(line: &BadLine, name: &str) -> (Client, Events) {
    // the server may have begun a session for an attempt that failed: the next attempt is made as
    // the same guest
    let guest_token = GuestToken::from_random(rand::random());
    loop {
        let options = Options::new(format!("ws://{}/ws", line.address), name.parse().unwrap())
            .guest_token(guest_token.clone())
            .backoff(Backoff::new(Duration::from_millis(2), Duration::from_millis(50)));
        if let Ok(connected) = Client::connect(options).await {
            return connected;
        }
    }
}

fn lobby() -> RoomName {
    "lobby".parse().unwrap()
}

/// Sends messages until `stop`. Returns the messages with their acks.
async fn write(
    client: Client,
    mut events: Events,
    number: usize,
    stop: Arc<AtomicBool>,
    acked: Arc<Acked>,
) -> Vec<(String, Ack)> {
    let draining = tokio::spawn(async move { while events.next().await.is_some() {} });
    client.join(&lobby(), JoinOptions::default()).await.unwrap();
    let (mut sent, mut open, mut next) = (Vec::new(), VecDeque::new(), 0);
    while !stop.load(Ordering::Relaxed) || !open.is_empty() {
        if !stop.load(Ordering::Relaxed) && open.len() < IN_FLIGHT {
            let body = format!("{number}.{next}");
            next += 1;
            open.push_back((body.clone(), client.send(&lobby(), body)));
            continue;
        }
        let (body, receipt) = open.pop_front().unwrap();
        sent.push((body, receipt.await.expect("acked in the end")));
        acked.note();
    }
    client.close().await;
    draining.await.unwrap();
    sent
}

/// Counts acks and notifies when there are enough for a round.
#[derive(Default)]
struct Acked {
    left: AtomicUsize,
    enough: Notify,
}

impl Acked {
    fn note(&self) {
        if self.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.enough.notify_one();
        }
    }
}

fn entry(message: &StoredMessage) -> (u64, String) {
    let StoredMessage::Text { seq, body, .. } = message else { panic!("nothing was deleted") };
    (*seq, body.to_string())
}

/// Reads the messages of a client that has joined, and returns them in order.
async fn read(
    client: Client,
    mut events: Events,
    mut newest: watch::Receiver<Option<u64>>,
) -> BTreeMap<u64, String> {
    let (mut seen, mut last) = (BTreeMap::new(), 0);
    while newest.borrow().is_none_or(|newest| last < newest) {
        let event = tokio::select! {
            event = events.next() => event.expect("it goes on"),
            _ = newest.changed() => continue,
        };
        match event {
            Event::Message { message, .. } => {
                let (seq, body) = entry(&message);
                assert_eq!(seq, last + 1, "each message once, in order");
                seen.insert(seq, body);
                last = seq;
            }
            // more messages than one response contains: they are read page by page
            Event::Joined(joined) if !joined.recovered => {
                let Some(since) = &joined.since else { continue };
                assert_eq!((&since.epoch, since.seq), (&joined.epoch, last));
                let mut covered = last;
                while covered < joined.seq {
                    let page = Page::After { seq: covered, limit: 200 };
                    let Ok(page) = client.history(&lobby(), page).await else { continue };
                    for message in page.messages.iter().filter(|message| message.seq() <= joined.seq) {
                        let (seq, body) = entry(message);
                        assert_eq!(seq, last + 1);
                        seen.insert(seq, body);
                        last = seq;
                    }
                    covered = if page.more { page.last } else { joined.seq };
                }
            }
            Event::Closed(why) => panic!("closed: {why:?}"),
            _ => {}
        }
    }
    let counters = client.counters();
    assert_eq!((counters.sequence_gaps, counters.duplicates), (0, 0));
    client.close().await;
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn every_message_is_delivered_exactly_once_over_broken_connections_and_restarts() {
    let folder = tempfile::tempdir().unwrap();
    let line = BadLine::new().await;
    let (stop, acked) = (Arc::new(AtomicBool::new(false)), Arc::new(Acked::default()));
    let (tell_newest, newest) = watch::channel(None);
    let mut server = Running::start(&mut chatd(folder.path()));
    line.server.send_replace(Some(server.address));
    let mut reading = Vec::new();
    for number in 0..READERS {
        let (client, events) = connect(&line, &format!("reader{number}")).await;
        // before the first message
        client.join(&lobby(), JoinOptions::default()).await.unwrap();
        reading.push(tokio::spawn(read(client, events, newest.clone())));
    }
    let mut writing = Vec::new();
    for number in 0..WRITERS {
        let (client, events) = connect(&line, &format!("writer{number}")).await;
        writing.push(tokio::spawn(write(client, events, number, Arc::clone(&stop), Arc::clone(&acked))));
    }
    for _ in 0..KILLS {
        acked.left.store(rand::rng().random_range(1..200), Ordering::Relaxed);
        soon("so many acks", acked.enough.notified()).await;
        line.server.send_replace(None);
        server.signal(Signal::KILL);
        server.end_within(Duration::from_secs(10)).await;
        server = Running::start(&mut chatd(folder.path()));
        line.server.send_replace(Some(server.address));
    }
    stop.store(true, Ordering::Relaxed);
    let sent: Vec<_> =
        soon("all is acked", join_all(writing)).await.into_iter().flat_map(Result::unwrap).collect();
    let last = sent.iter().map(|(_, ack)| ack.seq).max().unwrap();
    tell_newest.send_replace(Some(last));
    let read = soon("all is read", join_all(reading)).await;

    let mut expected: Vec<&String> = sent.iter().map(|(body, _)| body).collect();
    expected.sort_unstable();
    for seen in read.into_iter().map(Result::unwrap) {
        assert!(
            sent.iter().all(|(body, ack)| seen.get(&ack.seq) == Some(body)),
            "the message has the number of its ack"
        );
        let mut bodies: Vec<&String> = seen.values().collect();
        bodies.sort_unstable();
        assert_eq!(bodies, expected, "each message once, and no other");
    }
    assert!(line.cuts.load(Ordering::Relaxed) > WRITERS, "connections were cut");
}
