//! The server's own messages, compressed.

use std::fmt;

use flate2::{Compress, Compression, FlushCompress, Status};
use parking_lot::Mutex;

use super::{TAIL, WINDOW_BITS};

/// Shorter ones gain little, and most of their bytes are their frame's and the system's anyway.
const WORTH_IT: usize = 128;

/// How hard it is tried: on what is said in a chat more takes up to a third longer and saves a fiftieth at most; less saves half as much
/// (docs/benchmarks.md).
const LEVEL: Compression = Compression::new(2);

/// How many compressors are kept for later, some 260 KB each. Only so many tasks run at once that one is seldom made anew.
const KEPT: usize = 16;

/// Compresses messages. Shared by all who write any.
#[derive(Default)]
pub(crate) struct Deflater {
    idle: Mutex<Vec<Compress>>,
}

impl Deflater {
    /// The message compressed, as a frame with RSV1 carries it (RFC 7692, section 7.2.1); none where that is no shorter.
    pub(crate) fn deflate(&self, payload: &[u8]) -> Option<Vec<u8>> {
        if payload.len() < WORTH_IT {
            return None;
        }
        let idle = self.idle.lock().pop();
        let mut compress = idle.unwrap_or_else(|| Compress::new_with_window_bits(LEVEL, false, WINDOW_BITS));
        // room for whatever may come out: zlib-rs 0.6 forgets on a reset that something waited for room, and panics after some such messages
        let most = payload.len() + payload.len() / 4 + 64;
        let mut deflated = Vec::with_capacity(most);
        let status = compress.compress_vec(payload, &mut deflated, FlushCompress::Sync);
        if !matches!(status, Ok(Status::Ok)) || deflated.len() == deflated.capacity() {
            return None;
        }
        compress.reset();
        let mut idle = self.idle.lock();
        if idle.len() < KEPT {
            idle.push(compress);
        }
        drop(idle);
        let length = deflated.strip_suffix(&TAIL)?.len();
        deflated.truncate(length);
        (length < payload.len()).then_some(deflated)
    }
}

impl fmt::Debug for Deflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deflater").field("idle", &self.idle.lock().len()).finish()
    }
}
