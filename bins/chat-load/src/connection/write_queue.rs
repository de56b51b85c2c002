//! What a socket has not taken yet.

use std::io::{self, ErrorKind, Write};

/// Writes as much of it as the socket takes now. When there is room for more, or when it is connected, that is told by an event.
pub fn flush(stream: &mut impl Write, unsent: &mut Vec<u8>) -> io::Result<()> {
    let mut written = 0;
    let outcome = loop {
        let outcome = if written < unsent.len() {
            stream.write(&unsent[written..])
        } else {
            // for a socket there is nothing to do; encryption may hold something back
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
    unsent.drain(..written);
    outcome
}
