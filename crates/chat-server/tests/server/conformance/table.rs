//! Test cases, and how they are run.

use std::net::SocketAddr;
use std::sync::Arc;

use chat_protocol::Limits;
use chat_server::Config;
use chat_testkit::frame::{CLOSE, CONTINUATION, FIN, masked, whole};
use chat_testkit::{Client, Seen, brief, said, soon};
use tokio::io::AsyncWriteExt;
use tokio::sync::Semaphore;

use crate::support::start_with;
use crate::tls::{self, Encrypted};

/// The size limit for messages of the server in these tests, in bytes.
pub(super) const LIMIT: usize = 128 * 1024;

/// The number of cases that run at once.
const CONCURRENT_CASES: usize = 16;

/// A step of a case.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// The client sends bytes in one write.
    Write(Vec<u8>),
    /// The client sends the bytes in writes of this size.
    Chop(usize, Vec<u8>),
    /// The client's message comes back.
    Echo(String),
    /// The client's message comes back, unless the end of the connection overtakes it: a client
    /// that violates the protocol need not receive replies to what it sent before.
    MayEcho(String),
    /// The client receives an error because its frame is not a command. The connection stays open.
    Refused,
    Pong(Vec<u8>),
    /// The client closes its side of the stream and continues to read.
    Finish,
}

/// How a case ends. In each case the close frame is the last frame, followed by the end of the
/// stream.
#[derive(Debug, Clone)]
pub(super) enum End {
    /// The connection still works: the client closes with 1000, and the server's next frame is the
    /// reply.
    Clean,
    /// The server sends a close frame with this code.
    Closed(u16),
    /// The server sends a close frame with one of these codes: the RFC does not specify which.
    ClosedWithOneOf([u16; 2]),
}

#[derive(Debug, Clone)]
pub(super) struct Case {
    pub(super) number: String,
    pub(super) name: String,
    steps: Vec<Step>,
    end: End,
}

/// The cases of a group.
#[derive(Clone)]
pub(super) struct Table {
    group: u8,
    section: usize,
    row: usize,
    cases: Vec<Case>,
}

impl Table {
    pub(super) fn new(group: u8) -> Self {
        Self { group, section: 0, row: 0, cases: Vec::new() }
    }

    /// Begins the next section.
    pub(super) fn section(&mut self) {
        self.section += 1;
        self.row = 0;
    }

    pub(super) fn add(&mut self, name: impl Into<String>, steps: impl Into<Vec<Step>>, end: End) {
        self.row += 1;
        let number = format!("{}.{}.{}", self.group, self.section, self.row);
        self.cases.push(Case { number, name: name.into(), steps: steps.into(), end });
    }

    /// Adds cases with the same frames in one write, in one write each, and octet by octet,
    /// followed by these steps.
    pub(super) fn add_in_all_ways(&mut self, name: &str, frames: &[Vec<u8>], then: &[Step], end: &End) {
        let ways = [
            ("", vec![Step::Write(frames.concat())]),
            (", a write each", frames.iter().cloned().map(Step::Write).collect()),
            (", in octets", vec![octets(frames.concat())]),
        ];
        for (way, writes) in ways {
            if way == ", a write each" && frames.len() == 1 {
                continue;
            }
            self.add(format!("{name}{way}"), [writes, then.to_vec()].concat(), end.clone());
        }
    }

    pub(super) fn into_cases(self) -> Vec<Case> {
        self.cases
    }

    /// Runs all cases on a server without TLS, then on a server with TLS. Panics with the names of
    /// the cases that fail.
    pub(super) async fn run(self) {
        // no rate limit: it would throttle messages in small fragments
        let limits = Limits { message_bytes: LIMIT, message_rate: 0, ..Limits::default() };
        // default close timeout, so that a client that is slow to read its close frame does not
        // lose it
        let config = Config { limits, ..Config::default() };
        let server = start_with(config.clone()).await;
        self.clone().run_against(server.address).await;
        server.stop().await.unwrap();
        let Encrypted { server, identity, .. } = tls::start(config).await;
        self.run_against(identity.tunnel(server.address).await).await;
        server.stop().await.unwrap();
    }

    async fn run_against(self, address: SocketAddr) {
        let permits = Arc::new(Semaphore::new(CONCURRENT_CASES));
        let running: Vec<_> = (self.cases.into_iter())
            .map(|case| {
                let permits = Arc::clone(&permits);
                let title = format!("{} {}", case.number, case.name);
                let task = tokio::spawn(async move {
                    let _permit = permits.acquire().await.unwrap();
                    case.run(address).await
                });
                (title, task)
            })
            .collect();
        let mut failures = Vec::new();
        for (title, task) in running {
            match task.await {
                Ok(Ok(())) => {}
                Ok(Err(failure)) => failures.push(format!("{title}: {failure}")),
                Err(panic) => failures.push(format!("{title}: {panic}")),
            }
        }
        assert!(failures.is_empty(), "{} cases fail:\n{}", failures.len(), failures.join("\n"));
    }
}

