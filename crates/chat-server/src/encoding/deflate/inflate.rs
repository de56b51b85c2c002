//! Decompression of a client's messages.

use flate2::{Decompress, FlushDecompress, Status};

use super::TAIL;

/// Initial capacity, as a multiple of the compressed length. It grows as needed.
const CAPACITY_FACTOR: usize = 4;

/// An empty final block. It is read as one only if the data before it is complete.
const FINAL_BLOCK: [u8; 5] = [0x01, 0x00, 0x00, 0xff, 0xff];

/// Allowed overhead in bytes. A message whose compressed form is longer than twice its text plus
/// this was made to waste time: no compressor writes that.
const MAX_OVERHEAD: usize = 1024;

/// Why a message cannot be decompressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InflateError {
    /// It is longer than allowed.
    #[error("the message is too long")]
    TooBig,
    /// It is not valid compressed data.
    #[error("not a valid compressed message")]
    Garbled,
}

/// Decompresses a message (RFC 7692, section 7.2.2) of at most `max` bytes. Never allocates for
/// more than that, however much the data would expand to.
pub(crate) fn inflate(deflated: &[u8], max: usize) -> Result<Vec<u8>, InflateError> {
    let input = [deflated, &TAIL, &FINAL_BLOCK].concat();
    let mut rest = &input[..];
    let mut decompress = Decompress::new(false);
    // one byte over the limit proves that the message is too big
    let max_capacity = max.saturating_add(1);
    let mut inflated = Vec::with_capacity(rest.len().saturating_mul(CAPACITY_FACTOR).min(max_capacity));
    loop {
        let before = decompress.total_in();
        let status = decompress.decompress_vec(rest, &mut inflated, FlushDecompress::Sync);
        let status = status.map_err(|_| InflateError::Garbled)?;
        // never more than there was
        let consumed = usize::try_from(decompress.total_in() - before).unwrap_or(rest.len());
        rest = &rest[consumed..];
        if inflated.len() > max {
            return Err(InflateError::TooBig);
        }
        match status {
            Status::StreamEnd if rest.is_empty() => break,
            // a message may continue after a block marked as final (section 7.2.3.4)
            Status::StreamEnd => decompress.reset(false),
            Status::Ok | Status::BufError if inflated.len() == inflated.capacity() => {
                inflated.reserve_exact(inflated.len().max(64).min(max_capacity - inflated.len()));
            }
            Status::Ok if !rest.is_empty() => {}
            // the data is truncated, or makes no progress
            Status::Ok | Status::BufError => return Err(InflateError::Garbled),
        }
    }
    if deflated.len() > 2 * inflated.len() + MAX_OVERHEAD {
        return Err(InflateError::Garbled);
    }
    Ok(inflated)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_rfc_are_decompressed() {
        // RFC 7692, sections 7.2.3.1 to 7.2.3.5
        for deflated in [
            &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00][..],
            &[0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00],
            &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00],
            &[0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00],
        ] {
            assert_eq!(inflate(deflated, 5).unwrap(), b"Hello");
            assert_eq!(inflate(deflated, 4), Err(InflateError::TooBig));
        }
        // an empty message, section 7.2.3.6
        assert_eq!(inflate(&[0x00], 0).unwrap(), b"");
    }

    #[test]
    fn invalid_data_is_an_error() {
        // a block of a reserved type
        assert_eq!(inflate(&[0x06, 0xff], 100), Err(InflateError::Garbled));
        // data cut off at every position, including at the start
        let hello = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
        assert!((0..hello.len()).all(|end| inflate(&hello[..end], 100) == Err(InflateError::Garbled)));
        // an endless series of empty blocks
        assert_eq!(inflate(&[0x03, 0x00].repeat(1_000), 100), Err(InflateError::Garbled));
        // a stored block whose length does not match its complement
        assert_eq!(inflate(&[0x00, 0x05, 0x00, 0x00, 0x00, 0x48], 100), Err(InflateError::Garbled));
    }
}
