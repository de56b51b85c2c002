//! One WebSocket connection, once it has a session. It reads and writes frames without their
//! meaning.

use std::task::{Context, Poll, ready};

use futures::{SinkExt, StreamExt};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::byte_counter::ByteCounter;
use super::heartbeat::{Heartbeat, Liveness};
use crate::model::Disconnect;

/// The code that stands for a close frame without a code (RFC 6455, section 7.4.1).
const NO_CODE: u16 = 1005;

/// What arrived.
#[derive(Debug)]
pub(crate) enum Incoming {
    /// A text frame.
    Frame(Utf8Bytes),
    /// A frame that only shows that the server is alive.
    Activity,
    /// The end of the connection.
    Ended(Disconnect),
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Wire {
    socket: WebSocketStream<MaybeTlsStream<ByteCounter>>,
    heartbeat: Heartbeat,
    /// An unsolicited pong is due.
    pong_due: bool,
    closing: Closing,
    /// Why writing failed. Frames that the server sent before can still be read, and then the
    /// connection ends.
    write_error: Option<String>,
    /// The server's close frame, while the answer to it is written.
    close_received: Option<Disconnect>,
}

/// The progress of closing the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Closing {
    Open,
    /// A close frame is due once everything else has been written.
    Requested,
    /// The close frame has been written.
    Sent,
}

impl Wire {
    pub(super) fn new(socket: WebSocketStream<MaybeTlsStream<ByteCounter>>, heartbeat: Heartbeat) -> Self {
        Self {
            socket,
            heartbeat,
            pong_due: false,
            closing: Closing::Open,
            write_error: None,
            close_received: None,
        }
    }

    /// Writes the frames that `next_frame` returns, and returns what arrives. While `reading` is
    /// false nothing is read, so that the server's writes stall.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        mut next_frame: impl FnMut() -> Option<String>,
        reading: bool,
    ) -> Poll<Incoming> {
        if let Err(error) = self.write(cx, &mut next_frame) {
            self.write_error = Some(error.to_string());
        }
        if let Some(end) = self.close_received.take() {
            return self.answer_close(cx, end);
        }
        if !reading {
            return Poll::Pending;
        }
        Poll::Ready(match ready!(self.socket.poll_next_unpin(cx)) {
            Some(Ok(Message::Text(frame))) => Incoming::Frame(frame),
            Some(Ok(Message::Close(frame))) => return self.answer_close(cx, closed(frame)),
            Some(Ok(_)) => Incoming::Activity,
            Some(Err(error)) => Incoming::Ended(Disconnect::Lost(error.to_string())),
            None => {
                let error = self.write_error.take();
                let error = error.unwrap_or_else(|| "the server closed the connection".into());
                Incoming::Ended(Disconnect::Lost(error))
            }
        })
    }

    /// Writes as much as the socket accepts. Flushing also writes the answers to pings, which
    /// tungstenite queues when it reads them.
    fn write(
        &mut self,
        cx: &mut Context<'_>,
        next_frame: &mut impl FnMut() -> Option<String>,
    ) -> Result<(), Error> {
        if self.write_error.is_some() || self.close_received.is_some() {
            return Ok(());
        }
        while let Poll::Ready(ready) = self.socket.poll_ready_unpin(cx) {
            ready?;
            let Some(message) = self.next_message(next_frame) else { break };
            self.socket.start_send_unpin(message)?;
        }
        match self.socket.poll_flush_unpin(cx) {
            Poll::Ready(flushed) => flushed,
            Poll::Pending => Ok(()),
        }
    }

    fn next_message(&mut self, next_frame: &mut impl FnMut() -> Option<String>) -> Option<Message> {
        if self.closing == Closing::Sent {
            return None;
        }
        if let Some(frame) = next_frame() {
            return Some(Message::text(frame));
        }
        if self.closing == Closing::Requested {
            self.closing = Closing::Sent;
            return Some(Message::Close(Some(CloseFrame {
                code: CloseCode::Normal,
                reason: Utf8Bytes::default(),
            })));
        }
        std::mem::take(&mut self.pong_due).then(|| Message::Pong(Default::default()))
    }

    /// The server has closed the connection: it ends once the answer is written, or cannot be.
    fn answer_close(&mut self, cx: &mut Context<'_>, end: Disconnect) -> Poll<Incoming> {
        if self.socket.poll_flush_unpin(cx).is_pending() {
            self.close_received = Some(end);
            return Poll::Pending;
        }
        Poll::Ready(Incoming::Ended(end))
    }

    /// Closes the connection with code 1000 once everything else has been written. It ends with
    /// the server's answer.
    pub(crate) fn close(&mut self) {
        if self.closing == Closing::Open {
            self.closing = Closing::Requested;
        }
    }

    /// Starts the heartbeat interval again: something has arrived, or the connection is not read.
    pub(crate) fn on_activity(&mut self, now: Instant) {
        let received = self.received();
        self.heartbeat.on_activity(now, received);
    }

    /// The time of the next [`check`](Self::check).
    pub(crate) fn deadline(&self) -> Instant {
        self.heartbeat.deadline()
    }

    /// Checks whether the other end is alive.
    pub(crate) fn check(&mut self, now: Instant) -> Liveness {
        let received = self.received();
        self.heartbeat.check(now, received)
    }

    /// Queues an unsolicited pong (RFC 6455, section 5.5.3) when the deadline has passed. While
    /// nothing is read, the server's pings are not seen either. The pong shows that this end is
    /// alive, and needs no answer, which would add to what is unread.
    pub(crate) fn keep_alive(&mut self, now: Instant) {
        if now >= self.deadline() {
            self.on_activity(now);
            self.pong_due = true;
        }
    }

    fn received(&self) -> u64 {
        self.socket.get_ref().get_ref().received()
    }
}

fn closed(frame: Option<CloseFrame>) -> Disconnect {
    let (code, reason) =
        frame.map_or((NO_CODE, String::new()), |frame| (frame.code.into(), frame.reason.as_str().to_owned()));
    Disconnect::Closed { code, reason }
}
