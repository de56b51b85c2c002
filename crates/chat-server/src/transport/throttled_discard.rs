//! Throttles the discarding of input: a client that keeps sending after it was refused or closed
//! would otherwise keep the server as busy as it can send.

use std::time::Duration;

/// Reads this much and then pauses: about 6 MB/s. Data that was in flight when the client was
/// refused is discarded quickly.
const SIP: usize = 64 << 10;
const PAUSE: Duration = Duration::from_millis(10);

/// Counts discarded bytes.
#[derive(Debug, Default)]
pub(crate) struct ThrottledDiscard {
    taken: usize,
}

impl ThrottledDiscard {
    /// Records that `bytes` were read, and pauses if it is time to. Cancel-safe.
    pub(crate) async fn took(&mut self, bytes: usize) {
        self.taken += bytes;
        if self.taken >= SIP {
            self.taken = 0;
            tokio::time::sleep(PAUSE).await;
        }
    }
}
