//! Encoded events, shared by all members that receive them.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use crate::delivery::budget::{BacklogBudget, Charge};

/// Consecutive frames in a shared buffer.
///
/// Cloning and slicing are cheap: a clone and a slice share the buffer.
#[derive(Clone)]
pub struct Frames {
    buffer: Arc<Buffer>,
    /// The first frame of the buffer that belongs to this value.
    first: usize,
    /// The frame after the last one that belongs to this value.
    end: usize,
    /// Whether the reader requested the frames.
    is_reply: bool,
}

struct Buffer {
    bytes: Vec<u8>,
    /// The offset in `bytes` at which each frame ends, ascending.
    ends: Vec<usize>,
    /// Counts the buffer in a budget once it is in a backlog.
    charge: OnceLock<Charge>,
}

impl Frames {
    /// Creates a single frame.
    pub fn one(bytes: Vec<u8>) -> Self {
        let ends = vec![bytes.len()];
        Self::new(bytes, ends)
    }

    /// Creates consecutive frames. `ends` are the offsets in `bytes` at which the frames end, in
    /// ascending order; the last one is the length of `bytes`.
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

    /// Marks the frames as a reply that the reader requested. A reply does not count against the
    /// reader's limits while it is queued.
    #[must_use]
    pub fn as_reply(self) -> Self {
        Self { is_reply: true, ..self }
    }

    /// Returns whether the frames are a reply that the reader requested.
    pub fn is_reply(&self) -> bool {
        self.is_reply
    }

    /// Returns a range of these frames, in the same buffer.
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

    /// Counts the buffer in a budget until its last clone is dropped. Only the first call has an
    /// effect: a buffer is counted once, and in one budget.
    pub fn charge(&self, budget: &Arc<BacklogBudget>) {
        self.buffer.charge.get_or_init(|| Charge::new(budget, self.buffer.bytes.len()));
    }

    /// Returns the number of frames.
    pub fn count(&self) -> usize {
        self.end - self.first
    }

    /// Returns the bytes of the frames, one frame after another.
    pub fn as_bytes(&self) -> &[u8] {
        &self.buffer.bytes[self.byte(self.first)..self.byte(self.end)]
    }

    /// Returns the end of the frame that contains byte `offset` of [`as_bytes`](Self::as_bytes), or
    /// `offset` itself if a frame begins there.
    pub fn frame_end(&self, offset: usize) -> usize {
        let base = self.byte(self.first);
        let ends = &self.buffer.ends[self.first..self.end];
        match ends.binary_search(&(base + offset)) {
            Ok(_) => offset,
            Err(0) if offset == 0 => 0,
            Err(frame) => ends.get(frame).map_or(offset, |end| end - base),
        }
    }

    /// The offset at which a frame of the buffer begins.
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
