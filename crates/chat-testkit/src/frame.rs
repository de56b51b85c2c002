//! WebSocket frames, encoded and decoded by hand (RFC 6455, section 5.2).

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};

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

/// The bit of the last frame of a message.
pub const FIN: u8 = 0x80;

/// The bit of the first frame of a compressed message (RFC 7692, section 6).
pub const RSV1: u8 = 0x40;

const MASK: [u8; 4] = [0x12, 0x34, 0x56, 0x78];

/// A masked frame with this first byte.
pub fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = header(first, payload.len() as u64);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// A masked frame that is a whole message or a control frame.
pub fn whole(opcode: u8, payload: &[u8]) -> Vec<u8> {
    masked(FIN | opcode, payload)
}

/// The header of a masked frame with this first byte and this payload length.
pub fn header(first: u8, length: u64) -> Vec<u8> {
    let mut frame = vec![first];
    match length {
        0..=125 => frame.push(0x80 | length as u8),
        126..=0xffff => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&(length as u16).to_be_bytes());
        }
        _ => {
            frame.push(0x80 | 127);
            frame.extend_from_slice(&length.to_be_bytes());
        }
    }
    frame.extend_from_slice(&MASK);
    frame
}

/// A message that is compressed on its own, as the payload of a frame with [`RSV1`].
pub fn deflated(payload: &[u8]) -> Vec<u8> {
    let mut deflated = Vec::with_capacity(payload.len() + 1_024);
    let mut compress = Compress::new(Compression::default(), false);
    compress.compress_vec(payload, &mut deflated, FlushCompress::Sync).expect("compressed");
    deflated.strip_suffix(&TAIL).expect("the end of a block").to_vec()
}

/// Decompresses such a payload.
pub(crate) fn inflated(payload: &[u8]) -> Vec<u8> {
    let whole = [payload, &TAIL].concat();
    let (mut inflated, mut decompress) = (Vec::with_capacity(4 << 20), Decompress::new(false));
    decompress.decompress_vec(&whole, &mut inflated, FlushDecompress::Sync).expect("a compressed message");
    assert_eq!(decompress.total_in(), whole.len() as u64);
    inflated
}

/// The end of a message's last block, which is not sent.
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// The first frame in bytes from a server: opcode and [`RSV1`], payload, and the length of the
/// frame. `None` if it is incomplete.
pub(crate) fn parse(bytes: &[u8]) -> Option<(u8, Vec<u8>, usize)> {
    let (&first, &second) = (bytes.first()?, bytes.get(1)?);
    assert_eq!(first & 0xb0, FIN, "a server of ours sends whole frames");
    assert_eq!(second & 0x80, 0, "a server does not mask");
    let (start, length) = match second {
        126 => (4, usize::from(u16::from_be_bytes(*bytes.get(2..4)?.first_chunk()?))),
        127 => (10, u64::from_be_bytes(*bytes.get(2..10)?.first_chunk()?) as usize),
        length => (2, usize::from(length)),
    };
    let payload = bytes.get(start..start + length)?;
    Some((first & !FIN, payload.to_vec(), start + length))
}