impl Case {
    async fn run(self, server: SocketAddr) -> Result<(), String> {
        let mut client = Client::enter(server, &self.number.replace('.', "-"), "ana").await;
        // each write should be its own TCP segment
        client.stream().set_nodelay(true).unwrap();
        let mut side = ClientSide { client, peeked: None };
        side.expect(&Received::Event("+ana".to_owned())).await?;
        for step in self.steps {
            match step {
                Step::Write(bytes) => side.write(&bytes).await,
                Step::Chop(size, bytes) => {
                    for piece in bytes.chunks(size) {
                        side.write(piece).await;
                        tokio::task::yield_now().await;
                    }
                }
                Step::Echo(text) => side.expect(&Received::Event(format!("ana: {text}"))).await?,
                Step::MayEcho(text) => side.skip(&Received::Event(format!("ana: {text}"))).await,
                Step::Refused => side.expect(&Received::Refusal).await?,
                Step::Pong(payload) => side.expect(&Received::Pong(payload)).await?,
                Step::Finish => side.client.finish().await,
            }
        }
        let codes = match self.end {
            End::Clean => {
                side.write(&close(1000)).await;
                vec![1000]
            }
            End::Closed(code) => vec![code],
            End::ClosedWithOneOf(codes) => codes.to_vec(),
        };
        match side.next().await {
            Received::Close(Some(code)) if codes.contains(&code) => side.expect(&Received::End).await,
            other => Err(format!("{} instead of a close frame with {codes:?}", shortened(&other))),
        }
    }
}

/// What the client receives, as far as cases compare it.
#[derive(Debug, PartialEq)]
enum Received {
    Event(String),
    Refusal,
    Pong(Vec<u8>),
    Close(Option<u16>),
    End,
}

/// The client's side of a connection.
struct ClientSide {
    client: Client,
    /// Received, but not yet expected.
    peeked: Option<Received>,
}

impl ClientSide {
    /// Ignores errors: the server may have closed already, which shows when reading.
    async fn write(&mut self, bytes: &[u8]) {
        let _ = soon("the server reads", self.client.stream().write_all(bytes)).await;
    }

    async fn next(&mut self) -> Received {
        if let Some(received) = self.peeked.take() {
            return received;
        }
        match self.client.see().await {
            Seen::Event(event) if event["type"] == "chat_error" => Received::Refusal,
            Seen::Event(event) => Received::Event(brief(&event)),
            Seen::Pong(payload) => Received::Pong(payload),
            Seen::Close(code) => Received::Close(code),
            Seen::End => Received::End,
            Seen::Ping(_) => unreachable!("pings are answered on the way"),
        }
    }

    async fn expect(&mut self, expected: &Received) -> Result<(), String> {
        let received = self.next().await;
        if received == *expected {
            return Ok(());
        }
        Err(format!("{} instead of {}", shortened(&received), shortened(expected)))
    }

    /// Consumes this if it comes next.
    async fn skip(&mut self, possible: &Received) {
        let received = self.next().await;
        if received != *possible {
            self.peeked = Some(received);
        }
    }
}

fn shortened(received: &Received) -> String {
    format!("{received:?}").chars().take(200).collect()
}

/// Writes each byte separately.
pub(super) fn octets(bytes: Vec<u8>) -> Step {
    Step::Chop(1, bytes)
}

/// The frames of a message in these fragments.
pub(super) fn pieces<'a>(opcode: u8, payloads: impl IntoIterator<Item = &'a [u8]>) -> Vec<Vec<u8>> {
    let payloads: Vec<_> = payloads.into_iter().collect();
    let last = payloads.len() - 1;
    (payloads.iter().enumerate())
        .map(|(i, payload)| {
            let fin = if i == last { FIN } else { 0 };
            masked(fin | if i == 0 { opcode } else { CONTINUATION }, payload)
        })
        .collect()
}

/// A close frame with this code.
pub(super) fn close(code: u16) -> Vec<u8> {
    whole(CLOSE, &code.to_be_bytes())
}

/// A text whose message has this many bytes, including the JSON around it.
pub(super) fn text_of(bytes: usize) -> String {
    "x".repeat(bytes - said("").len())
}
