//! Clients that write to a room of their own as fast as the server reads, while others send. They
//! show what a flood does to the latency of other rooms.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

use chat_testkit::frame::{self, TEXT};
use chat_testkit::v2::guest_token;
use serde::Serialize;
use serde_json::{Value, json};

use crate::plan::{Dialect, Flood, Participant, Plan};

/// The number of frames that are written at once.
const FRAMES_PER_WRITE: usize = 100;

/// What the clients that flood have done.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct FloodStats {
    /// The kind of frames.
    pub kind: Flood,
    /// The number of clients.
    pub clients: usize,
    /// Frames that the system accepted: all that the server has read, and those in socket buffers.
    pub frames: u64,
    /// Clients whose connection ended early.
    pub failed: u64,
}

#[derive(Default)]
struct Counts {
    frames: AtomicU64,
    failed: AtomicU64,
    is_stopped: AtomicBool,
}

/// The clients that flood, with two threads each: one writes, one reads. The threads wait for the
/// server nearly all of the time, so they cost the load little.
pub(super) struct FloodClients {
    kind: Option<Flood>,
    counts: Arc<Counts>,
    sockets: Vec<TcpStream>,
    threads: Vec<JoinHandle<()>>,
}

impl FloodClients {
    /// Connects the clients of the plan, and starts the flood.
    pub(super) fn start(plan: &Plan) -> io::Result<Self> {
        let mut flood =
            Self { kind: plan.flood, counts: Arc::default(), sockets: Vec::new(), threads: Vec::new() };
        let Some(kind) = plan.flood else { return Ok(flood) };
        for client in 0..plan.flood_clients {
            let socket = connect(plan, client)?;
            let (reader, writer) = (socket.try_clone()?, socket.try_clone()?);
            flood.sockets.push(socket);
            flood.threads.push(std::thread::spawn(move || read_all(reader)));
            let (counts, frames) = (Arc::clone(&flood.counts), kind.frames(&room(plan)));
            flood.threads.push(std::thread::spawn(move || write_all(writer, &frames, &counts)));
        }
        Ok(flood)
    }

    /// Stops the flood. `None` if the plan has none.
    pub(super) fn stop(self) -> Option<FloodStats> {
        self.counts.is_stopped.store(true, Ordering::Relaxed);
        let clients = self.sockets.len();
        for socket in self.sockets {
            let _ = socket.shutdown(Shutdown::Both);
        }
        for thread in self.threads {
            let _ = thread.join();
        }
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let (frames, failed) = (load(&self.counts.frames), load(&self.counts.failed));
        self.kind.map(|kind| FloodStats { kind, clients, frames, failed })
    }
}

fn room(plan: &Plan) -> String {
    format!("{}-flood", plan.prefix)
}

/// Opens a session and joins the flooded room.
fn connect(plan: &Plan, client: usize) -> io::Result<TcpStream> {
    let mut socket = TcpStream::connect(plan.server)?;
    socket.write_all(&Dialect::V2.handshake(plan, Participant { room: 0, member: 0 }))?;
    let mut response = Vec::new();
    while !response.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        socket.read_exact(&mut byte)?;
        response.extend_from_slice(&byte);
    }
    if !response.starts_with(b"HTTP/1.1 101") {
        return Err(io::Error::other(String::from_utf8_lossy(&response).into_owned()));
    }
    let username = format!("{}-flood-{client}", plan.prefix);
    let hello = json!({ "type": "hello", "username": username, "guest_token": guest_token() });
    let join = json!({ "type": "join", "room": room(plan) });
    socket.write_all(&masked([&hello, &join]))?;
    Ok(socket)
}

impl Flood {
    /// The bytes of one write.
    fn frames(self, room: &str) -> Vec<u8> {
        let cycle: &[_] = match self {
            Self::Messages => &[json!({ "type": "send", "room": room, "body": "a flood of messages" })],
            Self::Typing => &[json!({ "type": "typing", "room": room })],
            Self::Joins => {
                &[json!({ "type": "leave", "room": room }), json!({ "type": "join", "room": room })]
            }
        };
        masked(cycle.iter().cycle().take(FRAMES_PER_WRITE))
    }
}

fn masked<'a>(frames: impl IntoIterator<Item = &'a Value>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for frame in frames {
        frame::write_masked(&mut bytes, TEXT, frame.to_string().as_bytes());
    }
    bytes
}

fn read_all(mut socket: TcpStream) {
    let mut buffer = [0; 16 << 10];
    while socket.read(&mut buffer).is_ok_and(|length| length > 0) {}
}

fn write_all(mut socket: TcpStream, frames: &[u8], counts: &Counts) {
    while !counts.is_stopped.load(Ordering::Relaxed) {
        match socket.write_all(frames) {
            Ok(()) => {
                counts.frames.fetch_add(FRAMES_PER_WRITE as u64, Ordering::Relaxed);
            }
            // `stop` shuts the socket down
            Err(_) if counts.is_stopped.load(Ordering::Relaxed) => {}
            Err(_) => {
                counts.failed.fetch_add(1, Ordering::Relaxed);
                return;
            }
        }
    }
}
