//! A socket that counts received bytes, below any encryption.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A socket that counts received bytes. On a slow network a large frame takes longer than the
/// heartbeat interval, so the heartbeat must see its parts.
#[derive(Debug)]
pub(super) struct ByteCounter {
    stream: TcpStream,
    received: u64,
}

impl ByteCounter {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self { stream, received: 0 }
    }

    /// The number of received bytes.
    pub(super) fn received(&self) -> u64 {
        self.received
    }
}

impl AsyncRead for ByteCounter {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, into);
        self.received += (into.filled().len() - before) as u64;
        read
    }
}

impl AsyncWrite for ByteCounter {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
