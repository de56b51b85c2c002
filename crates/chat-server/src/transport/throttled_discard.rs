//! Throttles the discarding of input: a client that keeps sending after it was refused or closed
//! would otherwise keep the server as busy as it can send.

use std::time::Duration;

/// Reads this much and then pauses: about 6 MB/s. Data that was in flight when the client was
/// refused is discarded quickly.
const BURST: usize = 64 << 10;
const PAUSE: Duration = Duration::from_millis(10);

/// Counts discarded bytes.
#[derive(Debug, Default)]
pub(crate) struct ThrottledDiscard {
    read: usize,
}

impl ThrottledDiscard {
    /// Records that `bytes` were read, and pauses if it is time to. Cancel-safe.
    pub(crate) async fn discarded(&mut self, bytes: usize) {
        self.read += bytes;
        if self.read >= BURST {
            self.read = 0;
            tokio::time::sleep(PAUSE).await;
        }
    }
}
