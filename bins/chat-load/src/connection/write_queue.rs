//! Bytes that a socket has not accepted yet.

use std::io::{self, ErrorKind, Write};

/// Writes as much of `queue` as the socket accepts now, and removes it from the queue. An event
/// reports when the socket accepts more, and when it is connected.
pub fn flush(stream: &mut impl Write, queue: &mut Vec<u8>) -> io::Result<()> {
    let mut written = 0;
    let outcome = loop {
        let outcome = if written < queue.len() {
            stream.write(&queue[written..])
        } else {
            // TLS may hold bytes back; for a plain socket this does nothing
            stream.flush().map(|()| 0)
        };
        match outcome {
            Ok(0) => break Ok(()),
            Ok(count) => written += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => {
                break Ok(());
            }
            Err(error) => break Err(error),
        }
    };
    queue.drain(..written);
    outcome
}
