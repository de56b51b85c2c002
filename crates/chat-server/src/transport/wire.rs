//! The socket as the WebSocket library sees it: the library reads the client's frames from it, and
//! its writes go through the outbox in whole frames.

use std::io;
use std::net::Shutdown;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use chat_outbox::{Outbox, Signal};
use chat_protocol::CloseCode;
use rustix::buffer::spare_capacity;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::task::coop::consume_budget;
use tokio::time::{Duration, Instant};

use crate::transport::cipher::Cipher;
use crate::transport::frame_scanner::{Piece, Scanner};
use crate::transport::inflater::Inflater;
use crate::transport::tcp::Tcp;

/// How many bytes one read requests: few at first, more while reads fill the buffer.
const SMALLEST_READ: u32 = 2 * 1024;
const LARGEST_READ: u32 = 64 * 1024;

/// After a frame larger than this, in bytes, the library's buffer has grown to its size and is
/// replaced.
const MAX_KEPT_BUFFER: u64 = 4 * 1024;

/// How many frames may begin before the rate limit has to count them.
const MAX_PENDING_FRAMES: u32 = 64;

/// Returned as a read error if the connection has to be closed for something that the library does
/// not detect, or not yet.
#[derive(Debug, thiserror::Error)]
#[error("the connection has to be closed with code {}", .0.code())]
pub(crate) struct Refused(pub(crate) CloseCode);

fn refused(code: CloseCode) -> io::Error {
    io::Error::other(Refused(code))
}

/// How long reading was paused.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ReadPause {
    /// The whole pause. Nothing is received in that time, whatever the client sends.
    pub(crate) total: Duration,
    /// The part of it caused by the server and not by the sender's rate.
    pub(crate) by_server: Duration,
}

/// What is read from the socket, and the state of its stream.
#[derive(Debug)]
pub(crate) struct Wire {
    pub(crate) outbox: Arc<Outbox<Tcp>>,
    /// The encryption of the connection, if it has any.
    cipher: Option<Box<Cipher>>,
    /// Read from the socket, but not yet handed to the library. Empty, and without an allocation,
    /// while nothing arrives.
    unread: Bytes,
    /// How many bytes the next read requests.
    next_read: u32,
    scanner: Scanner,
    /// Decompresses messages, if compression was negotiated.
    inflater: Option<Box<Inflater>>,
    /// When the last byte arrived.
    last_byte_at: Instant,
    /// When the current incomplete message began. `None` between messages.
    incomplete_since: Option<Instant>,
    /// Whether the library's buffer has grown beyond the size that is kept.
    has_grown: bool,
    /// Maximum size of a message, in bytes.
    max: u64,
}

impl Wire {
    /// A connection of which `unread` was already read; `deflates` says whether messages may be
    /// compressed.
    pub(crate) fn new(
        outbox: Arc<Outbox<Tcp>>,
        cipher: Option<Box<Cipher>>,
        unread: Bytes,
        deflates: bool,
        max: usize,
    ) -> Self {
        Self {
            inflater: deflates.then(|| Box::new(Inflater::new(max))),
            outbox,
            cipher,
            unread,
            next_read: SMALLEST_READ,
            scanner: Scanner::default(),
            last_byte_at: Instant::now(),
            incomplete_since: None,
            has_grown: false,
            max: max as u64,
        }
    }

    /// Maximum size of a message, in bytes.
    pub(crate) fn max_message_bytes(&self) -> usize {
        usize::try_from(self.max).unwrap_or(usize::MAX)
    }

    /// Writes the outbox to the socket: see [`Outbox::poll_drain`].
    pub(crate) fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<Signal> {
        match &mut self.cipher {
            None => self.outbox.poll_drain(cx),
            Some(cipher) => self.outbox.poll_drain_into(cx, &mut cipher.drain(self.outbox.transport())),
        }
    }

