//! What goes on while a connection lasts.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use chat_protocol::CloseCode;
use chat_protocol::classic::{self, Command};
use chat_rooms::outbox::{Outbox, Signal};
use chat_rooms::{Membership, SendError};
use futures::{FutureExt, SinkExt, StreamExt};
use tokio::task::coop::consume_budget;
use tokio::time::{Instant, sleep_until};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::{Message, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error as WsError, Result as WsResult};

use super::clock::{Clock, Due, Heard};
use super::farewell::{self, Ending};
use super::pace::Pace;
use super::wire::{Tcp, Wire};
use super::{HangUp, hang_up};
use crate::context::Context;
use crate::frames;

/// What the WebSocket library reads at a time, in bytes. It has a buffer of this size as long as the connection lasts.
const READ_BUFFER: usize = 512;

/// After a frame larger than this the library's buffer, which has grown to it, is made anew.
const BUFFER_KEPT: u64 = 4 * 1024;

/// The most that the library may keep back of what it writes: a pong that did not fit.
const WRITE_BUFFER: usize = 1024;

/// A member and its connection.
pub(super) struct Conversation {
    member: Membership,
    outbox: Arc<Outbox<Tcp>>,
    clock: Clock,
    pace: Pace,
    context: Arc<Context>,
    /// Read, and not yet taken by the room. While there is something, nothing is read.
    unsaid: Option<Arc<str>>,
}

type Socket = WebSocketStream<Wire>;

impl Conversation {
    pub(super) fn new(member: Membership, outbox: Arc<Outbox<Tcp>>, context: Arc<Context>) -> Self {
        let now = Instant::now();
        Self {
            member,
            outbox,
            clock: Clock::new(&context.config.timings, now),
            pace: Pace::new(&context.config.limits, now),
            context,
            unsaid: None,
        }
    }

    /// Talks until there is a reason to end. `unread` was read from the socket already.
    ///
    /// Its future is what an idle connection costs most of, so what is large and short-lived in it is boxed.
    pub(super) async fn run(&mut self, unread: Bytes) -> Ending {
        self.log("entered", None);
        let ending = self.talk(unread).await;
        if ending == Ending::ShuttingDown {
            Box::pin(farewell::settle(&self.member, &self.outbox)).await;
        }
        self.log("left", Some(ending));
        ending
    }

    fn log(&self, what: &str, ending: Option<Ending>) {
        let who = self.member.member();
        tracing::debug!(room = %who.room, username = %who.username, channel = %who.channel, ?ending, "{what}");
    }

    async fn talk(&mut self, unread: Bytes) -> Ending {
        let wire = Wire::new(Arc::clone(&self.outbox), unread);
        let mut socket = Box::pin(wrap(wire, &self.context)).await;
        let stopping = self.context.stopping.clone();
        let mut stopping = pin!(stopping.cancelled());
        let mut alarm = pin!(sleep_until(self.next_alarm(&socket)));
        loop {
            // an alarm that comes too early costs less than moving it for every frame
            let next = self.next_alarm(&socket);
            if next < alarm.deadline() || alarm.is_elapsed() {
                alarm.as_mut().reset(next);
            }
            tokio::select! {
                biased;
                () = &mut stopping => return Ending::ShuttingDown,
                signal = poll_fn(|cx| self.outbox.poll_drain(cx)) => match signal {
                    Signal::TooSlow => return Ending::TooSlow,
                    Signal::Broken | Signal::Flushed => return Ending::Gone,
                    Signal::Challenged => self.challenged(),
                },
                () = &mut alarm => {
                    if let Some(ending) = self.ring(&mut socket) {
                        return ending;
                    }
                }
                said = say(&self.member, &self.outbox, self.unsaid.as_ref(), &self.context) => match said {
                    Ok(()) => self.said(&mut socket),
                    Err(SendError::NotAMember) => return Ending::TooSlow,
                },
                frame = socket.next(), if !self.clock.is_held() => {
                    if let Some(ending) = self.take(frame, &mut socket) {
                        return ending;
                    }
                    if socket.get_ref().can_give_back(BUFFER_KEPT) {
                        socket = Box::pin(renew(socket, &self.context)).await;
                    }
                    // a burst comes out of memory, and waits for nothing that would let others run
                    consume_budget().await;
                }
            }
        }
    }

    /// Takes what the socket gave. Gives why the connection ends, if it does.
    fn take(&mut self, frame: Option<WsResult<Message>>, socket: &mut Socket) -> Option<Ending> {
        match frame {
            None => return Some(Ending::Gone),
            Some(Err(error)) => return Some(ending(&error)),
            Some(Ok(Message::Close(close))) => {
                return Some(Ending::ClientClosed(close.map(|close| close.code.into())));
            }
            Some(Ok(Message::Binary(_))) => return Some(Ending::Failed(CloseCode::Unsupported)),
            Some(Ok(Message::Text(text))) => match classic::read(&text) {
                Ok(Command::Say { body }) => self.say(body),
                Ok(_) => self.member.refuse("this server does not know that command"),
                Err(error) => self.member.refuse(error.to_string()),
            },
            // the library writes the pong when it is asked for the next frame, which may take a while
            Some(Ok(Message::Ping(_))) => drop(socket.flush().now_or_never()),
            Some(Ok(Message::Pong(_) | Message::Frame(_))) => {}
        }
        let now = Instant::now();
        let paced_until = self.pace.note(now);
        if paced_until.is_some() || self.unsaid.is_some() {
            self.clock.hold(now, paced_until);
            self.look_for_hang_up(now)
        } else {
            None
        }
    }

