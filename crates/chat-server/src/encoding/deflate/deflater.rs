//! Compression of the server's messages.

use std::fmt;

use flate2::{Compress, Compression, FlushCompress, Status};
use parking_lot::Mutex;

use super::{TAIL, WINDOW_BITS};

/// Minimum length of a message to compress. Shorter ones gain little: most of what they cost is
/// framing and system overhead.
const MIN_BYTES: usize = 128;

/// Compression level. On chat messages a higher level takes up to a third longer and saves at most
/// a fiftieth more; a lower one saves half as much (docs/benchmarks.md).
const LEVEL: Compression = Compression::new(2);

/// How many idle compressors are kept, at about 260 KB each. Few tasks run at once, so new ones are
/// rarely created.
const MAX_IDLE: usize = 16;

/// Compresses messages. Shared by all connections.
#[derive(Default)]
pub(crate) struct Deflater {
    idle: Mutex<Vec<Compress>>,
}

impl Deflater {
    /// Compresses a message as the payload of a frame with RSV1 (RFC 7692, section 7.2.1). `None`
    /// if that is not shorter.
    pub(crate) fn deflate(&self, payload: &[u8]) -> Option<Vec<u8>> {
        if payload.len() < MIN_BYTES {
            return None;
        }
        let idle = self.idle.lock().pop();
        let mut compress = idle.unwrap_or_else(|| Compress::new_with_window_bits(LEVEL, false, WINDOW_BITS));
        // enough space for any output: on a reset, zlib-rs 0.6 loses track of output that was
        // waiting for space, and panics after some such messages
        let max = payload.len() + payload.len() / 4 + 64;
        let mut deflated = Vec::with_capacity(max);
        let status = compress.compress_vec(payload, &mut deflated, FlushCompress::Sync);
        if !matches!(status, Ok(Status::Ok)) || deflated.len() == deflated.capacity() {
            return None;
        }
        compress.reset();
        let mut idle = self.idle.lock();
        if idle.len() < MAX_IDLE {
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
