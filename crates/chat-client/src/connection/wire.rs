//! One connection: frames in and out, nothing of what they mean.

use std::task::{Context, Poll, ready};

use futures::{SinkExt, StreamExt};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::byte_counter::Metered;
use super::heartbeat::{Beat, Heartbeat};
use crate::model::Disconnect;

/// What stands in place of a code where a close frame has none (RFC 6455, section 7.4.1).
const NO_CODE: u16 = 1005;

/// What came in.
#[derive(Debug)]
pub(crate) enum Incoming {
    /// A frame of the dialect.
    Frame(Utf8Bytes),
    /// A sign of life, and no more.
    Heard,
    /// The end.
    Ended(Disconnect),
}

/// One connection, once it has a session. Everything in it ends with it.
#[derive(Debug)]
pub(crate) struct Wire {
    socket: WebSocketStream<MaybeTlsStream<Metered>>,
    heartbeat: Heartbeat,
    /// A sign of life of one's own is due.
    pong_due: bool,
    /// How far closing it has come.
    closing: Closing,
    /// Why nothing more can be written. What the server wrote before can still be read, and ends it.
    broken: Option<String>,
    /// The server's close frame, while the answer to it is written.
    closed: Option<Disconnect>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Closing {
    No,
    /// When everything else is written.
    Soon,
    /// The close frame is written.
    Said,
}

impl Wire {
    pub(crate) fn new(socket: WebSocketStream<MaybeTlsStream<Metered>>, heartbeat: Heartbeat) -> Self {
        Self { socket, heartbeat, pong_due: false, closing: Closing::No, broken: None, closed: None }
    }

    /// Writes what there is to write, and gives what comes in; nothing comes in while `reading` is false, and then the server finds
    /// that its writes are not taken.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        mut next: impl FnMut() -> Option<String>,
        reading: bool,
    ) -> Poll<Incoming> {
        if let Err(error) = self.write(cx, &mut next) {
            self.broken = Some(error.to_string());
        }
        if let Some(end) = self.closed.take() {
            return self.answer_close(cx, end);
        }
        if !reading {
            return Poll::Pending;
        }
        Poll::Ready(match ready!(self.socket.poll_next_unpin(cx)) {
            Some(Ok(Message::Text(frame))) => Incoming::Frame(frame),
            Some(Ok(Message::Close(frame))) => return self.answer_close(cx, closed(frame)),
            Some(Ok(_)) => Incoming::Heard,
            Some(Err(error)) => Incoming::Ended(Disconnect::Lost(error.to_string())),
            None => {
                let why = self.broken.take().unwrap_or_else(|| "the server closed the connection".into());
                Incoming::Ended(Disconnect::Lost(why))
            }
        })
    }

    /// Writes as much as the socket takes. tungstenite queues the answers to pings when it reads them: flushing writes those, too.
    fn write(
        &mut self,
        cx: &mut Context<'_>,
        next: &mut impl FnMut() -> Option<String>,
    ) -> Result<(), Error> {
        if self.broken.is_some() || self.closed.is_some() {
            return Ok(());
        }
        while let Poll::Ready(ready) = self.socket.poll_ready_unpin(cx) {
            ready?;
            let Some(message) = self.next_message(next) else { break };
            self.socket.start_send_unpin(message)?;
        }
        match self.socket.poll_flush_unpin(cx) {
            Poll::Ready(flushed) => flushed,
            Poll::Pending => Ok(()),
        }
    }

    fn next_message(&mut self, next: &mut impl FnMut() -> Option<String>) -> Option<Message> {
        if self.closing == Closing::Said {
            return None;
        }
        if let Some(frame) = next() {
            return Some(Message::text(frame));
        }
        if self.closing == Closing::Soon {
            self.closing = Closing::Said;
            return Some(Message::Close(Some(CloseFrame {
                code: CloseCode::Normal,
                reason: Utf8Bytes::default(),
            })));
        }
        std::mem::take(&mut self.pong_due).then(|| Message::Pong(Default::default()))
    }

    /// The server closed: it ends once the answer is written, or can't be.
    fn answer_close(&mut self, cx: &mut Context<'_>, end: Disconnect) -> Poll<Incoming> {
        if self.socket.poll_flush_unpin(cx).is_pending() {
            self.closed = Some(end);
            return Poll::Pending;
        }
        Poll::Ready(Incoming::Ended(end))
    }

    /// Closes with 1000 once everything else is written; the server's answer ends it.
    pub(crate) fn close(&mut self) {
        if self.closing == Closing::No {
            self.closing = Closing::Soon;
        }
    }

    /// Something came, or what comes is not read.
    pub(crate) fn heard(&mut self, now: Instant) {
        let received = self.received();
        self.heartbeat.heard(now, received);
    }

    /// When to look at the silence next.
    pub(crate) fn deadline(&self) -> Instant {
        self.heartbeat.deadline()
    }

    /// Looks at how long nothing came.
    pub(crate) fn check(&mut self, now: Instant) -> Beat {
        let received = self.received();
        self.heartbeat.check(now, received)
    }

    /// While nothing is read, a ping of the server's is not seen either. An unsolicited pong (RFC 6455, section 5.5.3) shows that this
    /// end lives, and asks for no answer that would be added to what is not read.
    pub(crate) fn show_life(&mut self, now: Instant) {
        if now >= self.deadline() {
            self.heard(now);
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
