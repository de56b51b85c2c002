//! What is read only to be thrown away is read in sips: a client that goes on sending after it was told to go would otherwise keep the
//! server as busy as it can send.

use std::time::Duration;

/// So much at once, and then a pause: some 6 MB a second. What a client had on its way when it was told to go is gone in a moment.
const SIP: usize = 64 << 10;
const PAUSE: Duration = Duration::from_millis(10);

/// Counts what is thrown away.
#[derive(Debug, Default)]
pub(crate) struct ThrottledDiscard {
    taken: usize,
}

impl ThrottledDiscard {
    /// So much was read: waits where it is time to. Cancel-safe.
    pub(crate) async fn took(&mut self, bytes: usize) {
        self.taken += bytes;
        if self.taken >= SIP {
            self.taken = 0;
            tokio::time::sleep(PAUSE).await;
        }
    }
}
