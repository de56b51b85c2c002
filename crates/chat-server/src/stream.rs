//! A client's connection as the door has it.

use tokio::net::TcpStream;
use tokio_util::either::Either;

use crate::tls::Encrypted;

/// Plain, or encrypted.
pub(crate) type Stream = Either<TcpStream, Box<Encrypted>>;

/// The socket below it.
pub(crate) fn socket(stream: &Stream) -> &TcpStream {
    match stream {
        Either::Left(socket) => socket,
        Either::Right(encrypted) => encrypted.get_ref().0.get_ref(),
    }
}
