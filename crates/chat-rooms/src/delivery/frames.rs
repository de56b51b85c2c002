//! Encoded events, shared by everyone who gets them.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use crate::delivery::budget::{BacklogBudget, Charge};

/// Some frames lying one behind the other in one shared buffer. A clone shares it, a slice too.
#[derive(Clone)]
pub struct Frames {
    buffer: Arc<Buffer>,
    /// The first frame of the buffer that is meant.
    first: usize,
    /// The frame behind the last that is meant.
    end: usize,
    /// Whether their reader has asked for them.
    is_reply: bool,
}

struct Buffer {
    bytes: Vec<u8>,
    /// Where each frame ends in `bytes`, ascending.
    ends: Vec<usize>,
    /// Counts it once somebody has to wait for it.
    charge: OnceLock<Charge>,
}

impl Frames {
    /// One frame.
    pub fn one(bytes: Vec<u8>) -> Self {
        let ends = vec![bytes.len()];
        Self::new(bytes, ends)
    }

    /// Frames one after another. `ends` are the positions in `bytes` at which they end, ascending; the last one is the length of `bytes`.
    ///
    /// # Panics
    /// In debug builds, if `ends` is not as described.
    pub fn new(bytes: Vec<u8>, ends: Vec<usize>) -> Self {
        debug_assert!(ends.is_sorted() && ends.last().copied().unwrap_or(0) == bytes.len());
        let end = ends.len();
        Self {
            buffer: Arc::new(Buffer { bytes, ends, charge: OnceLock::new() }),
            first: 0,
            end,
            is_reply: false,
        }
    }

    /// The same as an answer that their reader has asked for, which is not held against it while it waits.
    #[must_use]
    pub fn as_reply(self) -> Self {
        Self { is_reply: true, ..self }
    }

    /// Whether their reader has asked for them.
    pub fn is_reply(&self) -> bool {
        self.is_reply
    }

    /// A range of these frames, in the same buffer.
    ///
    /// # Panics
    /// In debug builds, if the range is not within `0..count()`.
    #[must_use]
    pub fn slice(&self, range: Range<usize>) -> Self {
        debug_assert!(range.start <= range.end && range.end <= self.count());
        Self {
            buffer: Arc::clone(&self.buffer),
            first: self.first + range.start,
            end: self.first + range.end,
            is_reply: self.is_reply,
        }
    }

    /// Counts the buffer in a budget for as long as there is a clone of it. Counted once, and in one budget.
    pub fn charge(&self, budget: &Arc<BacklogBudget>) {
        self.buffer.charge.get_or_init(|| Charge::new(budget, self.buffer.bytes.len()));
    }

    /// How many frames these are.
    pub fn count(&self) -> usize {
        self.end - self.first
    }

    /// The frames' bytes, one frame behind the other.
    pub fn as_bytes(&self) -> &[u8] {
        &self.buffer.bytes[self.byte(self.first)..self.byte(self.end)]
    }

    /// The end of the frame in which byte `offset` of [`as_bytes`](Self::as_bytes) lies; `offset` itself where a frame
    /// begins there.
    pub fn frame_end(&self, offset: usize) -> usize {
        let base = self.byte(self.first);
        let ends = &self.buffer.ends[self.first..self.end];
        match ends.binary_search(&(base + offset)) {
            Ok(_) => offset,
            Err(0) if offset == 0 => 0,
            Err(frame) => ends.get(frame).map_or(offset, |end| end - base),
        }
    }

    /// Where a frame of the buffer begins.
    fn byte(&self, frame: usize) -> usize {
        frame.checked_sub(1).map_or(0, |before| self.buffer.ends[before])
    }
}

impl fmt::Debug for Frames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frames").field("count", &self.count()).field("bytes", &self.as_bytes().len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_share_the_buffer_and_know_their_frames() {
        let all = Frames::new(b"aabbbc".to_vec(), vec![2, 5, 6]);
        let rest = all.slice(1..3);
        assert_eq!((rest.as_bytes(), rest.count()), (&b"bbbc"[..], 2));
        assert_eq!((0..=4).map(|offset| rest.frame_end(offset)).collect::<Vec<_>>(), [0, 3, 3, 3, 4]);
        assert_eq!((0..=6).map(|offset| all.frame_end(offset)).collect::<Vec<_>>(), [0, 2, 2, 5, 5, 5, 6]);
        assert_eq!(rest.slice(1..1).as_bytes(), b"");
    }
}