    /// Ends the stream after everything that was drained.
    pub(crate) fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let tcp = self.outbox.transport();
        if let Some(cipher) = &mut self.cipher {
            ready!(cipher.poll_close(cx, tcp))?;
        }
        Poll::Ready(SockRef::from(tcp.stream()).shutdown(Shutdown::Write))
    }

    /// The socket.
    pub(crate) fn stream(&self) -> &TcpStream {
        self.outbox.transport().stream()
    }

    /// When the last byte arrived.
    pub(crate) fn last_byte_at(&self) -> Instant {
        self.last_byte_at
    }

    /// When the current incomplete message began, if there is one.
    pub(crate) fn incomplete_since(&self) -> Option<Instant> {
        self.incomplete_since
    }

    /// Extends the deadlines by a pause in which nothing was read on purpose.
    pub(crate) fn exclude_pause(&mut self, pause: ReadPause) {
        self.last_byte_at += pause.total;
        if let Some(since) = &mut self.incomplete_since {
            // a throttled sender has delayed its message itself
            *since += pause.by_server;
        }
    }

    /// Whether the library's buffer has grown beyond the size that is kept, and is empty.
    pub(crate) fn can_release_buffer(&self) -> bool {
        let is_handed_out = self.inflater.as_ref().is_none_or(|inflater| inflater.is_empty());
        self.has_grown && is_handed_out && self.scanner.is_between_messages()
    }

    /// Records that the library's buffer was replaced.
    pub(crate) fn buffer_replaced(&mut self) {
        self.has_grown = false;
    }

    /// Whether so many frames have begun that the rate limit has to count them before more is read.
    /// Nothing is handed out until [`take_frames`](Self::take_frames) is called, and no task is
    /// woken for that.
    pub(crate) fn has_many_frames(&self) -> bool {
        self.scanner.frames() >= MAX_PENDING_FRAMES
    }

    /// Takes the number of frames that have begun, weighted for the rate limit.
    pub(crate) fn take_frames(&mut self) -> u32 {
        self.scanner.take_frames()
    }

    /// Hands out bytes of the current frame, or a compressed message once it is complete. Returns
    /// `false` if more has to be read first. On an error, close the connection with that code.
    fn hand_out(&mut self, buf: &mut ReadBuf<'_>) -> Result<bool, CloseCode> {
        while let Some(inflater) = &mut self.inflater {
            if inflater.hand_out(buf) {
                return Ok(true);
            }
            if self.scanner.frames() >= MAX_PENDING_FRAMES {
                return Ok(false);
            }
            let Piece { count, header } = self.scanner.in_frame(&self.unread);
            let mut header_bytes = 0;
            if let Some((frame, length)) = header {
                inflater.begin(&frame)?;
                header_bytes = length;
            }
            if !inflater.is_taking() {
                break;
            }
            self.scanner.check(self.max)?;
            if count == 0 {
                return Ok(false);
            }
            let is_end = count as u64 == self.scanner.frame_left();
            let length = inflater.take(&self.unread[header_bytes..count], is_end)?;
            self.advance(count);
            if let Some(length) = length {
                self.has_grown |= length as u64 > MAX_KEPT_BUFFER;
                self.scanner.count_bytes(length as u64);
            }
        }
        self.hand_out_raw(buf)
    }

    fn hand_out_raw(&mut self, buf: &mut ReadBuf<'_>) -> Result<bool, CloseCode> {
        let count = self.scanner.in_frame(&self.unread).count.min(buf.remaining());
        if count == 0 {
            return Ok(false);
        }
        self.scanner.check(self.max)?;
        buf.put_slice(&self.unread[..count]);
        self.has_grown |= self.scanner.frame_left() > MAX_KEPT_BUFFER;
        self.advance(count);
        Ok(true)
    }

    /// Records that `count` bytes of the current frame were handed out.
    fn advance(&mut self, count: usize) {
        self.unread.advance(count);
        if self.unread.is_empty() {
            self.unread = Bytes::new();
        }
        self.scanner.advance(count);
        if self.scanner.is_between_messages() {
            self.incomplete_since = None;
        } else {
            self.incomplete_since.get_or_insert_with(Instant::now);
        }
    }

    /// Reads and appends to `unread`. Returns the number of bytes.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let count = match &mut self.cipher {
            None => ready!(self.poll_fill_plain(cx))?,
            Some(cipher) => ready!(cipher.poll_read(cx, self.outbox.transport(), &mut self.unread))?,
        };
        if count > 0 {
            self.last_byte_at = Instant::now();
        }
        Poll::Ready(Ok(count))
    }

    fn poll_fill_plain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.stream().poll_read_ready(cx))?;
            match self.fill() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                outcome => return Poll::Ready(outcome),
            }
        }
    }

    fn fill(&mut self) -> io::Result<usize> {
        let tcp = self.outbox.transport();
        let count = if self.next_read == SMALLEST_READ {
            let mut chunk = [0; SMALLEST_READ as usize];
            let count = tcp.receive(&mut chunk, SMALLEST_READ as usize)?;
            self.unread = [&self.unread, &chunk[..count]].concat().into();
            count
        } else {
            let mut bytes = Vec::with_capacity(self.unread.len() + self.next_read as usize);
            bytes.extend_from_slice(&self.unread);
            let length = bytes.capacity() - bytes.len();
            let count = tcp.receive(spare_capacity(&mut bytes), length)?;
            self.unread = bytes.into();
            count
        };
        let is_filled = count >= self.next_read as usize;
        self.next_read = if is_filled { (self.next_read * 4).min(LARGEST_READ) } else { SMALLEST_READ };
        Ok(count)
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // the library reads on through the fragments of a message; it is stopped now and then, so
        // that the rate limit applies and other tasks can run
        if self.has_many_frames() {
            return Poll::Pending;
        }
        ready!(pin!(consume_budget()).poll(cx));
        while !self.hand_out(buf).map_err(refused)? {
            if self.has_many_frames() {
                return Poll::Pending;
            }
            if !self.unread.is_empty() {
                self.incomplete_since.get_or_insert_with(Instant::now);
            }
            if ready!(self.poll_fill(cx))? == 0 {
                return Poll::Ready(Ok(()));
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// Accepts whole frames: the library's own write buffer is disabled, so it writes each frame in one
/// piece.
impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, frame: &[u8]) -> Poll<io::Result<usize>> {
        // the library retries whenever it is polled for reading, and keeps only the latest pong
        if self.outbox.offer_control(frame) { Poll::Ready(Ok(frame.len())) } else { Poll::Pending }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
