//! Tracks the frames in a client's bytes, without looking at their payloads.

use std::io::Cursor;

use chat_protocol::CloseCode;
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Control, Data, OpCode};

/// The rate limit counts a frame once more for every this many bytes that it announces: the cost of
/// storing, rendering and delivering it grows with its size.
const FRAME_BYTES: u64 = 4 * 1024;

/// Tracks the position in a stream of frames. The WebSocket library does not expose it. It is
/// needed for the deadline of a message, and to hand out bytes frame by frame, so that the
/// library's buffer holds nothing of the next frame when it is released.
#[derive(Debug, Default)]
pub(crate) struct Scanner {
    /// How many bytes of the current frame are still to come.
    frame_left: u64,
    /// Whether the current frame ends its message.
    ends_message: bool,
    /// Whether a message is incomplete.
    in_message: bool,
    /// Announced size of the current message, up to and including the current frame.
    message_bytes: u64,
    /// How many frames have begun since the count was last taken; a large frame counts as several.
    frames: u32,
    /// Whether a fragmented binary message has begun.
    is_binary: bool,
    /// Whether something that is not a frame was found. From then on all bytes are handed out.
    lost: bool,
}

/// Bytes that belong to the current frame.
#[derive(Debug)]
pub(crate) struct Piece {
    /// How many bytes these are. 0 means that they are an incomplete header, and more are needed.
    pub(crate) count: usize,
    /// The header of the frame and its length, if the frame begins with these bytes.
    pub(crate) header: Option<(FrameHeader, usize)>,
}

impl Scanner {
    /// How many of these bytes belong to the current frame. This is the only place that parses
    /// frame headers before the WebSocket library does.
    pub(crate) fn in_frame(&mut self, bytes: &[u8]) -> Piece {
        let piece = |count| Piece { count, header: None };
        if self.lost {
            return piece(bytes.len());
        }
        let mut begun = None;
        if self.frame_left == 0 {
            let mut header = Cursor::new(bytes);
            match FrameHeader::parse(&mut header) {
                Ok(None) => return piece(0),
                Ok(Some((frame, length))) => {
                    self.begin(&frame, header.position(), length);
                    // a header is short
                    begun = Some((frame, header.position() as usize));
                }
                Err(_) => {
                    self.lost = true;
                    return piece(bytes.len());
                }
            }
        }
        let count = usize::try_from(self.frame_left).unwrap_or(usize::MAX).min(bytes.len());
        Piece { count, header: begun }
    }

    fn begin(&mut self, frame: &FrameHeader, header: u64, payload: u64) {
        self.frame_left = header.saturating_add(payload);
        self.frames = self.frames.saturating_add(1);
        self.count_bytes(payload);
        let is_control =
            matches!(frame.opcode, OpCode::Control(Control::Close | Control::Ping | Control::Pong));
        self.ends_message = !is_control && frame.is_final;
        self.is_binary |= frame.opcode == OpCode::Data(Data::Binary) && !frame.is_final;
        if !is_control {
            let before = if self.in_message { self.message_bytes } else { 0 };
            self.message_bytes = before.saturating_add(payload);
            self.in_message = true;
        }
    }

    /// Counts bytes towards the rate limit.
    pub(crate) fn count_bytes(&mut self, count: u64) {
        let more = u32::try_from(count / FRAME_BYTES).unwrap_or(u32::MAX);
        self.frames = self.frames.saturating_add(more);
    }

    /// Refuses a message as soon as its frames announce that it is longer than `max` bytes or
    /// binary: the library would wait for all of it.
    pub(crate) fn check(&self, max: u64) -> Result<(), CloseCode> {
        if self.message_bytes > max {
            return Err(CloseCode::TooBig);
        }
        if self.is_binary {
            return Err(CloseCode::Unsupported);
        }
        Ok(())
    }

    /// How many frames have begun since the count was last taken, weighted for the rate limit.
    pub(crate) fn frames(&self) -> u32 {
        self.frames
    }

    /// Takes the number of frames that have begun, weighted for the rate limit.
    pub(crate) fn take_frames(&mut self) -> u32 {
        std::mem::take(&mut self.frames)
    }

    /// How many bytes of the current frame are still to be handed out, including its header.
    pub(crate) fn frame_left(&self) -> u64 {
        self.frame_left
    }

    /// Records that `count` bytes of the current frame were handed out.
    pub(crate) fn advance(&mut self, count: usize) {
        self.frame_left = self.frame_left.saturating_sub(count as u64);
        if self.frame_left == 0 && self.ends_message {
            self.in_message = false;
            self.ends_message = false;
        }
    }

    /// Whether only complete messages and control frames have been handed out.
    pub(crate) fn is_between_messages(&self) -> bool {
        self.frame_left == 0 && !self.in_message && !self.lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hands out all bytes, `step` at a time, and returns the offsets at which no message is
    /// incomplete.
    fn boundaries(bytes: &[u8], step: usize) -> Vec<usize> {
        let (mut scanner, mut handed_out, mut boundaries) = (Scanner::default(), 0, Vec::new());
        let mut seen = 0;
        while handed_out < bytes.len() {
            seen = (seen + step).min(bytes.len());
            while let count @ 1.. = scanner.in_frame(&bytes[handed_out..seen]).count {
                scanner.advance(count);
                handed_out += count;
                if scanner.is_between_messages() {
                    boundaries.push(handed_out);
                }
            }
        }
        boundaries
    }

    #[test]
    fn message_boundaries_are_found_in_pieces_of_any_size() {
        let text = [&[0x81, 0x83, 1, 2, 3, 4][..], b"abc"].concat();
        let begun = [&[0x01, 0x81, 0, 0, 0, 0][..], b"a"].concat();
        let ping = [0x89, 0x80, 0, 0, 0, 0];
        let ended = [0x80, 0x80, 0, 0, 0, 0];
        let long = [&[0x81, 0xfe, 0, 200, 0, 0, 0, 0][..], &[b'x'; 200]].concat();
        let stream = [&text[..], &begun, &ping, &ended, &ping, &long].concat();
        let expected = [9, 9 + 7 + 6 + 6, 9 + 7 + 6 + 6 + 6, stream.len()];
        for step in 1..stream.len() {
            assert_eq!(boundaries(&stream, step), expected, "{step}");
        }
    }

    #[test]
    fn a_frame_of_any_announced_length_is_tracked() {
        let mut scanner = Scanner::default();
        let header = [0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];
        assert_eq!(scanner.in_frame(&header).count, header.len());
        scanner.advance(header.len());
        assert_eq!(scanner.in_frame(b"abc").count, 3);
        assert!(!scanner.is_between_messages());
    }
}
