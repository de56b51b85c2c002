//! The floor: what the machine can do. One thread, one loop over ready sockets, and for each message one `write` of one encoded
//! frame to each member's socket: no batches, no store, no acks, no lists, no limits. It speaks just enough of chat.v2 that the
//! load can join and send, and is good for nothing else.

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::ToSocketAddrs;

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use serde::Deserialize;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use chat_load::connection::write_queue;
use chat_load::frame;

const LISTENER: Token = Token(usize::MAX);
/// What one read takes at most.
const BUFFER: usize = 64 << 10;
/// More than this is not kept for a reader that is slower than the rest: it is cut off.
const MOST_UNSENT: usize = 8 << 20;

/// Serves until it is killed.
pub(crate) fn serve(listen: &str) -> io::Result<()> {
    let address = listen.to_socket_addrs()?.next().ok_or(ErrorKind::AddrNotAvailable)?;
    let listener = TcpListener::bind(address)?;
    #[expect(clippy::print_stdout, reason = "for the person who started it")]
    {
        println!(
            "the floor listens on http://{} (for comparison only: it is not a chat server)",
            listener.local_addr()?
        );
    }
    Floor { poll: Poll::new()?, listener, connections: Vec::new(), rooms: HashMap::new() }.run()
}

struct Floor {
    poll: Poll,
    listener: TcpListener,
    /// By token; none where one has ended.
    connections: Vec<Option<Connection>>,
    /// Who is in which room, and the number of its newest message.
    rooms: HashMap<String, Room>,
}

#[derive(Default)]
struct Room {
    members: Vec<usize>,
    seq: u64,
}

struct Connection {
    stream: TcpStream,
    unread: Vec<u8>,
    unsent: Vec<u8>,
    username: String,
    is_open: bool,
}

