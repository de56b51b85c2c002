//! The beginning of a message's text: when the message was due, its publisher, and its number.

use super::text;

/// The number of digits of a stamp.
const LENGTH: usize = 16 + 4 + 8;

/// The identity of one message of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// When the message was due, in nanoseconds since the run started.
    pub due: u64,
    /// The number of the publisher in its room.
    pub publisher: u16,
    /// The number of the message among those of its publisher, from 0.
    pub count: u32,
}

impl Stamp {
    /// Appends a text of `size` bytes that begins with the stamp. It is longer if the stamp is.
    pub fn write(self, size: usize, out: &mut Vec<u8>) {
        let Self { due, publisher, count } = self;
        for (value, digits) in [(due, 16), (u64::from(publisher), 4), (u64::from(count), 8)] {
            for digit in (0..digits).rev() {
                out.push(b"0123456789abcdef"[(value >> (4 * digit)) as usize & 0xf]);
            }
        }
        text::write(count as usize, size.saturating_sub(LENGTH), out);
    }

    /// The stamp at the beginning of a text. `None` if the text has none.
    pub fn read(text: &[u8]) -> Option<Self> {
        let digits = text.get(..LENGTH)?;
        let (due, rest) = digits.split_at(16);
        let (publisher, count) = rest.split_at(4);
        Some(Self {
            due: number(due)?,
            publisher: u16::try_from(number(publisher)?).ok()?,
            count: u32::try_from(number(count)?).ok()?,
        })
    }
}

fn number(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0, |number, digit| {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u64::from(value))
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_written_stamp_is_read_back() {
        for stamp in [
            Stamp { due: 0, publisher: 0, count: 0 },
            Stamp { due: u64::MAX, publisher: u16::MAX, count: u32::MAX },
            Stamp { due: 0x0123_4567_89ab_cdef, publisher: 7, count: 1_000 },
        ] {
            for size in [0, LENGTH, 128] {
                let mut text = Vec::new();
                stamp.write(size, &mut text);
                assert_eq!(text.len(), size.max(LENGTH));
                assert_eq!(Stamp::read(&text), Some(stamp));
            }
        }
        assert_eq!(Stamp::read(b"hello"), None);
        assert_eq!(Stamp::read(&[b'x'; 40]), None);
    }
}
