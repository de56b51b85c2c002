//! The socket as the WebSocket library sees it: it reads the client's frames from it, and what it writes goes through the
//! outbox, whole frames at a time.

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
use crate::transport::inflater::Inflater;
use crate::transport::scanner::Scanner;
use crate::transport::tcp::Tcp;

/// How much one read asks the system for: little at first, more while it comes filled.
const SMALLEST_READ: u32 = 2 * 1024;
const LARGEST_READ: u32 = 64 * 1024;

/// After a frame larger than this, in bytes, the library's buffer, which has grown to it, is made anew.
const BUFFER_KEPT: u64 = 4 * 1024;

/// How many frames may begin before the pace is told of them.
const MAX_PIECES: u32 = 64;

/// What is read as an error where the connection is to be closed for something that the library does not see, or not yet.
#[derive(Debug, thiserror::Error)]
#[error("the connection has to be closed with code {}", .0.code())]
pub(crate) struct Refused(pub(crate) CloseCode);

fn refused(code: CloseCode) -> io::Error {
    io::Error::other(Refused(code))
}

/// For how long reading was held back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct HeldBack {
    /// In all. Nothing can be heard in that time, whatever the client sends.
    pub(crate) total: Duration,
    /// The part of it for which the server is the reason, and not the pace of the sender.
    pub(crate) by_server: Duration,
}

/// What is read from the socket, and what is known of it.
#[derive(Debug)]
pub(crate) struct Wire {
    pub(crate) outbox: Arc<Outbox<Tcp>>,
    /// What the connection is encrypted with, if it is.
    cipher: Option<Box<Cipher>>,
    /// Read from the socket, not yet handed to the library. Empty, and without memory, while nothing comes.
    unread: Bytes,
    /// How much the next read asks for.
    next_read: u32,
    scanner: Scanner,
    /// Takes compressed messages, where they were agreed upon.
    inflater: Option<Box<Inflater>>,
    /// When the last byte came.
    heard: Instant,
    /// Since when a message is incomplete; none between messages.
    incomplete_since: Option<Instant>,
    /// Whether the library's buffer has grown to more than is kept.
    has_grown: bool,
    /// The most bytes of a message.
    max: u64,
}

impl Wire {
    /// A connection of which `unread` was read already; `deflates`: messages may be compressed.
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
            heard: Instant::now(),
            incomplete_since: None,
            has_grown: false,
            max: max as u64,
        }
    }

    /// Writes what waits in the outbox: see [`Outbox::poll_drain`].
    pub(crate) fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<Signal> {
        match &mut self.cipher {
            None => self.outbox.poll_drain(cx),
            Some(cipher) => self.outbox.poll_drain_into(cx, &mut cipher.drain(self.outbox.transport())),
        }
    }

    /// Writes the end of the stream, behind all that was drained.
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

    /// When the last byte came.
    pub(crate) fn heard(&self) -> Instant {
        self.heard
    }

    /// Since when a message is incomplete, if one is.
    pub(crate) fn incomplete_since(&self) -> Option<Instant> {
        self.incomplete_since
    }

    /// For this long nothing was read on purpose: the clocks stood still.
    pub(crate) fn pardon(&mut self, held: HeldBack) {
        self.heard += held.total;
        if let Some(since) = &mut self.incomplete_since {
            // a sender that is throttled has made its message late itself
            *since += held.by_server;
        }
    }

    /// Whether the library's buffer has grown to more than is kept, and holds nothing.
    pub(crate) fn can_give_back(&self) -> bool {
        let is_handed_out = self.inflater.as_ref().is_none_or(|inflater| inflater.is_empty());
        self.has_grown && is_handed_out && self.scanner.is_between_messages()
    }

    /// The library's buffer is new.
    pub(crate) fn gave_back(&mut self) {
        self.has_grown = false;
    }

    /// Whether so many frames have begun that the pace has to know before more is read: nothing is handed out until
    /// [`take_frames`](Self::take_frames) is called, and nobody is woken for it.
    pub(crate) fn has_many_frames(&self) -> bool {
        self.scanner.frames() >= MAX_PIECES
    }

    /// How many frames have begun since this was asked last, as the pace counts them.
    pub(crate) fn take_frames(&mut self) -> u32 {
        self.scanner.take_frames()
    }

    /// Hands out what belongs to the current frame; a compressed message when it is complete. False when more is needed first. An error: the
    /// connection is to be closed with that code.
    fn hand_out(&mut self, buf: &mut ReadBuf<'_>) -> Result<bool, CloseCode> {
        while let Some(inflater) = &mut self.inflater {
            if inflater.hand_out(buf) {
                return Ok(true);
            }
            if self.scanner.frames() >= MAX_PIECES {
                return Ok(false);
            }
            let is_new = self.scanner.frame_left() == 0;
            let count = self.scanner.in_frame(&self.unread);
            let header = if is_new && count > 0 { inflater.begin(&self.unread[..count])? } else { Some(0) };
            let Some(header) = header.filter(|_| inflater.is_taking()) else { break };
            self.scanner.check(self.max)?;
            if count == 0 {
                return Ok(false);
            }
            let is_end = count as u64 == self.scanner.frame_left();
            let length = inflater.take(&self.unread[header..count], is_end)?;
            self.passed(count);
            if let Some(length) = length {
                self.has_grown |= length as u64 > BUFFER_KEPT;
                self.scanner.count_bytes(length as u64);
            }
        }
        self.hand_out_raw(buf)
    }

    fn hand_out_raw(&mut self, buf: &mut ReadBuf<'_>) -> Result<bool, CloseCode> {
        let count = self.scanner.in_frame(&self.unread).min(buf.remaining());
        if count == 0 {
            return Ok(false);
        }
        self.scanner.check(self.max)?;
        buf.put_slice(&self.unread[..count]);
        self.has_grown |= self.scanner.frame_left() > BUFFER_KEPT;
        self.passed(count);
        Ok(true)
    }

    /// So many bytes of the current frame have gone where they belong.
    fn passed(&mut self, count: usize) {
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

    /// Reads behind what is there, and gives how many bytes that were.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let count = match &mut self.cipher {
            None => ready!(self.poll_fill_plain(cx))?,
            Some(cipher) => ready!(cipher.poll_read(cx, self.outbox.transport(), &mut self.unread))?,
        };
        if count > 0 {
            self.heard = Instant::now();
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
        // the library reads on through the pieces of a message: it is stopped now and then, so that they can be paced, and
        // so that others run meanwhile
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

/// Takes whole frames: the library's own write buffer is off, so it writes a frame in one piece.
impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, frame: &[u8]) -> Poll<io::Result<usize>> {
        // the library tries again whenever it is asked to read, and keeps the latest pong only
        if self.outbox.offer_control(frame) { Poll::Ready(Ok(frame.len())) } else { Poll::Pending }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
