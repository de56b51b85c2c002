//! The backlog of a socket, as plain state without a lock or a task.

use std::collections::VecDeque;
use std::io::IoSlice;

use chat_rooms::Frames;

/// The maximum number of pieces in one write.
pub(crate) const MAX_PIECES: usize = 16;

/// Queued frames, and how much of them has been written.
///
/// Control frames (pings and pongs) overtake queued frames, but never land inside another frame. An
/// empty backlog holds no heap memory.
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    /// In the order in which they are written.
    queue: VecDeque<Frames>,
    /// The number of bytes written of the first element of `queue`.
    written: usize,
    /// Whole control frames, one after another.
    control: Vec<u8>,
    /// The number of bytes written of `control`. Once it is not 0, the rest of `control` comes
    /// before everything else.
    control_written: usize,
    /// The number of frames in `queue`, including partially written ones. Replies do not count.
    frames: usize,
    /// The number of unwritten bytes in `queue`. Those of replies do not count.
    bytes: usize,
    /// The number of unwritten bytes of replies in `queue`.
    reply_bytes: usize,
}

impl Backlog {
    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty() && self.control.is_empty()
    }

    /// The number of queued frames, except control frames and replies.
    pub(crate) fn frames(&self) -> usize {
        self.frames
    }

    /// The number of queued bytes, except those of control frames and replies.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The number of queued bytes of replies.
    pub(crate) fn reply_bytes(&self) -> usize {
        self.reply_bytes
    }

    /// The number of queued bytes of control frames.
    pub(crate) fn control_bytes(&self) -> usize {
        self.control.len() - self.control_written
    }

    /// Adds frames of which the first `written` bytes are written already. That may be more than 0
    /// only if the backlog is empty.
    pub(crate) fn push(&mut self, frames: Frames, written: usize) {
        debug_assert!(written == 0 || self.is_empty());
        let bytes = frames.as_bytes().len();
        if written == bytes {
            return;
        }
        if written > 0 {
            self.written = written;
        }
        if frames.is_reply() {
            self.reply_bytes += bytes - written;
        } else {
            self.frames += frames.count();
            self.bytes += bytes - written;
        }
        self.queue.push_back(frames);
    }

    /// Adds whole control frames of which the first `written` bytes are written already. That may
    /// be more than 0 only if the backlog is empty.
    pub(crate) fn push_control(&mut self, frames: &[u8], written: usize) {
        debug_assert!(written == 0 || self.is_empty());
        if written == frames.len() {
            return;
        }
        self.control.extend_from_slice(frames);
        self.control_written += written;
    }

    /// Puts back frames of which `written` bytes are written.
    fn put_back(&mut self, frames: Frames, written: usize) {
        self.push(frames, 0);
        self.advance_queue(written);
    }

    /// Discards everything except a partially written frame.
    pub(crate) fn discard(&mut self) {
        if self.control_written > 0 {
            // a control frame is partially written: the frames after it in the same buffer are
            // short, and are kept with it
            self.queue.clear();
            self.written = 0;
        } else {
            self.control = Vec::new();
            self.queue.truncate(1);
            if let Some(first) = self.queue.pop_front() {
                self.put_back_partial(&first);
            }
        }
        (self.frames, self.bytes, self.reply_bytes) = (0, 0, 0);
        // at most one frame is left
        if let Some(partial) = self.queue.pop_front() {
            let written = std::mem::take(&mut self.written);
            self.put_back(partial, written);
        }
        self.release();
    }

    /// Puts back the partially written frame of `first`, if there is one.
    fn put_back_partial(&mut self, first: &Frames) {
        let end = first.frame_end(self.written);
        if end == self.written {
            self.written = 0;
            return;
        }
        let last = (0..first.count()).find(|frame| first.slice(0..frame + 1).as_bytes().len() == end);
        let partial = last.unwrap_or_default();
        self.written -= first.slice(0..partial).as_bytes().len();
        self.queue.push_back(first.slice(partial..partial + 1));
    }

    /// Fills `pieces` with the bytes to write next, in order, and returns the number of pieces.
    pub(crate) fn next<'a>(&'a self, pieces: &mut [IoSlice<'a>; MAX_PIECES]) -> usize {
        let mut count = 0;
        let mut add = |bytes: &'a [u8]| {
            if !bytes.is_empty() && count < MAX_PIECES {
                pieces[count] = IoSlice::new(bytes);
                count += 1;
            }
        };
        let (partial, rest) = self.first_split();
        if self.control_written > 0 {
            add(&self.control[self.control_written..]);
            add(partial);
        } else {
            add(partial);
            add(&self.control);
        }
        add(rest);
        self.queue.iter().skip(1).take(MAX_PIECES).for_each(|frames| add(frames.as_bytes()));
        count
    }

    /// The unwritten part of the first element of `queue`: the rest of a partially written frame,
    /// and the frames after it.
    fn first_split(&self) -> (&[u8], &[u8]) {
        let Some(first) = self.queue.front() else {
            return (&[], &[]);
        };
        let end = first.frame_end(self.written);
        let bytes = first.as_bytes();
        (&bytes[self.written..end], &bytes[end..])
    }

    /// Records that the first `count` bytes returned by [`next`](Self::next) were written.
    pub(crate) fn advance(&mut self, mut count: usize) {
        if self.control_written == 0 {
            let partial = self.first_split().0.len().min(count);
            self.advance_queue(partial);
            count -= partial;
        }
        let control = self.control_bytes().min(count);
        self.control_written += control;
        count -= control;
        if self.control_written == self.control.len() {
            self.control.clear();
            self.control_written = 0;
        }
        self.advance_queue(count);
        self.release();
    }

    fn advance_queue(&mut self, mut count: usize) {
        while let Some(first) = self.queue.front() {
            let unwritten = first.as_bytes().len() - self.written;
            let taken = count.min(unwritten);
            if first.is_reply() {
                self.reply_bytes -= taken;
            } else {
                self.bytes -= taken;
            }
            if taken < unwritten {
                self.written += taken;
                return;
            }
            count -= unwritten;
            self.written = 0;
            if !first.is_reply() {
                self.frames -= first.count();
            }
            self.queue.pop_front();
        }
    }

    /// Frees the memory of what is empty.
    fn release(&mut self) {
        if self.queue.is_empty() {
            self.queue = VecDeque::new();
        }
        if self.control.is_empty() {
            self.control = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A frame that can be recognized: its kind, its number, filler up to its length, and an end
    /// mark.
    fn frame(kind: u8, number: usize, length: usize) -> Vec<u8> {
        let mut bytes = vec![kind];
        bytes.extend_from_slice(&u16::try_from(number).unwrap().to_be_bytes());
        bytes.resize(length.max(4) - 1, b'.');
        bytes.push(b'|');
        bytes
    }

    #[derive(Debug, Clone)]
    enum Step {
        /// Frames of these lengths in one buffer, as a reply or not.
        Push(Vec<usize>, bool),
        /// A control frame of this length.
        Control(usize),
        /// The socket accepts this many bytes.
        Write(usize),
        /// Everything except a partially written frame is discarded.
        Discard,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            4 => (prop::collection::vec(4..40_usize, 1..6), any::<bool>())
                .prop_map(|(lengths, is_reply)| Step::Push(lengths, is_reply)),
            2 => (4..12_usize).prop_map(Step::Control),
            6 => (0..70_usize).prop_map(Step::Write),
            1 => Just(Step::Discard),
        ];
        prop::collection::vec(step, 1..60)
    }

    /// Splits the written bytes into the frames that were created, or fails.
    fn cut(mut bytes: &[u8], created: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let mut frames = Vec::new();
        while !bytes.is_empty() {
            let frame = created.iter().find(|frame| bytes.starts_with(frame)).expect("a whole frame");
            frames.push(frame.clone());
            bytes = &bytes[frame.len()..];
        }
        frames
    }

    fn write(backlog: &mut Backlog, wire: &mut Vec<u8>, max: usize) {
        let mut pieces = [IoSlice::new(&[]); MAX_PIECES];
        let count = backlog.next(&mut pieces);
        let offered: Vec<u8> = pieces[..count].iter().flat_map(|piece| piece.to_vec()).collect();
        let taken = max.min(offered.len());
        wire.extend_from_slice(&offered[..taken]);
        backlog.advance(taken);
    }

    proptest! {
        /// Whatever the socket accepts and when: only whole frames are written, each kind in its
        /// order, none twice, none missing unless it was discarded, and the counters match the
        /// queue.
        #[test]
        fn frames_stay_whole_and_in_order(steps in steps()) {
            let mut backlog = Backlog::default();
            let (mut created, mut wire, mut discarded) = (Vec::new(), Vec::new(), false);
            for step in steps {
                match step {
                    Step::Push(lengths, is_reply) => {
                        let (mut bytes, mut ends) = (Vec::new(), Vec::new());
                        for length in lengths {
                            let frame = frame(b'd', created.len(), length);
                            bytes.extend_from_slice(&frame);
                            ends.push(bytes.len());
                            created.push(frame);
                        }
                        let frames = Frames::new(bytes, ends);
                        backlog.push(if is_reply { frames.as_reply() } else { frames }, 0);
                    }
                    Step::Control(length) => {
                        let frame = frame(b'c', created.len(), length);
                        backlog.push_control(&frame, 0);
                        created.push(frame);
                    }
                    Step::Write(max) => write(&mut backlog, &mut wire, max),
                    Step::Discard => {
                        backlog.discard();
                        discarded = true;
                        prop_assert!(backlog.bytes() + backlog.control_bytes() < 40 + 12 * created.len());
                        prop_assert!(backlog.frames() <= 1);
                    }
                }
                let waiting: usize = backlog.queue.iter().map(|frames| frames.as_bytes().len()).sum();
                prop_assert_eq!(backlog.bytes() + backlog.reply_bytes(), waiting - backlog.written);
                let counted = backlog.queue.iter().filter(|frames| !frames.is_reply());
                prop_assert_eq!(backlog.frames(), counted.clone().map(Frames::count).sum::<usize>());
                let whole = counted.map(|frames| frames.as_bytes().len()).sum::<usize>();
                prop_assert!(backlog.bytes() <= whole && backlog.bytes() + backlog.written >= whole);
            }
            while !backlog.is_empty() {
                write(&mut backlog, &mut wire, 7);
            }
            prop_assert_eq!(backlog.queue.capacity() + backlog.control.capacity(), 0);

            let got = cut(&wire, &created);
            for kind in [b'd', b'c'] {
                let of_kind = |frames: &[Vec<u8>]| frames.iter().filter(|f| f[0] == kind).cloned().collect::<Vec<_>>();
                let (got, created) = (of_kind(&got), of_kind(&created));
                prop_assert!(got.is_sorted_by_key(|frame| frame[1..3].to_vec()));
                if !discarded {
                    prop_assert_eq!(got, created);
                }
            }
        }
    }
}
