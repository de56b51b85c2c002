//! WebSocket frames, as little of RFC 6455 as a client needs that reads a lot.

use std::ops::Range;

pub const TEXT: u8 = 0x1;
pub const CLOSE: u8 = 0x8;
pub const PING: u8 = 0x9;
pub const PONG: u8 = 0xa;

const FIN: u8 = 0x80;
const RSV1: u8 = 0x40;
const MASKED: u8 = 0x80;

/// Any will do on the way to a server that is under our own load.
const MASK: [u8; 4] = [0x3a, 0x91, 0xc4, 0x57];

/// A frame as it lies in what was read.
pub struct Frame {
    pub opcode: u8,
    /// Whether its message is compressed (RFC 7692, section 6).
    pub is_deflated: bool,
    pub payload: Range<usize>,
}

/// The frame that begins at `start`, if all of it is there. An error: these bytes are no frame of a server that sends whole messages, with no
/// extension but permessage-deflate.
pub fn parse(bytes: &[u8], start: usize) -> Result<Option<Frame>, &'static str> {
    let Some([first, second, rest @ ..]) = bytes.get(start..) else { return Ok(None) };
    if first & !RSV1 & 0xf0 != FIN {
        return Err("a fragment, or a reserved bit");
    }
    if second & MASKED != 0 {
        return Err("a masked frame");
    }
    let (header, length) = match second {
        126 => match rest.first_chunk() {
            Some(length) => (4, usize::from(u16::from_be_bytes(*length))),
            None => return Ok(None),
        },
        127 => match rest.first_chunk() {
            Some(length) => match usize::try_from(u64::from_be_bytes(*length)) {
                Ok(length) if length <= isize::MAX as usize => (10, length),
                _ => return Err("a frame of an impossible length"),
            },
            None => return Ok(None),
        },
        length => (2, usize::from(*length)),
    };
    let payload = start + header..start + header + length;
    let frame = Frame { opcode: first & 0x0f, is_deflated: first & RSV1 != 0, payload };
    Ok((frame.payload.end <= bytes.len()).then_some(frame))
}

/// Appends a client's frame.
pub fn put_masked(out: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    put_header(out, opcode, payload.len(), MASKED);
    out.extend_from_slice(&MASK);
    let start = out.len();
    out.extend_from_slice(payload);
    toggle_mask(&mut out[start..], MASK);
}

/// Appends a server's frame.
pub fn put(out: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    put_header(out, opcode, payload.len(), 0);
    out.extend_from_slice(payload);
}

/// Masks, or unmasks.
pub fn toggle_mask(payload: &mut [u8], mask: [u8; 4]) {
    payload.iter_mut().zip(mask.into_iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
}

fn put_header(out: &mut Vec<u8>, opcode: u8, length: usize, masked: u8) {
    out.push(FIN | opcode);
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(length @ 0..126), _) => out.push(masked | length),
        (_, Ok(length)) => {
            out.push(masked | 126);
            out.extend_from_slice(&length.to_be_bytes());
        }
        _ => {
            out.push(masked | 127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_is_parsed_and_half_of_it_is_not() {
        for length in [0, 1, 125, 126, 127, 65_535, 65_536, 200_000] {
            let payload = vec![b'x'; length];
            let mut bytes = b"before".to_vec();
            put(&mut bytes, TEXT, &payload);
            let frame = parse(&bytes, 6).unwrap().unwrap();
            assert_eq!((frame.opcode, &bytes[frame.payload.clone()]), (TEXT, &payload[..]));
            assert_eq!(frame.payload.end, bytes.len());
            for end in [6, 7, frame.payload.start - 1, bytes.len() - 1] {
                assert!(parse(&bytes[..end], 6).unwrap().is_none(), "{length} {end}");
            }
        }
    }

    #[test]
    fn what_no_server_sends_is_refused() {
        assert!(parse(&[0x01, 0], 0).is_err());
        assert!(parse(&[0xa1, 0], 0).is_err());
        assert!(parse(&[0xc1, 0], 0).unwrap().unwrap().is_deflated);
        assert!(parse(&[0x81, 0x80, 1, 2, 3, 4], 0).is_err());
        assert!(parse(&[0x81, 127, 255, 255, 255, 255, 255, 255, 255, 255], 0).is_err());
    }

    #[test]
    fn a_mask_is_its_own_inverse() {
        let mut bytes = Vec::new();
        put_masked(&mut bytes, TEXT, b"hello");
        assert_eq!(bytes[1], MASKED | 5);
        let mask = *bytes[2..].first_chunk().unwrap();
        toggle_mask(&mut bytes[6..], mask);
        assert_eq!(&bytes[6..], b"hello");
    }
}
