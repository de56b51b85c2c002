//! A client's connection before it is open.

use futures::FutureExt;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio_util::either::Either;

use crate::transport::tls::Encrypted;

/// Plain or encrypted.
pub(crate) type Stream = Either<TcpStream, Box<Encrypted>>;

/// The underlying socket.
pub(crate) fn socket(stream: &Stream) -> &TcpStream {
    match stream {
        Either::Left(socket) => socket,
        Either::Right(encrypted) => encrypted.get_ref().0.get_ref(),
    }
}

/// How a client has hung up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HangUp {
    /// It sends nothing more; data that it sent before may still be unread.
    Finished,
    /// The connection is gone in both directions.
    Reset,
}

/// Whether the client has hung up, as far as the system has reported. Reads nothing.
pub(crate) fn hang_up(socket: &TcpStream) -> Option<HangUp> {
    let ready = socket.ready(Interest::READABLE | Interest::WRITABLE).now_or_never()?.ok()?;
    match (ready.is_read_closed(), ready.is_write_closed()) {
        (_, true) => Some(HangUp::Reset),
        (true, false) => Some(HangUp::Finished),
        (false, false) => None,
    }
}
