//! Frames that the server builds itself. They are not masked (RFC 6455, section 5.1).

use chat_protocol::CloseCode;
use chat_protocol::v2::{self, Bye, ServerFrame};
use chat_rooms::Frames;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{CloseFrame, Frame, FrameHeader};

/// A ping without a payload (RFC 6455, section 5.5.2).
pub(crate) const PING: [u8; 2] = [0x89, 0x00];

/// Encodes a `chat.v2` frame that is not one of a room's events, as a text frame. It is never
/// compressed: `welcome` contains the session's secret, and the length of compressed text leaks
/// information about its content.
pub(crate) fn v2_frame(frame: &ServerFrame) -> Frames {
    let (mut json, mut bytes) = (Vec::new(), Vec::new());
    v2::write_frame(frame, &mut json);
    text(&json, &mut bytes);
    Frames::one(bytes)
}

/// A `bye` of `chat.v2`, followed by the close frame.
pub(crate) fn bye(code: CloseCode, reconnect: bool, after_ms: Option<u64>) -> Frames {
    let bye = Bye { code: code.code(), reason: code.reason().to_owned(), reconnect, after_ms };
    let mut bytes = v2_frame(&ServerFrame::Bye(bye)).as_bytes().to_vec();
    bytes.extend_from_slice(close(code).as_bytes());
    Frames::one(bytes)
}

/// Appends a text frame.
pub(crate) fn text(payload: &[u8], frame: &mut Vec<u8>) {
    append_frame(false, payload, frame);
}

/// Appends a text frame with a compressed message (RFC 7692, section 6).
pub(crate) fn deflated_text(payload: &[u8], frame: &mut Vec<u8>) {
    append_frame(true, payload, frame);
}

fn append_frame(rsv1: bool, payload: &[u8], frame: &mut Vec<u8>) {
    let header = FrameHeader { opcode: OpCode::Data(Data::Text), rsv1, ..FrameHeader::default() };
    let length = payload.len() as u64;
    frame.reserve(header.len(length) + payload.len());
    // writing to a `Vec` cannot fail
    let written = header.format(length, frame);
    debug_assert!(written.is_ok());
    frame.extend_from_slice(payload);
}

/// A close frame with the server's own code.
pub(crate) fn close(code: CloseCode) -> Frames {
    close_with(code.code(), code.reason())
}

/// The answer to a client's close frame: it echoes the code, or sends 1000 if there was none.
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
            text(&vec![b'x'; length], &mut frame);
            assert_eq!(frame[..header.len()], header);
            assert_eq!(frame.len(), header.len() + length);
            frame.clear();
            deflated_text(&vec![b'x'; length], &mut frame);
            assert_eq!(frame[0], 0xc1);
            assert_eq!(frame[1..header.len()], header[1..]);
        }
    }

    #[test]
    fn close_frames_carry_code_and_reason() {
        assert_eq!(close_answer(None).as_bytes(), [0x88, 2, 0x03, 0xe8]);
        assert_eq!(close_answer(Some(4000)).as_bytes(), [0x88, 2, 0x0f, 0xa0]);
        assert_eq!(close(CloseCode::GoingAway).as_bytes()[..4], [0x88, 29, 0x03, 0xe9]);
    }
}
