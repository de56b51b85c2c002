//! An encrypted connection's own side: it reads and writes the socket through its keys.

use std::io::{self, BufRead, IoSlice, Read, Write};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use chat_outbox::Drain;
use tokio_rustls::rustls::ServerConnection;

use crate::transport::tcp::Tcp;

/// The keys of a connection, and what is on its way through them. Only the connection's own task has it, so it is under no lock:
/// whoever offers frames leaves them in the outbox.
#[derive(Debug)]
pub(crate) struct Cipher {
    keys: ServerConnection,
    /// Whether the last word, `close_notify`, is said.
    is_closed: bool,
}

impl Cipher {
    /// A connection that has shaken hands.
    pub(crate) fn new(keys: ServerConnection) -> Self {
        Self { keys, is_closed: false }
    }

    /// Reads what the next record holds behind `unread`, and gives how many bytes that were: none at the end of the stream.
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        tcp: &Tcp,
        unread: &mut Bytes,
    ) -> Poll<io::Result<usize>> {
        loop {
            match self.take_read(unread) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // a cut is told by the missing close frame
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Poll::Ready(Ok(0)),
                outcome => return Poll::Ready(outcome),
            }
            ready!(tcp.stream().poll_read_ready(cx))?;
            match self.keys.read_tls(&mut Raw(tcp)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
                Ok(_) => self.decrypt(tcp)?,
            }
        }
    }

    fn take_read(&mut self, unread: &mut Bytes) -> io::Result<usize> {
        let mut reader = self.keys.reader();
        let read = reader.fill_buf()?;
        let count = read.len();
        *unread = [unread, read].concat().into();
        reader.consume(count);
        Ok(count)
    }

    fn decrypt(&mut self, tcp: &Tcp) -> io::Result<()> {
        self.keys.process_new_packets().map_err(|error| {
            // the alert that says why, if the socket takes it: it ends here anyway
            let _ = self.keys.write_tls(&mut Raw(tcp));
            io::Error::new(io::ErrorKind::InvalidData, error)
        })?;
        Ok(())
    }

    /// Where the outbox is drained to.
    pub(crate) fn drain<'a>(&'a mut self, tcp: &'a Tcp) -> impl Drain + 'a {
        Draining { keys: &mut self.keys, tcp }
    }

    /// Says that nothing more comes (RFC 8446, section 6.1), and writes all there is.
    pub(crate) fn poll_close(&mut self, cx: &mut Context<'_>, tcp: &Tcp) -> Poll<io::Result<()>> {
        if !self.is_closed {
            self.keys.send_close_notify();
            self.is_closed = true;
        }
        self.drain(tcp).poll_flush(cx)
    }
}

struct Draining<'a> {
    keys: &'a mut ServerConnection,
    tcp: &'a Tcp,
}

impl Drain for Draining<'_> {
    /// Gathers records up to the library's bound, 64 KiB, before it writes them: one write for many frames.
    fn poll_write(&mut self, cx: &mut Context<'_>, pieces: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        loop {
            match self.keys.writer().write_vectored(pieces) {
                Ok(0) => ready!(self.poll_flush(cx))?,
                outcome => return Poll::Ready(outcome),
            }
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.keys.wants_write() {
            match self.keys.write_tls(&mut Raw(self.tcp)) {
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

/// The socket, for the library. Nothing waits.
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
