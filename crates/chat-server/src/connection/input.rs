//! The WebSocket library on a connection: configures it, reads from it and releases its grown
//! buffer.

use std::task::{Context, Poll};

use chat_outbox::CONTROL_BYTES;
use chat_protocol::CloseCode;
use futures::{FutureExt, SinkExt, StreamExt};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::{Message, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error as WsError, Result as WsResult};

use crate::connection::deadlines::ReadStatus;
use crate::session::close_reason::CloseReason;
use crate::transport::wire::{Refused, Wire};

/// How many bytes the WebSocket library reads at a time. It keeps a buffer of this size for the
/// whole connection. It reads from memory, so small reads are cheap.
const READ_BUFFER: usize = 128;

pub(super) type Socket<'a> = WebSocketStream<&'a mut Wire>;

/// Wraps a socket from which the library has buffered nothing.
pub(super) async fn wrap(wire: &mut Wire) -> Socket<'_> {
    // a connection keeps its limit when the configuration changes
    let max = wire.max_message_bytes();
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        // no more than the outbox accepts at once: the library retries with its whole buffer
        .max_write_buffer_size(CONTROL_BYTES)
        .max_message_size(Some(max))
        .max_frame_size(Some(max));
    WebSocketStream::from_raw_socket(wire, Role::Server, Some(config)).await
}

/// Whether the library's buffer has grown and can be released now.
pub(super) fn has_grown(socket: &Socket<'_>) -> bool {
    socket.get_ref().can_release_buffer()
}

/// Releases the library's grown buffer, unless it still holds a pong.
pub(super) async fn shrink(mut socket: Socket<'_>) -> Socket<'_> {
    if !matches!(socket.flush().now_or_never(), Some(Ok(()))) {
        return socket;
    }
    let wire = socket.into_inner();
    wire.buffer_replaced();
    wrap(wire).await
}

/// What a socket yields.
pub(super) enum Next {
    /// A message, a control frame, or the end.
    Frame(Option<WsResult<Message>>),
    /// Many frames of an incomplete message have begun; the rate limit has to count them.
    ManyFrames,
}

pub(super) fn poll_next(socket: &mut Socket<'_>, cx: &mut Context<'_>) -> Poll<Next> {
    match socket.poll_next_unpin(cx) {
        Poll::Pending if socket.get_ref().has_many_frames() => Poll::Ready(Next::ManyFrames),
        Poll::Pending => Poll::Pending,
        Poll::Ready(frame) => Poll::Ready(Next::Frame(frame)),
    }
}

pub(super) fn read_status(socket: &Socket<'_>) -> ReadStatus {
    let wire = socket.get_ref();
    ReadStatus { last_byte: wire.last_byte_at(), incomplete_since: wire.incomplete_since() }
}

/// Maps an error of the library to the reason for closing.
pub(super) fn close_reason(error: &WsError) -> CloseReason {
    match error {
        WsError::Io(error) => match error.get_ref().and_then(|error| error.downcast_ref()) {
            Some(Refused(code)) => CloseReason::Failed(*code),
            None => CloseReason::Gone,
        },
        WsError::Protocol(ProtocolError::ResetWithoutClosingHandshake)
        | WsError::ConnectionClosed
        | WsError::AlreadyClosed => CloseReason::Gone,
        WsError::Protocol(_) => CloseReason::Failed(CloseCode::Protocol),
        WsError::Utf8(_) => CloseReason::Failed(CloseCode::InvalidText),
        WsError::Capacity(_) => CloseReason::Failed(CloseCode::TooBig),
        _ => CloseReason::Failed(CloseCode::Internal),
    }
}
