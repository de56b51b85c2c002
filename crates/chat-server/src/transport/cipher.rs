//! An encrypted connection as its own task sees it: reads and writes the socket through TLS.

use std::io::{self, BufRead, IoSlice, Read, Write};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use chat_outbox::Drain;
use tokio_rustls::rustls::ServerConnection;

use crate::transport::tcp::Tcp;

/// The TLS state of a connection. Only the connection's own task uses it, so it needs no lock:
/// other tasks leave their frames in the outbox.
#[derive(Debug)]
pub(crate) struct Cipher {
    tls: ServerConnection,
    /// Whether `close_notify` has been sent.
    is_closed: bool,
}

impl Cipher {
    /// Wraps a connection after its TLS handshake.
    pub(crate) fn new(tls: ServerConnection) -> Self {
        Self { tls, is_closed: false }
    }

    /// Reads the next record and appends its content to `unread`. Returns the number of bytes; 0 at
    /// the end of the stream.
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        tcp: &Tcp,
        unread: &mut Bytes,
    ) -> Poll<io::Result<usize>> {
        loop {
            match self.take_read(unread) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // a truncated stream is noticed by its missing close frame
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Poll::Ready(Ok(0)),
                outcome => return Poll::Ready(outcome),
            }
            ready!(tcp.stream().poll_read_ready(cx))?;
            match self.tls.read_tls(&mut Raw(tcp)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
                Ok(_) => self.decrypt(tcp)?,
            }
        }
    }

    fn take_read(&mut self, unread: &mut Bytes) -> io::Result<usize> {
        let mut reader = self.tls.reader();
        let read = reader.fill_buf()?;
        let count = read.len();
        *unread = [unread, read].concat().into();
        reader.consume(count);
        Ok(count)
    }

    fn decrypt(&mut self, tcp: &Tcp) -> io::Result<()> {
        self.tls.process_new_packets().map_err(|error| {
            // sends the alert if the socket accepts it; the connection ends anyway
            let _ = self.tls.write_tls(&mut Raw(tcp));
            io::Error::new(io::ErrorKind::InvalidData, error)
        })?;
        Ok(())
    }

    /// The writer into which the outbox is drained.
    pub(crate) fn drain<'a>(&'a mut self, tcp: &'a Tcp) -> impl Drain + 'a {
        Draining { tls: &mut self.tls, tcp }
    }

    /// Sends `close_notify` (RFC 8446, section 6.1), and writes everything that is left.
    pub(crate) fn poll_close(&mut self, cx: &mut Context<'_>, tcp: &Tcp) -> Poll<io::Result<()>> {
        if !self.is_closed {
            self.tls.send_close_notify();
            self.is_closed = true;
        }
        self.drain(tcp).poll_flush(cx)
    }
}

struct Draining<'a> {
    tls: &'a mut ServerConnection,
    tcp: &'a Tcp,
}

impl Drain for Draining<'_> {
    /// Collects records up to the library's limit of 64 KiB before it writes them: one write for
    /// many frames.
    fn poll_write(&mut self, cx: &mut Context<'_>, pieces: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        loop {
            match self.tls.writer().write_vectored(pieces) {
                Ok(0) => ready!(self.poll_flush(cx))?,
                outcome => return Poll::Ready(outcome),
            }
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.tls.wants_write() {
            match self.tls.write_tls(&mut Raw(self.tcp)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.tcp.stream().poll_write_ready(cx))?;
                }
                Err(error) => return Poll::Ready(Err(error)),
                Ok(_) => {}
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// The socket as the library uses it. Never blocks.
struct Raw<'a>(&'a Tcp);

impl Read for Raw<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = buffer.len();
        self.0.receive(buffer, length)
    }
}

impl Write for Raw<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.send(bytes)
    }

    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.send_all(pieces)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
