//! What a case is, and how it is passed.

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

/// The largest message that the server of these tests takes, in bytes.
pub(super) const LIMIT: usize = 128 * 1024;

/// So many cases run at once.
const AT_ONCE: usize = 16;

/// One thing after the other.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// The client sends bytes in one write.
    Write(Vec<u8>),
    /// The client sends bytes in writes of so many.
    Chop(usize, Vec<u8>),
    /// The client's message comes back.
    Echo(String),
    /// The client's message comes back, unless the end that came right behind it has overtaken it: whoever breaks the protocol is not
    /// owed an answer to what it said before.
    MayEcho(String),
    /// The client is told that its frame is no command, and stays.
    Refused,
    Pong(Vec<u8>),
    /// The client ends its side of the stream, and reads on.
    Finish,
}

/// How a case ends. In each of them the close frame is the last frame, and the end of the stream follows it.
#[derive(Debug, Clone)]
pub(super) enum End {
    /// The connection still works: the client closes with 1000, and that is what the server answers before anything else.
    Clean,
    /// The server sends a close frame with this code.
    Closed(u16),
    /// The server sends a close frame with one of these codes: the RFC leaves open which.
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

    /// The same frames in one write, in a write each, and octet by octet; then what else has to happen.
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

    /// Passes all cases on one server, and once more on one that encrypts; names those that fail.
    pub(super) async fn pass(self) {
        // the pace is not what is tested here: a message in small fragments would wait for it
        let limits = Limits { message_bytes: LIMIT, message_rate: 0, ..Limits::default() };
        // a client that is slow to read its close frame must not lose it: the time for closing is the default's, not the tests'
        let config = Config { limits, ..Config::default() };
        let server = start_with(config.clone()).await;
        self.clone().pass_on(server.address).await;
        server.stop().await.unwrap();
        let Encrypted { server, identity, .. } = tls::start(config).await;
        self.pass_on(identity.tunnel(server.address).await).await;
        server.stop().await.unwrap();
    }

    async fn pass_on(self, address: SocketAddr) {
        let places = Arc::new(Semaphore::new(AT_ONCE));
        let running: Vec<_> = (self.cases.into_iter())
            .map(|case| {
                let places = Arc::clone(&places);
                let title = format!("{} {}", case.number, case.name);
                let task = tokio::spawn(async move {
                    let _place = places.acquire().await.unwrap();
                    case.pass(address).await
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
    async fn pass(self, server: SocketAddr) -> Result<(), String> {
        let mut client = Client::enter(server, &self.number.replace('.', "-"), "ana").await;
        // each write is to be a segment of its own
        client.stream().set_nodelay(true).unwrap();
        let mut line = Line { client, ahead: None };
        line.expect(&Sight::Event("+ana".to_owned())).await?;
        for step in self.steps {
            match step {
                Step::Write(bytes) => line.write(&bytes).await,
                Step::Chop(size, bytes) => {
                    for piece in bytes.chunks(size) {
                        line.write(piece).await;
                        tokio::task::yield_now().await;
                    }
                }
                Step::Echo(text) => line.expect(&Sight::Event(format!("ana: {text}"))).await?,
                Step::MayEcho(text) => line.skip(&Sight::Event(format!("ana: {text}"))).await,
                Step::Refused => line.expect(&Sight::Refusal).await?,
                Step::Pong(payload) => line.expect(&Sight::Pong(payload)).await?,
                Step::Finish => line.client.finish().await,
            }
        }
        let codes = match self.end {
            End::Clean => {
                line.write(&close(1000)).await;
                vec![1000]
            }
            End::Closed(code) => vec![code],
            End::ClosedWithOneOf(codes) => codes.to_vec(),
        };
        match line.next().await {
            Sight::Close(Some(code)) if codes.contains(&code) => line.expect(&Sight::End).await,
            other => Err(format!("{} instead of a close frame with {codes:?}", shortened(&other))),
        }
    }
}

/// What the client sees, as far as a case looks at it.
#[derive(Debug, PartialEq)]
enum Sight {
    Event(String),
    Refusal,
    Pong(Vec<u8>),
    Close(Option<u16>),
    End,
}

/// The client's end of a connection.
struct Line {
    client: Client,
    /// Seen, and not yet asked for.
    ahead: Option<Sight>,
}

impl Line {
    /// The server may have ended already: what it did is seen by reading.
    async fn write(&mut self, bytes: &[u8]) {
        let _ = soon("the server reads", self.client.stream().write_all(bytes)).await;
    }

    async fn next(&mut self) -> Sight {
        if let Some(sight) = self.ahead.take() {
            return sight;
        }
        match self.client.see().await {
            Seen::Event(event) if event["type"] == "chat_error" => Sight::Refusal,
            Seen::Event(event) => Sight::Event(brief(&event)),
            Seen::Pong(payload) => Sight::Pong(payload),
            Seen::Close(code) => Sight::Close(code),
            Seen::End => Sight::End,
            Seen::Ping(_) => unreachable!("pings are answered on the way"),
        }
    }

    async fn expect(&mut self, expected: &Sight) -> Result<(), String> {
        let sight = self.next().await;
        if sight == *expected {
            return Ok(());
        }
        Err(format!("{} instead of {}", shortened(&sight), shortened(expected)))
    }

    /// Takes this if it comes next.
    async fn skip(&mut self, possible: &Sight) {
        let sight = self.next().await;
        if sight != *possible {
            self.ahead = Some(sight);
        }
    }
}

fn shortened(sight: &Sight) -> String {
    format!("{sight:?}").chars().take(200).collect()
}

/// Bytes, each in a write of its own.
pub(super) fn octets(bytes: Vec<u8>) -> Step {
    Step::Chop(1, bytes)
}

/// The frames of a message that comes in these pieces.
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

/// A text that is so many bytes long as the client sends it, with all that JSON puts around it.
pub(super) fn text_of(bytes: usize) -> String {
    "x".repeat(bytes - said("").len())
}
