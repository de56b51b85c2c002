//! WebSocket frames, written and read by hand (RFC 6455, section 5.2), for tests and load tools.
//! Nothing here is shared with the server, so that both ends do not have the same fault.

use std::fmt;
use std::ops::Range;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

/// A continuation frame.
pub const CONTINUATION: u8 = 0x0;
/// A text frame.
pub const TEXT: u8 = 0x1;
/// A binary frame.
pub const BINARY: u8 = 0x2;
/// A close frame.
pub const CLOSE: u8 = 0x8;
/// A ping.
pub const PING: u8 = 0x9;
/// A pong.
pub const PONG: u8 = 0xa;

/// The bit of a message's last frame.
pub const FIN: u8 = 0x80;

/// The bit of a compressed message's first frame (RFC 7692, section 6).
pub const RSV1: u8 = 0x40;

/// The bit of a masked frame, in the second byte.
const MASKED: u8 = 0x80;

/// The mask of every frame that a client sends: a server under test needs no unpredictable one.
const MASK: [u8; 4] = [0x12, 0x34, 0x56, 0x78];

/// The end of a compressed message's last block, which is not sent (RFC 7692, section 7.2.1).
const DEFLATE_TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// A frame within the bytes that were read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The opcode.
    pub opcode: u8,
    /// Whether the message is compressed ([`RSV1`]).
    pub is_compressed: bool,
    /// The position of the payload in the buffer. The next frame begins at its end.
    pub payload: Range<usize>,
}

/// The bytes are not a frame that a server of this project sends: a whole message without a mask,
/// with no extension except permessage-deflate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameError(&'static str);

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for FrameError {}

/// Parses the server's frame that begins at `start`. `None` while the frame is incomplete.
///
/// # Errors
/// [`FrameError`] for bytes that no server sends.
#[inline]
pub fn parse(bytes: &[u8], start: usize) -> Result<Option<Frame>, FrameError> {
    let Some([first, second, ..]) = bytes.get(start..) else { return Ok(None) };
    if first & !RSV1 & 0xf0 != FIN {
        return Err(FrameError("a fragment, or a reserved bit"));
    }
    if second & MASKED != 0 {
        return Err(FrameError("a masked frame"));
    }
    let Some((header, length)) = lengths(bytes, start)? else { return Ok(None) };
    let payload = start + header..start + header + length;
    let frame = Frame { opcode: first & 0x0f, is_compressed: first & RSV1 != 0, payload };
    Ok((frame.payload.end <= bytes.len()).then_some(frame))
}

/// Parses the client's frame that begins at `start`, and removes the mask in place. `None` while
/// the frame is incomplete. The mask bit is not checked: the caller knows that a client wrote it.
///
/// # Errors
/// [`FrameError`] for a length that does not fit into memory.
pub fn parse_masked(bytes: &mut [u8], start: usize) -> Result<Option<Frame>, FrameError> {
    let Some((header, length)) = lengths(bytes, start)? else { return Ok(None) };
    let first = bytes[start];
    let payload = start + header + MASK.len()..start + header + MASK.len() + length;
    let Some(mask) = bytes.get(start + header..).and_then(<[u8]>::first_chunk).copied() else {
        return Ok(None);
    };
    let Some(masked) = bytes.get_mut(payload.clone()) else { return Ok(None) };
    apply_mask(masked, mask);
    Ok(Some(Frame { opcode: first & 0x0f, is_compressed: first & RSV1 != 0, payload }))
}

/// The lengths of the header, without the mask, and of the payload.
#[inline]
fn lengths(bytes: &[u8], start: usize) -> Result<Option<(usize, usize)>, FrameError> {
    let Some([_, second, rest @ ..]) = bytes.get(start..) else { return Ok(None) };
    Ok(match second & !MASKED {
        126 => rest.first_chunk().map(|length| (4, usize::from(u16::from_be_bytes(*length)))),
        127 => match rest.first_chunk().map(|length| usize::try_from(u64::from_be_bytes(*length))) {
            Some(Ok(length)) if length <= isize::MAX as usize => Some((10, length)),
            Some(_) => return Err(FrameError("a frame of an impossible length")),
            None => None,
        },
        length => Some((2, usize::from(length))),
    })
}

/// Appends a client's frame: a whole message, or a control frame.
pub fn write_masked(out: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    write_header(out, FIN | opcode, payload.len() as u64, MASKED);
    write_payload(out, payload);
}

/// Appends a server's frame: a whole message, or a control frame.
pub fn write_unmasked(out: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    write_header(out, FIN | opcode, payload.len() as u64, 0);
    out.extend_from_slice(payload);
}

/// A client's frame with this first byte.
pub fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(payload.len() + 14);
    write_header(&mut frame, first, payload.len() as u64, MASKED);
    write_payload(&mut frame, payload);
    frame
}

/// A client's frame that is a whole message, or a control frame.
pub fn whole(opcode: u8, payload: &[u8]) -> Vec<u8> {
    masked(FIN | opcode, payload)
}

/// The header of a client's frame with this first byte that announces `length` bytes.
pub fn header(first: u8, length: u64) -> Vec<u8> {
    let mut frame = Vec::new();
    write_header(&mut frame, first, length, MASKED);
    frame.extend_from_slice(&MASK);
    frame
}