/// What it understands.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Command<'a> {
    Hello { username: &'a str },
    Join { room: &'a str },
    Send { room: &'a str, id: &'a str, body: &'a str },
}

impl Floor {
    fn run(mut self) -> io::Result<()> {
        self.poll.registry().register(&mut self.listener, LISTENER, Interest::READABLE)?;
        let mut events = Events::with_capacity(4_096);
        let mut buffer = vec![0; BUFFER];
        loop {
            match self.poll.poll(&mut events, None) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                outcome => outcome?,
            }
            for event in &events {
                match event.token() {
                    LISTENER => self.accept()?,
                    Token(i) => {
                        let is_fine = (!event.is_writable() || self.flush(i).is_ok())
                            && (!event.is_readable() || self.read(i, &mut buffer).is_ok());
                        if !is_fine {
                            self.end(i);
                        }
                    }
                }
            }
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            let mut stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            stream.set_nodelay(true)?;
            let token = Token(self.connections.len());
            self.poll.registry().register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
            self.connections.push(Some(Connection {
                stream,
                unread: Vec::new(),
                unsent: Vec::new(),
                username: String::new(),
                is_open: false,
            }));
        }
    }

    /// Reads what there is and does what it says.
    fn read(&mut self, i: usize, buffer: &mut [u8]) -> io::Result<()> {
        loop {
            let Some(connection) = &mut self.connections[i] else { return Ok(()) };
            let count = match connection.stream.read(buffer) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            connection.unread.extend_from_slice(&buffer[..count]);
            let mut unread = std::mem::take(&mut connection.unread);
            let taken = self.take(i, &mut unread)?;
            unread.drain(..taken);
            if let Some(connection) = &mut self.connections[i] {
                connection.unread = unread;
            }
            if count < buffer.len() {
                return Ok(());
            }
        }
    }

    /// Takes what is whole, and says how many bytes that was.
    fn take(&mut self, i: usize, bytes: &mut [u8]) -> io::Result<usize> {
        let mut start = 0;
        let Some(connection) = &mut self.connections[i] else { return Ok(0) };
        if !connection.is_open {
            let Some(end) = memchr::memmem::find(bytes, b"\r\n\r\n") else { return Ok(0) };
            connection.is_open = true;
            start = end + 4;
            let head = String::from_utf8_lossy(&bytes[..end]);
            let key = head.lines().filter_map(|line| line.split_once(": "));
            let key = key
                .filter(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-key"))
                .map(|(_, key)| key)
                .next();
            let accept = derive_accept_key(key.unwrap_or_default().as_bytes());
            let answer = format!(
                "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                 Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: chat.v2\r\n\r\n"
            );
            self.write(i, answer.as_bytes())?;
        }
        while let Some((opcode, payload)) = client_frame(bytes, start) {
            start = payload.end;
            if opcode == frame::TEXT {
                self.command(i, &bytes[payload])?;
            } else if opcode == frame::CLOSE {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(start)
    }

    fn command(&mut self, i: usize, text: &[u8]) -> io::Result<()> {
        match serde_json::from_slice(text)? {
            Command::Hello { username } => {
                if let Some(connection) = &mut self.connections[i] {
                    username.clone_into(&mut connection.username);
                }
                self.tell(
                    i,
                    r#"{"type":"welcome","session":"0","resume":"0","username":"floor","server":"floor","limits":{"message_bytes":131072,"messages_per_second":0,"burst":0,"rooms":1},"heartbeat_ms":25000}"#,
                )
            }
            Command::Join { room } => {
                let state = self.rooms.entry(room.to_owned()).or_default();
                state.members.push(i);
                let (seq, count) = (state.seq, state.members.len());
                self.tell(
                    i,
                    &format!(
                        r#"{{"type":"joined","room":"{room}","epoch":"0","seq":{seq},"members":[],"member_count":{count},"messages":[],"recovered":false}}"#
                    ),
                )
            }
            Command::Send { room, id, body } => {
                let from = self.connections[i].as_ref().map_or("", |connection| &connection.username);
                let Some(state) = self.rooms.get_mut(room) else { return Ok(()) };
                state.seq += 1;
                let seq = state.seq;
                let message = format!(
                    r#"{{"type":"message","room":"{room}","seq":{seq},"id":"{id}","from":"{from}","body":"{body}","sent_at":"2026-11-24T08:00:00.000Z"}}"#
                );
                let mut bytes = Vec::with_capacity(message.len() + 10);
                frame::put(&mut bytes, frame::TEXT, message.as_bytes());
                let members = std::mem::take(&mut state.members);
                let ended: Vec<usize> =
                    members.iter().copied().filter(|&member| self.write(member, &bytes).is_err()).collect();
                if let Some(state) = self.rooms.get_mut(room) {
                    state.members = members;
                }
                ended.into_iter().for_each(|member| self.end(member));
                Ok(())
            }
        }
    }

    fn tell(&mut self, i: usize, text: &str) -> io::Result<()> {
        let mut bytes = Vec::new();
        frame::put(&mut bytes, frame::TEXT, text.as_bytes());
        self.write(i, &bytes)
    }

    /// Writes at once, unless something waits there already.
    fn write(&mut self, i: usize, bytes: &[u8]) -> io::Result<()> {
        let Some(connection) = &mut self.connections[i] else { return Ok(()) };
        let mut written = 0;
        if connection.unsent.is_empty() {
            written = match connection.stream.write(bytes) {
                Ok(count) => count,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => 0,
                Err(error) => return Err(error),
            };
        }
        if written < bytes.len() {
            if connection.unsent.len() > MOST_UNSENT {
                return Err(ErrorKind::TimedOut.into());
            }
            connection.unsent.extend_from_slice(&bytes[written..]);
        }
        Ok(())
    }

    /// Writes what waits.
    fn flush(&mut self, i: usize) -> io::Result<()> {
        let Some(connection) = &mut self.connections[i] else { return Ok(()) };
        write_queue::flush(&mut connection.stream, &mut connection.unsent)
    }

    fn end(&mut self, i: usize) {
        if self.connections[i].take().is_some() {
            self.rooms.values_mut().for_each(|room| room.members.retain(|member| *member != i));
        }
    }
}

/// The client's frame that begins at `start`, unmasked in its place, if all of it is there.
fn client_frame(bytes: &mut [u8], start: usize) -> Option<(u8, std::ops::Range<usize>)> {
    let [first, second, rest @ ..] = bytes.get(start..)? else { return None };
    let (header, length) = match second & 0x7f {
        126 => (4, usize::from(u16::from_be_bytes(*rest.first_chunk()?))),
        127 => (10, usize::try_from(u64::from_be_bytes(*rest.first_chunk()?)).ok()?),
        length => (2, usize::from(length)),
    };
    let opcode = first & 0x0f;
    let mask: [u8; 4] = *bytes.get(start + header..)?.first_chunk()?;
    let payload = start + header + 4..start.checked_add(header + 4)?.checked_add(length)?;
    frame::toggle_mask(bytes.get_mut(payload.clone())?, mask);
    Some((opcode, payload))
}
