//! Measures how fast a running server stores messages, and how soon it acknowledges them:
//! `storing ADDRESS SECONDS [ROOMS] [IN_FLIGHT]`.
//!
//! Each room has one member, so that storing dominates. First each member keeps this number of
//! messages in flight, then all together send 1,000 messages per second. Start the server with
//! `--message-rate 0`, on a processor of its own.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use chat_testkit::frame::{TEXT, whole};
use chat_testkit::v2::PROTOCOL;
use chat_testkit::{handshake_with, http};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The text of each message, 128 bytes.
const BODY: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\
                    0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// The total number of messages per second in the second part.
const RATE: u32 = 1_000;

/// A member alone in its room.
struct Writer {
    number: usize,
    stream: TcpStream,
    sent: u64,
    /// Bytes that were read and not decoded yet.
    unread: Vec<u8>,
}

impl Writer {
    async fn join(server: SocketAddr, number: usize) -> Self {
        let mut stream = TcpStream::connect(server).await.unwrap();
        stream.set_nodelay(true).unwrap();
        stream.write_all(handshake_with("/ws", PROTOCOL).as_bytes()).await.unwrap();
        let mut writer = Self { number, stream, sent: 0, unread: Vec::new() };
        let hello = format!(r#"{{"type":"hello","username":"w{number}"}}"#);
        let join = format!(r#"{{"type":"join","room":"room{number}"}}"#);
        let both = [whole(TEXT, hello.as_bytes()), whole(TEXT, join.as_bytes())].concat();
        writer.stream.write_all(&both).await.unwrap();
        let mut seen = Vec::new();
        while !seen.windows(15).any(|window| window == b"\"type\":\"joined\"") {
            let mut chunk = [0; 4096];
            let count = writer.stream.read(&mut chunk).await.unwrap();
            assert!(count > 0, "{}", String::from_utf8_lossy(&seen));
            seen.extend_from_slice(&chunk[..count]);
        }
        writer
    }

    /// This number of messages as frames.
    fn messages(&mut self, count: u64) -> Vec<u8> {
        let number = self.number;
        (0..count)
            .flat_map(|_| {
                self.sent += 1;
                let (id, run) = (self.sent, std::process::id());
                let json = format!(
                    r#"{{"type":"send","room":"room{number}","id":"{run}-{number}-{id}","body":"{BODY}"}}"#
                );
                whole(TEXT, json.as_bytes())
            })
            .collect()
    }

    /// Waits for frames, and returns how many of them were acks.
    async fn acks(&mut self) -> u64 {
        self.unread.reserve(65_536);
        let count = self.stream.read_buf(&mut self.unread).await.unwrap();
        assert!(count > 0, "the server hung up");
        let (mut acks, mut at) = (0, 0);
        while let Some(header) = self.unread.get(at..at + 4) {
            let (start, length) = match header[1] {
                126 => (4, usize::from(u16::from_be_bytes([header[2], header[3]]))),
                length => (2, usize::from(length)),
            };
            let Some(payload) = self.unread.get(at + start..at + start + length) else { break };
            acks += u64::from(payload.starts_with(br#"{"type":"ack""#));
            assert!(!payload.starts_with(br#"{"type":"error""#), "{}", String::from_utf8_lossy(payload));
            at += start + length;
        }
        self.unread.drain(..at);
        acks
    }

    /// Keeps this number of messages in flight until the end; returns how many were acknowledged.
    async fn fill(mut self, in_flight: u64, until: Instant) -> (Self, u64) {
        let (mut acked, mut open) = (0, in_flight);
        let first = self.messages(in_flight);
        self.stream.write_all(&first).await.unwrap();
        while open > 0 {
            let acks = self.acks().await;
            acked += acks;
            open -= acks;
            if acks > 0 && Instant::now() < until {
                let more = self.messages(acks);
                open += acks;
                self.stream.write_all(&more).await.unwrap();
            }
        }
        (self, acked)
    }

    /// Sends one message per interval; returns the latency of each ack.
    async fn send_at_interval(
        mut self,
        first: Duration,
        interval: Duration,
        until: Instant,
    ) -> Vec<Duration> {
        tokio::time::sleep(first).await;
        let mut ticks = tokio::time::interval(interval);
        let mut took = Vec::new();
        loop {
            ticks.tick().await;
            if Instant::now() >= until {
                return took;
            }
            let message = self.messages(1);
            let sent = Instant::now();
            self.stream.write_all(&message).await.unwrap();
            while self.acks().await == 0 {}
            took.push(sent.elapsed());
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut next = |default: &str| arguments.next().unwrap_or_else(|| default.to_owned());
    let server: SocketAddr = next("127.0.0.1:8000").parse().unwrap();
    let seconds = Duration::from_secs(next("5").parse().unwrap());
    let rooms: usize = next("200").parse().unwrap();
    let in_flight: u64 = next("16").parse().unwrap();
    assert_eq!(http::request(server, "GET", "/readyz", &[]).await.status, 200, "the server is ready");

    let mut writers = Vec::new();
    for number in 0..rooms {
        writers.push(Writer::join(server, number).await);
    }
    let began = Instant::now();
    let filling = writers.into_iter().map(|writer| tokio::spawn(writer.fill(in_flight, began + seconds)));
    let filling: Vec<_> = filling.collect();
    let (mut writers, mut acked) = (Vec::new(), 0);
    for filling in filling {
        let (writer, count) = filling.await.unwrap();
        writers.push(writer);
        acked += count;
    }
    let rate = acked as f64 / began.elapsed().as_secs_f64();
    println!("{rooms} rooms, {in_flight} in flight each: {rate:.0} messages/s acked");

    let interval = Duration::from_secs(1) * u32::try_from(rooms).unwrap() / RATE;
    let until = Instant::now() + seconds;
    let sending = writers.into_iter().enumerate().map(|(i, writer)| {
        tokio::spawn(writer.send_at_interval(
            interval * u32::try_from(i).unwrap() / u32::try_from(rooms).unwrap(),
            interval,
            until,
        ))
    });
    let mut took = Vec::new();
    for task in sending.collect::<Vec<_>>() {
        took.extend(task.await.unwrap());
    }
    took.sort_unstable();
    let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize].as_secs_f64() * 1_000.0;
    println!(
        "{:.0} messages/s: ack p50 {:.2} ms, p99 {:.2} ms, max {:.2} ms",
        took.len() as f64 / seconds.as_secs_f64(),
        at(0.5),
        at(0.99),
        at(1.0)
    );
}
