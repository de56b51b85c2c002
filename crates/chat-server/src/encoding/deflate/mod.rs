//! Compressed messages: the WebSocket extension `permessage-deflate` (RFC 7692).
//!
//! Neither side uses earlier messages to compress a message (`no_context_takeover`, section 7.1.1).
//! One compressed frame therefore serves every member of a room that uses compression, and a
//! connection keeps no compression state between messages.

mod deflater;
mod inflate;
mod offer;

pub(crate) use deflater::Deflater;
pub(crate) use inflate::{InflateError, inflate};
pub(crate) use offer::accept;

/// Window size as a power of two. Some clients request as little as 4 KiB, and all of them share
/// the same frame.
const WINDOW_BITS: u8 = 12;

/// The end of a message's last block, which is not transmitted (section 7.2.1).
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn deflated(payload: &[u8]) -> Option<Vec<u8>> {
        Deflater::default().deflate(payload)
    }

    #[test]
    fn repetitive_data_gets_shorter() {
        let payload =
            br#"{"type":"message","body":"the same over and over, the same over and over"}"#.repeat(4);
        let deflated = deflated(&payload).unwrap();
        assert!(deflated.len() < payload.len() / 3, "{}", deflated.len());
        assert_eq!(inflate(&deflated, payload.len()).unwrap(), payload);
    }

    #[test]
    fn data_that_would_get_longer_is_not_compressed() {
        assert_eq!(deflated(b""), None);
        assert_eq!(deflated(b"short"), None);
        let noise: Vec<u8> =
            (0..10_000_u32).flat_map(|i| i.wrapping_mul(0x9e37_79b9).to_be_bytes()).collect();
        assert_eq!(deflated(&noise), None);
    }

    #[test]
    fn a_used_deflater_works_like_a_new_one() {
        let deflater = Deflater::default();
        let payload = b"what was said before must not be needed to read it ".repeat(3);
        let first = deflater.deflate(&payload).unwrap();
        assert_eq!(deflater.deflate(&payload).unwrap(), first);
    }

    /// Incompressible bytes.
    fn noise(seed: u32, length: usize) -> Vec<u8> {
        let mut state = seed.wrapping_mul(2_654_435_761) | 1;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state as u8
        };
        (0..length).map(|_| next()).collect()
    }

    #[test]
    fn a_deflater_survives_many_incompressible_messages() {
        let deflater = Deflater::default();
        for i in 0..1_000 {
            assert_eq!(deflater.deflate(&noise(i, 200 + i as usize % 400)), None);
        }
        let page = br#"{"type":"message","from":"ana","body":"what is said over and over"},"#.repeat(10_000);
        assert_eq!(inflate(&deflater.deflate(&page).unwrap(), page.len()).unwrap(), page);
    }

    proptest! {
        #[test]
        fn compressed_messages_are_restored(words in prop::collection::vec("[a-e]{1,8}|é|\\PC{0,3}", 0..2_000)) {
            let payload = words.join(" ").into_bytes();
            if let Some(deflated) = deflated(&payload) {
                prop_assert!(deflated.len() < payload.len());
                prop_assert_eq!(&inflate(&deflated, payload.len()).unwrap(), &payload);
                prop_assert!(matches!(inflate(&deflated, payload.len() - 1), Err(InflateError::TooBig)));
            }
        }

        #[test]
        fn any_input_is_handled_within_the_limit(bytes in prop::collection::vec(any::<u8>(), 0..500), max in 0..2_000_usize) {
            if let Ok(inflated) = inflate(&bytes, max) {
                prop_assert!(inflated.len() <= max);
            }
        }
    }
}
