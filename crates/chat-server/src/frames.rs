//! Frames that the server writes itself: an event is encoded once, with its WebSocket frame around it.

use chat_protocol::v2::{self, Bye, ServerFrame};
use chat_protocol::{CloseCode, Event, classic};
use chat_rooms::{Encoding, Frames};
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{CloseFrame, Frame, FrameHeader};

use crate::rendered::Rendered;

/// A ping without a payload (RFC 6455, section 5.5.2).
pub(crate) const PING: [u8; 2] = [0x89, 0x00];

/// The classic dialect in text frames.
#[derive(Debug)]
pub(crate) struct ClassicFrames;

impl Encoding for ClassicFrames {
    fn encode(&self, event: &Event, frame: &mut Vec<u8>) {
        text(self.size_hint(event), |json| classic::write(event, json), frame);
    }

    fn size_hint(&self, event: &Event) -> usize {
        classic::size_hint(event)
    }
}

/// The dialect `chat.v2` in text frames.
#[derive(Debug)]
pub(crate) struct V2Frames;

impl Encoding for V2Frames {
    fn encode(&self, event: &Event, frame: &mut Vec<u8>) {
        text(self.size_hint(event), |json| v2::write(event, json), frame);
    }

    fn size_hint(&self, event: &Event) -> usize {
        v2::size_hint(event)
    }
}

/// The dialect `chat.v2` in text frames, with each message's Markdown as HTML beside it.
#[derive(Debug)]
pub(crate) struct V2HtmlFrames(pub(crate) Rendered);

impl Encoding for V2HtmlFrames {
    fn encode(&self, event: &Event, frame: &mut Vec<u8>) {
        let write = |json: &mut _| v2::write_rendered(event, |message| self.0.html(message), json);
        text(self.size_hint(event), write, frame);
    }

    fn size_hint(&self, event: &Event) -> usize {
        // mostly the HTML is a little longer than the text
        2 * v2::size_hint(event)
    }
}

/// A frame of `chat.v2` as a text frame.
pub(crate) fn v2_frame(frame: &ServerFrame) -> Frames {
    let mut bytes = Vec::new();
    text(0, |json| v2::write_frame(frame, json), &mut bytes);
    Frames::one(bytes)
}

/// A `bye` of `chat.v2` and the close frame behind it.
pub(crate) fn bye(code: CloseCode, after_ms: Option<u64>) -> Frames {
    let bye =
        Bye { code: code.code(), reason: code.reason().to_owned(), reconnect: code.reconnect(), after_ms };
    let mut bytes = v2_frame(&ServerFrame::Bye(bye)).as_bytes().to_vec();
    bytes.extend_from_slice(close(code).as_bytes());
    Frames::one(bytes)
}

/// Appends a text frame with what `write` writes, about `size` bytes. Frames of a server are not masked (RFC 6455, section 5.1).
fn text(size: usize, write: impl FnOnce(&mut Vec<u8>), frame: &mut Vec<u8>) {
    let mut payload = Vec::with_capacity(size);
    write(&mut payload);
    let header = FrameHeader { opcode: OpCode::Data(Data::Text), ..FrameHeader::default() };
    let length = payload.len() as u64;
    frame.reserve(header.len(length) + payload.len());
    // a vector takes every write
    let written = header.format(length, frame);
    debug_assert!(written.is_ok());
    frame.extend_from_slice(&payload);
}

/// A close frame with the server's own code.
pub(crate) fn close(code: CloseCode) -> Frames {
    close_with(code.code(), code.reason())
}

/// The answer to a client's close: its own code, 1000 where it gave none.
pub(crate) fn close_answer(code: Option<u16>) -> Frames {
    close_with(code.unwrap_or(CloseCode::Normal.code()), "")
}

fn close_with(code: u16, reason: &'static str) -> Frames {
    let mut bytes = Vec::new();
    let frame = Frame::close(Some(CloseFrame { code: code.into(), reason: reason.into() }));
    let written = frame.format(&mut bytes);
    debug_assert!(written.is_ok());
    Frames::one(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_have_the_shortest_header() {
        for (length, header) in [
            (0, vec![0x81, 0]),
            (125, vec![0x81, 125]),
            (126, vec![0x81, 126, 0, 126]),
            (65_535, vec![0x81, 126, 255, 255]),
            (65_536, vec![0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            let mut frame = Vec::new();
            text(length, |payload| payload.resize(length, b'x'), &mut frame);
            assert_eq!(frame[..header.len()], header);
            assert_eq!(frame.len(), header.len() + length);
        }
    }

    #[test]
    fn close_frames_carry_code_and_reason() {
        assert_eq!(close_answer(None).as_bytes(), [0x88, 2, 0x03, 0xe8]);
        assert_eq!(close_answer(Some(4000)).as_bytes(), [0x88, 2, 0x0f, 0xa0]);
        assert_eq!(close(CloseCode::GoingAway).as_bytes()[..4], [0x88, 29, 0x03, 0xe9]);
    }
}