fn write_header(out: &mut Vec<u8>, first: u8, length: u64, masked: u8) {
    out.push(first);
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(length @ 0..126), _) => out.push(masked | length),
        (_, Ok(length)) => {
            out.push(masked | 126);
            out.extend_from_slice(&length.to_be_bytes());
        }
        _ => {
            out.push(masked | 127);
            out.extend_from_slice(&length.to_be_bytes());
        }
    }
}

fn write_payload(out: &mut Vec<u8>, payload: &[u8]) {
    out.extend_from_slice(&MASK);
    let start = out.len();
    out.extend_from_slice(payload);
    apply_mask(&mut out[start..], MASK);
}

/// Masks a payload, or removes the mask.
fn apply_mask(payload: &mut [u8], mask: [u8; 4]) {
    payload.iter_mut().zip(mask.into_iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
}

/// A message compressed by itself, as the payload of a frame with [`RSV1`].
pub fn deflated(payload: &[u8]) -> Vec<u8> {
    let mut deflated = Vec::with_capacity(payload.len() + 1_024);
    let mut compress = Compress::new(Compression::default(), false);
    compress.compress_vec(payload, &mut deflated, FlushCompress::Sync).expect("compressed");
    deflated.strip_suffix(&DEFLATE_TAIL).expect("the end of a block").to_vec()
}

/// Decompresses messages, each by itself: with `server_no_context_takeover` (RFC 7692, section
/// 7.1.1.1).
pub struct Inflater {
    decompress: Decompress,
    deflated: Vec<u8>,
    inflated: Vec<u8>,
}

impl Default for Inflater {
    fn default() -> Self {
        Self { decompress: Decompress::new(false), deflated: Vec::new(), inflated: Vec::new() }
    }
}

impl fmt::Debug for Inflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflater").finish_non_exhaustive()
    }
}

impl Inflater {
    /// The message of a compressed payload, valid until the next call. `None` if the payload is
    /// not a compressed message. The size is not limited: the sender is a server under test.
    pub fn inflate(&mut self, payload: &[u8]) -> Option<&[u8]> {
        let Self { decompress, deflated, inflated } = self;
        deflated.clear();
        deflated.extend_from_slice(payload);
        deflated.extend_from_slice(&DEFLATE_TAIL);
        inflated.clear();
        decompress.reset(false);
        loop {
            inflated.reserve(4 * deflated.len());
            let taken = usize::try_from(decompress.total_in()).unwrap_or(usize::MAX).min(deflated.len());
            match decompress.decompress_vec(&deflated[taken..], inflated, FlushDecompress::Sync) {
                Ok(Status::Ok | Status::BufError) if inflated.len() == inflated.capacity() => {}
                Ok(Status::Ok | Status::BufError) => {
                    return (decompress.total_in() == deflated.len() as u64).then_some(inflated);
                }
                Ok(Status::StreamEnd) | Err(_) => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complete_frames_are_parsed_and_incomplete_ones_are_not() {
        for length in [0, 1, 125, 126, 127, 65_535, 65_536, 200_000] {
            let payload = vec![b'x'; length];
            let mut bytes = b"before".to_vec();
            write_unmasked(&mut bytes, TEXT, &payload);
            let frame = parse(&bytes, 6).unwrap().unwrap();
            assert_eq!((frame.opcode, &bytes[frame.payload.clone()]), (TEXT, &payload[..]));
            assert_eq!(frame.payload.end, bytes.len());
            for end in [6, 7, frame.payload.start - 1, bytes.len() - 1] {
                assert!(parse(&bytes[..end], 6).unwrap().is_none(), "{length} {end}");
            }
        }
    }

    #[test]
    fn masked_frames_are_unmasked_when_complete() {
        for length in [0, 1, 125, 126, 65_535, 65_536] {
            let payload = vec![b'x'; length];
            let mut bytes = b"before".to_vec();
            write_masked(&mut bytes, TEXT, &payload);
            assert_eq!(bytes[6..], whole(TEXT, &payload));
            for end in [6, 7, bytes.len() - 1] {
                assert!(parse_masked(&mut bytes[..end].to_vec(), 6).unwrap().is_none(), "{length} {end}");
            }
            let frame = parse_masked(&mut bytes, 6).unwrap().unwrap();
            assert_eq!((frame.opcode, &bytes[frame.payload]), (TEXT, &payload[..]));
        }
    }

    #[test]
    fn frames_that_no_server_sends_are_refused() {
        assert!(parse(&[0x01, 0], 0).is_err());
        assert!(parse(&[0xa1, 0], 0).is_err());
        assert!(parse(&[0xc1, 0], 0).unwrap().unwrap().is_compressed);
        assert!(parse(&[0x81, 0x80, 1, 2, 3, 4], 0).is_err());
        assert!(parse(&[0x81, 127, 255, 255, 255, 255, 255, 255, 255, 255], 0).is_err());
    }

    #[test]
    fn a_mask_is_its_own_inverse() {
        let mut bytes = Vec::new();
        write_masked(&mut bytes, TEXT, b"hello");
        assert_eq!(bytes[1], MASKED | 5);
        let mask = *bytes[2..].first_chunk().unwrap();
        apply_mask(&mut bytes[6..], mask);
        assert_eq!(&bytes[6..], b"hello");
    }

    #[test]
    fn a_compressed_message_is_inflated() {
        let mut inflater = Inflater::default();
        for length in [0, 5, 200_000] {
            let message = vec![b'x'; length];
            assert_eq!(inflater.inflate(&deflated(&message)), Some(&message[..]));
        }
        assert_eq!(inflater.inflate(&[0xff, 0xff]), None);
    }
}