    /// Says it at once if the room takes it at once.
    fn say(&mut self, body: Arc<str>) {
        let unsaid = Some(body);
        let said = say(&self.member, &self.outbox, unsaid.as_ref(), &self.context).now_or_never();
        // an error comes again when the loop says it
        if !matches!(said, Some(Ok(()))) {
            self.unsaid = unsaid;
        }
    }

    /// What was read has been said: reading goes on, unless the pace holds it back.
    fn said(&mut self, socket: &mut Socket) {
        self.unsaid = None;
        self.release_unless_held(Instant::now(), socket);
    }

    fn release_unless_held(&mut self, now: Instant, socket: &mut Socket) {
        if self.clock.is_held() && self.unsaid.is_none() && !self.clock.is_paced(now) {
            let held = self.clock.release(now);
            socket.get_mut().pardon(held);
        }
    }

    /// Acts on what is due. Gives why the connection ends, if it does.
    fn ring(&mut self, socket: &mut Socket) -> Option<Ending> {
        let now = Instant::now();
        if self.clock.is_held() {
            if let Some(ending) = self.look_for_hang_up(now) {
                return Some(ending);
            }
            self.release_unless_held(now, socket);
        }
        loop {
            match self.clock.due(now, heard(socket), &self.context.config.timings) {
                Due::Nothing => return None,
                Due::Silent => return Some(Ending::Failed(CloseCode::Silent)),
                Due::Incomplete => return Some(Ending::Failed(CloseCode::Policy)),
                Due::HungUp => return Some(Ending::Gone),
                Due::Ping => {
                    let (waiting, drained) = (self.outbox.waiting_bytes(), self.outbox.drained_bytes());
                    if self.clock.is_stalled(now, waiting, drained, &self.context.config.timings) {
                        return Some(Ending::TooSlow);
                    }
                    // one that does not fit waits behind others like it
                    self.outbox.offer_control(&frames::PING);
                }
            }
        }
    }

    /// While nothing is read, the end of the client's side does not come as a frame.
    fn look_for_hang_up(&mut self, now: Instant) -> Option<Ending> {
        match hang_up(&self.outbox.transport().0) {
            None => None,
            Some(HangUp::Reset) => Some(Ending::Gone),
            Some(HangUp::Finished) => {
                self.clock.note_hang_up(now);
                None
            }
        }
    }

    fn challenged(&mut self) {
        if self.clock.challenge(Instant::now()) {
            self.outbox.offer_control(&frames::PING);
        }
    }

    fn next_alarm(&self, socket: &Socket) -> Instant {
        self.clock.next(heard(socket), &self.context.config.timings)
    }
}

/// The library on a socket of which it holds nothing.
async fn wrap(wire: Wire, context: &Context) -> Socket {
    let most = context.config.limits.message_bytes;
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_write_buffer_size(WRITE_BUFFER)
        .max_message_size(Some(most))
        .max_frame_size(Some(most));
    WebSocketStream::from_raw_socket(wire, Role::Server, Some(config)).await
}

/// Gives the library's grown buffer back, unless a pong still waits in it.
async fn renew(mut socket: Socket, context: &Context) -> Socket {
    if !matches!(socket.flush().now_or_never(), Some(Ok(()))) {
        return socket;
    }
    let mut wire = socket.into_inner();
    wire.gave_back();
    wrap(wire, context).await
}

/// Says something to the room once the room takes it, and once its own sender reads what it is told: whoever writes without
/// reading is read no further, instead of being put out for its own words. Never resolves while there is nothing to say.
async fn say(
    member: &Membership,
    outbox: &Outbox<Tcp>,
    unsaid: Option<&Arc<str>>,
    context: &Context,
) -> Result<(), SendError> {
    let Some(body) = unsaid else { return std::future::pending().await };
    // polled again whenever the backlog shrinks, by the same task that writes it
    poll_fn(|_| match outbox.waiting_bytes() > context.config.backlog.bytes / 2 {
        true => std::task::Poll::Pending,
        false => std::task::Poll::Ready(()),
    })
    .await;
    member.send(Arc::clone(body)).await
}

fn heard(socket: &Socket) -> Heard {
    let wire = socket.get_ref();
    Heard { last: wire.heard(), incomplete_since: wire.incomplete_since() }
}

/// What an error of the library means for the connection.
fn ending(error: &WsError) -> Ending {
    match error {
        WsError::Protocol(ProtocolError::ResetWithoutClosingHandshake)
        | WsError::Io(_)
        | WsError::ConnectionClosed
        | WsError::AlreadyClosed => Ending::Gone,
        WsError::Protocol(_) => Ending::Failed(CloseCode::Protocol),
        WsError::Utf8(_) => Ending::Failed(CloseCode::InvalidText),
        WsError::Capacity(_) => Ending::Failed(CloseCode::TooBig),
        _ => Ending::Failed(CloseCode::Internal),
    }
}
