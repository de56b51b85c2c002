//! Replaces the compressed messages in a client's stream of frames with decompressed ones.

use bytes::{Buf, Bytes};
use chat_protocol::CloseCode;
use tokio::io::ReadBuf;
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::encoding::deflate::{InflateError, inflate};

/// Tracks to which message the current frame belongs. The WebSocket library supports no extensions:
/// it receives a decompressed message as one frame, and everything else unchanged. What the library
/// refuses is therefore still refused, such as a reserved bit where it has no meaning.
#[derive(Debug)]
pub(crate) struct Inflater {
    /// Maximum size of a message, in bytes.
    max: usize,
    /// Whether an uncompressed message is incomplete.
    in_plain_message: bool,
    /// The incomplete compressed message.
    message: Option<Message>,
    /// The current frame, if it belongs to that message.
    piece: Option<Piece>,
    /// Decompressed bytes to hand out before anything else.
    inflated: Bytes,
}

#[derive(Debug)]
struct Message {
    opcode: OpCode,
    deflated: Vec<u8>,
}

#[derive(Debug)]
struct Piece {
    mask: [u8; 4],
    is_last: bool,
}

impl Inflater {
    /// For messages of at most `max` bytes.
    pub(crate) fn new(max: usize) -> Self {
        Self { max, in_plain_message: false, message: None, piece: None, inflated: Bytes::new() }
    }

    /// Hands out the rest of a decompressed message. Returns `false` if there is none.
    pub(crate) fn hand_out(&mut self, buf: &mut ReadBuf<'_>) -> bool {
        if self.inflated.is_empty() {
            return false;
        }
        let count = self.inflated.len().min(buf.remaining());
        buf.put_slice(&self.inflated[..count]);
        self.inflated.advance(count);
        if self.inflated.is_empty() {
            self.inflated = Bytes::new();
        }
        true
    }

    /// Whether nothing is left to hand out.
    pub(crate) fn is_empty(&self) -> bool {
        self.inflated.is_empty()
    }

    /// Looks at the header of the next frame. If it belongs to a compressed message,
    /// [`is_taking`](Self::is_taking) is true afterwards, and its payload has to be passed to
    /// [`take`](Self::take). On an error, close the connection with that code.
    pub(crate) fn begin(&mut self, frame: &FrameHeader) -> Result<(), CloseCode> {
        let OpCode::Data(data) = frame.opcode else { return Ok(()) };
        match (data, self.message.is_some()) {
            (Data::Continue, true) if !frame.rsv1 => {}
            // refused here, since the library does not know that a message has begun
            (Data::Continue | Data::Text | Data::Binary, true) => return Err(CloseCode::Protocol),
            (Data::Text | Data::Binary, false) if frame.rsv1 && !self.in_plain_message => {
                self.message = Some(Message { opcode: frame.opcode, deflated: Vec::new() });
            }
            _ => {
                self.in_plain_message = !frame.is_final;
                return Ok(());
            }
        }
        let Some(mask) = frame.mask.filter(|_| !frame.rsv2 && !frame.rsv3) else {
            return Err(CloseCode::Protocol);
        };
        self.piece = Some(Piece { mask, is_last: frame.is_final });
        Ok(())
    }

    /// Whether the current frame belongs to a compressed message.
    pub(crate) fn is_taking(&self) -> bool {
        self.piece.is_some()
    }

    /// Takes the next bytes of the current frame's payload; `is_end` says whether the frame ends
    /// with them. If that completes a message, returns its length. On an error, close the
    /// connection with that code.
    pub(crate) fn take(&mut self, payload: &[u8], is_end: bool) -> Result<Option<usize>, CloseCode> {
        let (Some(piece), Some(message)) = (&mut self.piece, &mut self.message) else { return Ok(None) };
        let mask = piece.mask.iter().cycle();
        message.deflated.extend(payload.iter().zip(mask).map(|(byte, mask)| byte ^ mask));
        piece.mask.rotate_left(payload.len() % 4);
        if !is_end {
            return Ok(None);
        }
        let is_last = piece.is_last;
        self.piece = None;
        let Some(Message { opcode, deflated }) = self.message.take_if(|_| is_last) else { return Ok(None) };
        let inflated = inflate(&deflated, self.max).map_err(|error| match error {
            InflateError::TooBig => CloseCode::TooBig,
            InflateError::Garbled => CloseCode::InvalidText,
        })?;
        // a mask of zeros leaves the payload unchanged
        let header = FrameHeader { opcode, mask: Some([0; 4]), ..FrameHeader::default() };
        let mut frame = Vec::with_capacity(header.len(inflated.len() as u64) + inflated.len());
        // writing to a `Vec` cannot fail
        let written = header.format(inflated.len() as u64, &mut frame);
        debug_assert!(written.is_ok());
        frame.extend_from_slice(&inflated);
        self.inflated = frame.into();
        Ok(Some(inflated.len()))
    }
}
