//! One connection: a socket that never blocks, and what was read and not looked at, or not written yet.

mod inflater;
mod stream;
pub mod write_queue;

use std::io::{self, ErrorKind, Read};
use std::net::SocketAddr;

use memchr::memmem;
use mio::net::TcpStream;

pub use stream::{Trust, TrustError};

use crate::frame::{self, Frame};
use inflater::Inflater;
use stream::Stream;

/// A server's head is short.
const MOST_OF_A_HEAD: usize = 16 << 10;

pub(crate) struct Connection {
    stream: Stream,
    /// Read, and not a whole frame yet.
    unread: Vec<u8>,
    /// What the socket did not take.
    unsent: Vec<u8>,
    /// Whether the answer to the handshake is still to come.
    in_handshake: bool,
    /// Reads compressed messages, if they were asked for.
    inflater: Option<Box<Inflater>>,
}

/// Why a connection is over.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Ended {
    /// It could not be opened, or broke.
    #[error("{}", .0.kind())]
    Broken(#[from] io::Error),
    /// The stream ended without a close frame.
    #[error("the server closed the connection without a close frame")]
    Hangup,
    /// The server closed it.
    #[error("the server closed the connection with code {0}")]
    Closed(u16),
    /// The handshake was answered so.
    #[error("the server refused the WebSocket handshake: {0}")]
    Refused(String),
    /// It sent what no server sends.
    #[error("the server does not speak WebSocket as expected: {0}")]
    Fault(&'static str),
}

impl Connection {
    pub(crate) fn open(
        server: SocketAddr,
        trust: Option<&Trust>,
        request: Vec<u8>,
        compression: bool,
    ) -> io::Result<Self> {
        let stream = TcpStream::connect(server)?;
        // on some systems this fails until the connection stands; it is only about delay
        let _ = stream.set_nodelay(true);
        let stream = Stream::new(stream, trust)?;
        let inflater = compression.then(Box::default);
        Ok(Self { stream, unread: Vec::new(), unsent: request, in_handshake: true, inflater })
    }

    pub(crate) fn source(&mut self) -> &mut TcpStream {
        self.stream.socket()
    }

    /// How many bytes wait for the socket.
    pub(crate) fn unsent(&self) -> usize {
        self.unsent.len()
    }

    /// Where to put frames that [`flush`](Self::flush) writes.
    pub(crate) fn outgoing(&mut self) -> &mut Vec<u8> {
        &mut self.unsent
    }

    /// Writes what the socket takes.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        write_queue::flush(&mut self.stream, &mut self.unsent)
    }

    /// Reads once, and gives each whole frame to `hear`; the opening of the connection is told as `None`. Says how many bytes
    /// came: fewer than `buffer` has room for mean that there is nothing more now. `buffer` is only used in between.
    pub(crate) fn read(
        &mut self,
        buffer: &mut [u8],
        mut hear: impl FnMut(Option<(u8, &[u8])>),
    ) -> Result<usize, Ended> {
        let count = loop {
            match self.stream.read(buffer) {
                Ok(0) => return Err(Ended::Hangup),
                Ok(count) => break count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    // what had to wait for the keys
                    if self.stream.is_encrypted() {
                        self.flush()?;
                    }
                    return Ok(0);
                }
                Err(error) => return Err(error.into()),
            }
        };
        if self.unread.is_empty() && !self.in_handshake {
            // most reads end with a frame: nothing is copied
            let taken = frames(&buffer[..count], 0, &mut self.inflater, &mut hear)?;
            self.unread.extend_from_slice(&buffer[taken..count]);
            return Ok(count);
        }
        self.unread.extend_from_slice(&buffer[..count]);
        let mut start = 0;
        if self.in_handshake {
            let Some(end) = memmem::find(&self.unread, b"\r\n\r\n") else {
                let is_too_long = self.unread.len() > MOST_OF_A_HEAD;
                return if is_too_long {
                    Err(Ended::Fault("the head of its answer has no end"))
                } else {
                    Ok(count)
                };
            };
            let line = self.unread.split(|byte| *byte == b'\r').next().unwrap_or_default();
            if !line.starts_with(b"HTTP/1.1 101 ") {
                let status = line.strip_prefix(b"HTTP/1.1 ").unwrap_or(line);
                return Err(Ended::Refused(String::from_utf8_lossy(status).into_owned()));
            }
            if self.inflater.is_some() && !agrees_to_compress(&self.unread[..end]) {
                return Err(Ended::Fault("the server does not compress messages"));
            }
            self.in_handshake = false;
            start = end + 4;
            hear(None);
        }
        let taken = frames(&self.unread, start, &mut self.inflater, &mut hear)?;
        self.unread.drain(..taken);
        if self.unread.is_empty() {
            self.unread = Vec::new();
        }
        Ok(count)
    }
}

fn agrees_to_compress(head: &[u8]) -> bool {
    // servers write names of headers as they like
    let head = head.to_ascii_lowercase();
    memmem::find(&head, b"\r\nsec-websocket-extensions: permessage-deflate").is_some()
}

/// Gives each whole frame from `start` on to `hear`, and says where the first begins that is not whole.
fn frames(
    bytes: &[u8],
    mut start: usize,
    inflater: &mut Option<Box<Inflater>>,
    hear: &mut impl FnMut(Option<(u8, &[u8])>),
) -> Result<usize, Ended> {
    while let Some(Frame { opcode, is_deflated, payload }) =
        frame::parse(bytes, start).map_err(Ended::Fault)?
    {
        start = payload.end;
        let payload = &bytes[payload];
        if opcode == frame::CLOSE {
            let code = payload.first_chunk().map_or(1005, |code| u16::from_be_bytes(*code));
            return Err(Ended::Closed(code));
        }
        match inflater {
            Some(inflater) if is_deflated => hear(Some((opcode, inflater.inflate(payload)?))),
            None if is_deflated => {
                return Err(Ended::Fault("it compressed a message, which was not negotiated"));
            }
            _ => hear(Some((opcode, payload))),
        }
    }
    Ok(start)
}
