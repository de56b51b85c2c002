//! Compressed messages, as the server sends them: each by itself (RFC 7692, section 7.2.2, with `server_no_context_takeover`).

use flate2::{Decompress, FlushDecompress, Status};

use super::Ended;

/// What a message's last block ends with, and what is not sent.
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

pub(super) struct Inflater {
    decompress: Decompress,
    deflated: Vec<u8>,
    inflated: Vec<u8>,
}

impl Default for Inflater {
    fn default() -> Self {
        Self { decompress: Decompress::new(false), deflated: Vec::new(), inflated: Vec::new() }
    }
}

impl Inflater {
    /// A message as it was.
    pub(super) fn inflate(&mut self, payload: &[u8]) -> Result<&[u8], Ended> {
        let Self { decompress, deflated, inflated } = self;
        deflated.clear();
        deflated.extend_from_slice(payload);
        deflated.extend_from_slice(&TAIL);
        inflated.clear();
        decompress.reset(false);
        loop {
            // a server sends no bombs
            inflated.reserve(4 * deflated.len());
            let taken = usize::try_from(decompress.total_in()).unwrap_or(usize::MAX).min(deflated.len());
            match decompress.decompress_vec(&deflated[taken..], inflated, FlushDecompress::Sync) {
                Ok(Status::Ok | Status::BufError) if inflated.len() == inflated.capacity() => {}
                Ok(Status::Ok | Status::BufError) => return Ok(inflated),
                Ok(Status::StreamEnd) | Err(_) => {
                    return Err(Ended::Fault("a compressed message cannot be decompressed"));
                }
            }
        }
    }
}
