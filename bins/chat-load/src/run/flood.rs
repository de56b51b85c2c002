//! Clients that write as fast as they are let, into a room of their own, while others speak: what does that do to the others?

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

use clap::ValueEnum;
use serde::Serialize;
use serde_json::{Value, json};

use crate::frame::{self, TEXT};
use crate::plan::{Plan, Seat};
use crate::protocol::Dialect;

/// Frames that are written at once.
const AT_ONCE: usize = 100;

/// What is written without end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Flood {
    Messages,
    Joins,
    Typing,
}

/// What came of it.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Flooded {
    pub of: Flood,
    pub clients: usize,
    /// Frames that the system took from them: the server has read them, but for what lies in buffers.
    pub frames: u64,
    /// Clients that ended early.
    pub failed: u64,
}

#[derive(Default)]
struct Counts {
    frames: AtomicU64,
    failed: AtomicU64,
    is_over: AtomicBool,
}

/// Threads of the clients that flood: one writes and one reads for each. They wait for the server nearly all of the time, so they cost
/// the load little.
pub(super) struct Flooding {
    of: Option<Flood>,
    counts: Arc<Counts>,
    sockets: Vec<TcpStream>,
    threads: Vec<JoinHandle<()>>,
}

impl Flooding {
    /// Lets as many in as the plan says, and begins.
    pub(super) fn begin(plan: &Plan) -> io::Result<Self> {
        let mut flooding =
            Self { of: plan.flood, counts: Arc::default(), sockets: Vec::new(), threads: Vec::new() };
        let Some(flood) = plan.flood else { return Ok(flooding) };
        for client in 0..plan.flooders {
            let socket = enter(plan, client)?;
            let (reader, writer) = (socket.try_clone()?, socket.try_clone()?);
            flooding.sockets.push(socket);
            flooding.threads.push(std::thread::spawn(move || read_all(reader)));
            let (counts, frames) = (Arc::clone(&flooding.counts), flood.frames(&room(plan)));
            flooding.threads.push(std::thread::spawn(move || write_all(writer, &frames, &counts)));
        }
        Ok(flooding)
    }

    pub(super) fn end(self) -> Option<Flooded> {
        self.counts.is_over.store(true, Ordering::Relaxed);
        let clients = self.sockets.len();
        for socket in self.sockets {
            let _ = socket.shutdown(Shutdown::Both);
        }
        for thread in self.threads {
            let _ = thread.join();
        }
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let (frames, failed) = (load(&self.counts.frames), load(&self.counts.failed));
        self.of.map(|of| Flooded { of, clients, frames, failed })
    }
}

fn room(plan: &Plan) -> String {
    format!("{}-flood", plan.prefix)
}

/// A session in the room that is flooded.
fn enter(plan: &Plan, client: usize) -> io::Result<TcpStream> {
    let mut socket = TcpStream::connect(plan.server)?;
    socket.write_all(&Dialect::V2.handshake(plan, Seat { room: 0, member: 0 }))?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        socket.read_exact(&mut byte)?;
        answer.extend_from_slice(&byte);
    }
    if !answer.starts_with(b"HTTP/1.1 101") {
        return Err(io::Error::other(String::from_utf8_lossy(&answer).into_owned()));
    }
    let hello = json!({ "type": "hello", "username": format!("{}-flood-{client}", plan.prefix) });
    let join = json!({ "type": "join", "room": room(plan) });
    socket.write_all(&masked([&hello, &join]))?;
    Ok(socket)
}

impl Flood {
    /// What is written again and again.
    fn frames(self, room: &str) -> Vec<u8> {
        let turn: &[_] = match self {
            Self::Messages => &[json!({ "type": "send", "room": room, "body": "a flood of messages" })],
            Self::Typing => &[json!({ "type": "typing", "room": room })],
            Self::Joins => {
                &[json!({ "type": "leave", "room": room }), json!({ "type": "join", "room": room })]
            }
        };
        masked(turn.iter().cycle().take(AT_ONCE))
    }
}

impl std::fmt::Display for Flood {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Messages => "messages",
            Self::Joins => "joins",
            Self::Typing => "typing",
        })
    }
}

/// These, one behind the other, as a client sends them.
fn masked<'a>(frames: impl IntoIterator<Item = &'a Value>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for frame in frames {
        frame::put_masked(&mut bytes, TEXT, frame.to_string().as_bytes());
    }
    bytes
}

fn read_all(mut socket: TcpStream) {
    let mut buffer = [0; 16 << 10];
    while socket.read(&mut buffer).is_ok_and(|length| length > 0) {}
}

fn write_all(mut socket: TcpStream, frames: &[u8], counts: &Counts) {
    while !counts.is_over.load(Ordering::Relaxed) {
        match socket.write_all(frames) {
            Ok(()) => {
                counts.frames.fetch_add(AT_ONCE as u64, Ordering::Relaxed);
            }
            // the end of the run shuts it down
            Err(_) if counts.is_over.load(Ordering::Relaxed) => {}
            Err(_) => {
                counts.failed.fetch_add(1, Ordering::Relaxed);
                return;
            }
        }
    }
}
