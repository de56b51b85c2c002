//! The socket of a connection.

use std::io;
use std::task::{Context, Poll};

use chat_outbox::Transport;
use rustix::buffer::Buffer;
use rustix::net::{RecvFlags, SendFlags};
use tokio::io::Interest;
use tokio::net::TcpStream;

/// Pieces that are no longer than this in total are joined into one write.
const SMALL_WRITE: usize = 1024;

/// A TCP connection with non-blocking writes.
#[derive(Debug)]
pub(crate) struct Tcp {
    stream: TcpStream,
    writer: Writer,
}

/// Which tasks write to a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Writer {
    /// Any task that has something to send.
    Anyone,
    /// Only the connection's own task, which holds the TLS state.
    OwnTask,
}

impl Tcp {
    pub(crate) fn new(stream: TcpStream, writer: Writer) -> Self {
        Self { stream, writer }
    }

    pub(crate) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Writes directly to the kernel, which knows best whether the socket accepts data. The
    /// runtime's readiness state is elsewhere in memory. It is consulted only when the socket is
    /// full, so that it is updated.
    pub(crate) fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        let send = || -> io::Result<usize> {
            Ok(rustix::net::send(&self.stream, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)?)
        };
        match send() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.stream.try_io(Interest::WRITABLE, send)
            }
            outcome => outcome,
        }
    }

    /// Writes as much of the pieces as the socket accepts.
    pub(crate) fn send_all(&self, pieces: &[io::IoSlice<'_>]) -> io::Result<usize> {
        if let [piece] = pieces {
            return self.send(piece);
        }
        // typically an ack and a message: copying them is cheaper than a vectored write
        let mut joined = [0; SMALL_WRITE];
        let mut length = 0;
        for piece in pieces {
            let Some(slot) = joined.get_mut(length..length + piece.len()) else {
                return self.stream.try_write_vectored(pieces);
            };
            slot.copy_from_slice(piece);
            length += piece.len();
        }
        self.send(&joined[..length])
    }

    /// Reads the available bytes. A read that does not fill the buffer has emptied the socket
    /// (epoll(7)): the runtime is notified, which saves a futile read. `length` is the capacity of
    /// the buffer.
    pub(crate) fn receive(&self, buffer: impl Buffer<u8>, length: usize) -> io::Result<usize> {
        let mut count = 0;
        let received = self.stream.try_io(Interest::READABLE, || {
            (_, count) = rustix::net::recv(&self.stream, buffer, RecvFlags::DONTWAIT)?;
            if (1..length).contains(&count) { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
        });
        if count > 0 { Ok(count) } else { received.map(|()| 0) }
    }
}

impl Transport for Tcp {
    fn try_write(&self, pieces: &[io::IoSlice<'_>]) -> io::Result<usize> {
        match self.writer {
            Writer::Anyone => self.send_all(pieces),
            Writer::OwnTask => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_write_ready(cx)
    }
}
