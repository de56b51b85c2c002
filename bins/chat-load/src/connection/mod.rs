//! A WebSocket connection on a socket that never blocks.

mod stream;
mod tls;
mod write_queue;

pub use tls::{Trust, TrustError};
pub use write_queue::flush;

use std::io::{self, ErrorKind, Read};
use std::net::SocketAddr;

use chat_testkit::frame::{self, Frame, FrameError, Inflater};
use memchr::memmem;
use mio::net::TcpStream;

use stream::Stream;

/// The maximum length of the response to the handshake.
const MAX_HEAD_BYTES: usize = 16 << 10;

/// One connection, with its read buffer and its write queue.
pub(crate) struct Connection {
    stream: Stream,
    /// The beginning of a frame that is not complete yet.
    read_buffer: Vec<u8>,
    /// What the socket has not accepted yet.
    write_queue: Vec<u8>,
    /// Whether the response to the handshake is still to come.
    in_handshake: bool,
    /// Decompresses messages, if compression was requested.
    inflater: Option<Box<Inflater>>,
}

/// Why a connection ended. The text becomes a key of the report, so it has no details that differ
/// between connections.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectionError {
    /// The connection could not be opened, or broke.
    #[error("{}", .0.kind())]
    Io(#[from] io::Error),
    /// The stream ended without a close frame.
    #[error("the server closed the connection without a close frame")]
    Eof,
    /// The server sent a close frame.
    #[error("the server closed the connection with code {0}")]
    Closed(u16),
    /// The response to the handshake was not 101.
    #[error("the server refused the WebSocket handshake: {0}")]
    Refused(String),
    /// The server violated the WebSocket protocol.
    #[error("the server does not speak WebSocket as expected: {0}")]
    Protocol(&'static str),
    /// The server sent bytes that are not a frame.
    #[error("the server does not speak WebSocket as expected: {0}")]
    Frame(#[from] FrameError),
}

impl Connection {
    pub(crate) fn open(
        server: SocketAddr,
        trust: Option<&Trust>,
        request: Vec<u8>,
        compression: bool,
    ) -> io::Result<Self> {
        let stream = TcpStream::connect(server)?;
        // on some systems this fails until the connection is established; it only affects latency
        let _ = stream.set_nodelay(true);
        let stream = Stream::new(stream, trust)?;
        let inflater = compression.then(Box::default);
        Ok(Self { stream, read_buffer: Vec::new(), write_queue: request, in_handshake: true, inflater })
    }

    pub(crate) fn source(&mut self) -> &mut TcpStream {
        self.stream.socket()
    }

    /// The number of bytes in the write queue.
    pub(crate) fn queued_bytes(&self) -> usize {
        self.write_queue.len()
    }

    /// The queue to which frames are appended; [`flush`](Self::flush) writes them.
    pub(crate) fn write_queue(&mut self) -> &mut Vec<u8> {
        &mut self.write_queue
    }

    /// Writes as much of the queue as the socket accepts.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        flush(&mut self.stream, &mut self.write_queue)
    }

    /// Reads once, and calls `on_frame` with each complete frame, and with `None` once the
    /// handshake has succeeded. Returns the number of bytes read: fewer than the length of
    /// `buffer` mean that nothing more is available now. `buffer` is scratch space that
    /// connections share.
    pub(crate) fn read(
        &mut self,
        buffer: &mut [u8],
        mut on_frame: impl FnMut(Option<(u8, &[u8])>),
    ) -> Result<usize, ConnectionError> {
        let count = loop {
            match self.stream.read(buffer) {
                Ok(0) => return Err(ConnectionError::Eof),
                Ok(count) => break count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    // the TLS handshake may have made progress, which lets queued frames go out
                    if self.stream.is_encrypted() {
                        self.flush()?;
                    }
                    return Ok(0);
                }
                Err(error) => return Err(error.into()),
            }
        };
        if self.read_buffer.is_empty() && !self.in_handshake {
            // most reads end with a complete frame, and then nothing is copied
            let taken = take_frames(&buffer[..count], 0, &mut self.inflater, &mut on_frame)?;
            self.read_buffer.extend_from_slice(&buffer[taken..count]);
            return Ok(count);
        }
        self.read_buffer.extend_from_slice(&buffer[..count]);
        let mut start = 0;
        if self.in_handshake {
            let Some(end) = memmem::find(&self.read_buffer, b"\r\n\r\n") else {
                let is_too_long = self.read_buffer.len() > MAX_HEAD_BYTES;
                return if is_too_long {
                    Err(ConnectionError::Protocol("the head of its response has no end"))
                } else {
                    Ok(count)
                };
            };
            check_handshake(&self.read_buffer[..end], self.inflater.is_some())?;
            self.in_handshake = false;
            start = end + 4;
            on_frame(None);
        }
        let taken = take_frames(&self.read_buffer, start, &mut self.inflater, &mut on_frame)?;
        self.read_buffer.drain(..taken);
        if self.read_buffer.is_empty() {
            self.read_buffer = Vec::new();
        }
        Ok(count)
    }
}

fn check_handshake(head: &[u8], compression: bool) -> Result<(), ConnectionError> {
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    if !line.starts_with(b"HTTP/1.1 101 ") {
        let status = line.strip_prefix(b"HTTP/1.1 ").unwrap_or(line);
        return Err(ConnectionError::Refused(String::from_utf8_lossy(status).into_owned()));
    }
    // the names of headers are case-insensitive
    let head = head.to_ascii_lowercase();
    if compression && memmem::find(&head, b"\r\nsec-websocket-extensions: permessage-deflate").is_none() {
        return Err(ConnectionError::Protocol("the server does not compress messages"));
    }
    Ok(())
}

/// Calls `on_frame` with each complete frame from `start` on. Returns the position of the first
/// incomplete one.
fn take_frames(
    bytes: &[u8],
    mut start: usize,
    inflater: &mut Option<Box<Inflater>>,
    on_frame: &mut impl FnMut(Option<(u8, &[u8])>),
) -> Result<usize, ConnectionError> {
    while let Some(Frame { opcode, is_compressed, payload }) = frame::parse(bytes, start)? {
        start = payload.end;
        let payload = &bytes[payload];
        if opcode == frame::CLOSE {
            let code = payload.first_chunk().map_or(1005, |code| u16::from_be_bytes(*code));
            return Err(ConnectionError::Closed(code));
        }
        match inflater {
            Some(inflater) if is_compressed => {
                let message = inflater.inflate(payload);
                let message = message
                    .ok_or(ConnectionError::Protocol("a compressed message cannot be decompressed"))?;
                on_frame(Some((opcode, message)));
            }
            None if is_compressed => {
                return Err(ConnectionError::Protocol("it compressed a message, which was not negotiated"));
            }
            _ => on_frame(Some((opcode, payload))),
        }
    }
    Ok(start)
}
