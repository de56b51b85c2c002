//! What a socket has not taken yet.

use std::io::{self, ErrorKind, Write};

use mio::net::TcpStream;

/// Writes as much of it as the socket takes now. When there is room for more, or when it is connected, that is told by an event.
pub(crate) fn flush(stream: &mut TcpStream, unsent: &mut Vec<u8>) -> io::Result<()> {
    let mut written = 0;
    let outcome = loop {
        if written == unsent.len() {
            break Ok(());
        }
        match stream.write(&unsent[written..]) {
            Ok(count) => written += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => {
                break Ok(());
            }
            Err(error) => break Err(error),
        }
    };
    unsent.drain(..written);
    outcome
}
