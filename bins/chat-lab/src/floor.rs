//! The floor: what the machine can do. It has one thread, one loop over ready sockets, and one
//! `write` of one encoded frame to each member's socket for each message. It has no batches, store,
//! acks, lists or limits. It implements just enough of chat.v2 for the load to join and send.

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::ToSocketAddrs;

use chat_load::connection;
use chat_testkit::frame::{self, Frame};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use serde::Deserialize;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

const LISTENER: Token = Token(usize::MAX);
/// The maximum length of one read.
const READ_BYTES: usize = 64 << 10;
/// A reader with more bytes in its queue is disconnected.
const MAX_QUEUED_BYTES: usize = 8 << 20;

/// Serves until the process is killed.
pub(crate) fn serve(listen: &str) -> io::Result<()> {
    let address = listen.to_socket_addrs()?.next().ok_or(ErrorKind::AddrNotAvailable)?;
    let listener = TcpListener::bind(address)?;
    #[expect(clippy::print_stdout, reason = "the output of a command")]
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
    /// The connections by token; `None` once a connection has ended.
    connections: Vec<Option<Connection>>,
    /// The rooms by name.
    rooms: HashMap<String, Room>,
}

#[derive(Default)]
struct Room {
    members: Vec<usize>,
    seq: u64,
}

struct Connection {
    stream: TcpStream,
    read_buffer: Vec<u8>,
    write_queue: Vec<u8>,
    username: String,
    is_open: bool,
}

/// The commands that the floor understands.
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
        let mut buffer = vec![0; READ_BYTES];
        loop {
            match self.poll.poll(&mut events, None) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                outcome => outcome?,
            }
            for event in &events {
                match event.token() {
                    LISTENER => self.accept()?,
                    Token(i) => {
                        let is_alive = (!event.is_writable() || self.flush(i).is_ok())
                            && (!event.is_readable() || self.read(i, &mut buffer).is_ok());
                        if !is_alive {
                            self.close(i);
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
                read_buffer: Vec::new(),
                write_queue: Vec::new(),
                username: String::new(),
                is_open: false,
            }));
        }
    }

    /// Reads what is available, and executes it.
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
            connection.read_buffer.extend_from_slice(&buffer[..count]);
            let mut read_buffer = std::mem::take(&mut connection.read_buffer);
            let taken = self.take_frames(i, &mut read_buffer)?;
            read_buffer.drain(..taken);
            if let Some(connection) = &mut self.connections[i] {
                connection.read_buffer = read_buffer;
            }
            if count < buffer.len() {
                return Ok(());
            }
        }
    }

    /// Executes the complete frames, and returns their length.
    fn take_frames(&mut self, i: usize, bytes: &mut [u8]) -> io::Result<usize> {
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
            let response = format!(
                "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                 Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: chat.v2\r\n\r\n"
            );
            self.write(i, response.as_bytes())?;
        }
        while let Some(Frame { opcode, payload, .. }) = frame::parse_masked(bytes, start)
            .map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?
        {
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
                self.send(
                    i,
                    r#"{"type":"welcome","session":"0","user":{"id":"g_0000000000000000000000","username":"floor","kind":"guest","role":"user"},"server":"floor","limits":{"message_bytes":131072,"messages_per_second":0,"burst":0,"rooms":1,"sessions":1},"heartbeat_ms":25000}"#,
                )
            }
            Command::Join { room } => {
                let state = self.rooms.entry(room.to_owned()).or_default();
                state.members.push(i);
                let (seq, first, count) = (state.seq, state.seq + 1, state.members.len());
                self.send(
                    i,
                    &format!(
                        r#"{{"type":"joined","room":"{room}","epoch":"0","seq":{seq},"oldest":1,"members":[],"member_count":{count},"first":{first},"last":{seq},"messages":[],"recovered":false}}"#
                    ),
                )
            }
            Command::Send { room, id, body } => {
                let from = self.connections[i].as_ref().map_or("", |connection| &connection.username);
                let Some(state) = self.rooms.get_mut(room) else { return Ok(()) };
                state.seq += 1;
                let seq = state.seq;
                let message = format!(
                    r#"{{"type":"message","room":"{room}","seq":{seq},"id":"{id}","from":"{from}","user":"g_0000000000000000000000","body":"{body}","sent_at":"2026-11-24T08:00:00.000Z"}}"#
                );
                let mut bytes = Vec::with_capacity(message.len() + 10);
                frame::write_unmasked(&mut bytes, frame::TEXT, message.as_bytes());
                let members = std::mem::take(&mut state.members);
                let ended: Vec<usize> =
                    members.iter().copied().filter(|&member| self.write(member, &bytes).is_err()).collect();
                if let Some(state) = self.rooms.get_mut(room) {
                    state.members = members;
                }
                ended.into_iter().for_each(|member| self.close(member));
                Ok(())
            }
        }
    }

    fn send(&mut self, i: usize, text: &str) -> io::Result<()> {
        let mut bytes = Vec::new();
        frame::write_unmasked(&mut bytes, frame::TEXT, text.as_bytes());
        self.write(i, &bytes)
    }

    /// Writes at once, unless bytes are queued already.
    fn write(&mut self, i: usize, bytes: &[u8]) -> io::Result<()> {
        let Some(connection) = &mut self.connections[i] else { return Ok(()) };
        let mut written = 0;
        if connection.write_queue.is_empty() {
            written = match connection.stream.write(bytes) {
                Ok(count) => count,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => 0,
                Err(error) => return Err(error),
            };
        }
        if written < bytes.len() {
            if connection.write_queue.len() > MAX_QUEUED_BYTES {
                return Err(ErrorKind::TimedOut.into());
            }
            connection.write_queue.extend_from_slice(&bytes[written..]);
        }
        Ok(())
    }

    /// Writes the queue.
    fn flush(&mut self, i: usize) -> io::Result<()> {
        let Some(connection) = &mut self.connections[i] else { return Ok(()) };
        connection::flush(&mut connection.stream, &mut connection.write_queue)
    }

    fn close(&mut self, i: usize) {
        if self.connections[i].take().is_some() {
            self.rooms.values_mut().for_each(|room| room.members.retain(|member| *member != i));
        }
    }
}
