//! What goes on while a connection lasts.

use std::future::{pending, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use chat_protocol::CloseCode;
use chat_protocol::classic::{self, Command};
use chat_rooms::outbox::{BacklogLimits, CONTROL_BYTES, Outbox, Signal};
use chat_rooms::{Membership, SendError, Sent};
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
use super::wire::{self, Tcp, Wire};
use super::{HangUp, hang_up};
use crate::context::Context;
use crate::frames;

/// What the WebSocket library reads at a time, in bytes. It has a buffer of this size as long as the connection lasts.
const READ_BUFFER: usize = 512;

/// After a frame larger than this the library's buffer, which has grown to it, is made anew.
const BUFFER_KEPT: u64 = 4 * 1024;

/// A member and its connection.
pub(super) struct Conversation {
    member: Membership,
    outbox: Arc<Outbox<Tcp>>,
    clock: Clock,
    pace: Pace,
    context: Arc<Context>,
    /// Read, and not yet taken by the room. While there is something, nothing is read.
    unsaid: Option<Word>,
    /// What this connection said, and its own outbox may not have been offered yet.
    in_flight: InFlight,
}

/// Something to tell the room.
#[derive(Debug, Clone)]
pub(super) enum Word {
    /// To everyone.
    Say(Arc<str>),
    /// To the sender alone: why what it sent was not accepted.
    Refuse(Arc<str>),
}

/// How much was said since it was last known that all of it has been offered.
#[derive(Debug, Default)]
struct InFlight {
    frames: usize,
    bytes: usize,
    last: Option<Sent>,
}

type Socket = WebSocketStream<Wire>;

impl InFlight {
    /// Whether it is more than a quarter of what may wait: with what waits already, a half at most, it still fits.
    fn is_over(&self, most: BacklogLimits) -> bool {
        self.bytes > most.bytes / 4 || self.frames > most.frames / 4
    }
}

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
            in_flight: InFlight::default(),
        }
    }

    /// Talks until there is a reason to end. `unread` was read from the socket already.
    ///
    /// Its future is what an idle connection costs most of, so what is large and short-lived in it is boxed.
    pub(super) async fn run(&mut self, unread: Bytes) -> Ending {
        self.log("entered", None);
        let ending = self.talk(unread).await;
        if ending == Ending::ShuttingDown {
            Box::pin(farewell::settle(&self.member, &self.outbox, self.unsaid.take())).await;
        }
        self.log("left", Some(ending));
        ending
    }

    fn log(&self, what: &str, ending: Option<Ending>) {
        let who = self.member.member();
        tracing::debug!(room = %who.room, username = %who.username, channel = %who.channel, ?ending, "{what}");
    }

    async fn talk(&mut self, unread: Bytes) -> Ending {
        let wire = Wire::new(Arc::clone(&self.outbox), unread, self.context.config.limits.message_bytes);
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
                    Signal::Challenged => self.challenged(&socket),
                },
                () = &mut alarm => {
                    if let Some(ending) = self.ring(&mut socket) {
                        return ending;
                    }
                }
                said = self.say(), if self.unsaid.is_some() => match said {
                    Ok(sent) => {
                        self.unsaid = None;
                        self.said(sent);
                        self.release_unless_held(Instant::now(), &mut socket);
                    }
                    Err(SendError::NotAMember) => return Ending::TooSlow,
                },
                frame = read(&mut socket), if !self.clock.is_held() => {
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
    fn take(&mut self, next: Next, socket: &mut Socket) -> Option<Ending> {
        match next {
            Next::Pieces => {}
            Next::Frame(None) => return Some(Ending::Gone),
            Next::Frame(Some(Err(error))) => return Some(ending(&error)),
            Next::Frame(Some(Ok(Message::Close(close)))) => {
                return Some(Ending::ClientClosed(close.map(|close| close.code.into())));
            }
            Next::Frame(Some(Ok(Message::Binary(_)))) => return Some(Ending::Failed(CloseCode::Unsupported)),
            Next::Frame(Some(Ok(Message::Text(text)))) => match classic::read(&text) {
                Ok(Command::Say { body }) => self.tell(Word::Say(body)),
                Ok(_) => self.tell(Word::Refuse("this server does not know that command".into())),
                Err(error) => self.tell(Word::Refuse(error.to_string().into())),
            },
            // the library writes the pong when it is asked for the next frame, which may take a while
            Next::Frame(Some(Ok(Message::Ping(_)))) => drop(socket.flush().now_or_never()),
            Next::Frame(Some(Ok(Message::Pong(_) | Message::Frame(_)))) => {}
        }
        let now = Instant::now();
        let paced_until = self.pace.note(socket.get_mut().take_frames(), now);
        if paced_until.is_some() || self.unsaid.is_some() {
            self.clock.hold(now, paced_until);
            self.look_for_hang_up(now)
        } else {
            None
        }
    }

    /// Says it at once if it can be said at once.
    fn tell(&mut self, word: Word) {
        self.unsaid = Some(word);
        // an error comes again when the loop says it
        if let Some(Ok(sent)) = self.say().now_or_never() {
            self.unsaid = None;
            self.said(sent);
        }
    }

    /// Says what is to be said once the room takes it, and once its own sender reads what it is told: whoever writes without
    /// reading is read no further, instead of being put out for its own words. Cancel-safe.
    async fn say(&self) -> Result<Sent, SendError> {
        let most = self.context.config.backlog;
        if self.in_flight.is_over(most)
            && let Some(last) = self.in_flight.last
        {
            self.member.offered(last).await;
        }
        // polled again whenever the backlog shrinks, by the same task that writes it
        poll_fn(|_| {
            let waiting = self.outbox.waiting();
            let reads = waiting.bytes <= most.bytes / 2 && waiting.frames <= most.frames / 2;
            if reads { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        match self.unsaid.clone() {
            Some(Word::Say(body)) => self.member.send(body).await,
            Some(Word::Refuse(reason)) => self.member.refuse(reason).await,
            None => pending().await,
        }
    }

    fn said(&mut self, sent: Sent) {
        if self.in_flight.is_over(self.context.config.backlog) {
            // what was over has been offered before this was said
            self.in_flight = InFlight::default();
        }
        self.in_flight.frames += 1;
        self.in_flight.bytes += sent.size();
        self.in_flight.last = Some(sent);
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
                    let (waiting, drained) = (self.outbox.waiting().bytes, self.outbox.drained_bytes());
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

    fn challenged(&mut self, socket: &Socket) {
        if self.clock.challenge(Instant::now(), heard(socket)) {
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
        // no more than the outbox takes at once: the library offers all of it again and again
        .max_write_buffer_size(CONTROL_BYTES)
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

/// What comes from a socket.
enum Next {
    /// A message, a control frame, or the end.
    Frame(Option<WsResult<Message>>),
    /// Many pieces of a message that is not complete.
    Pieces,
}

/// Cancel-safe.
async fn read(socket: &mut Socket) -> Next {
    poll_fn(|cx| match socket.poll_next_unpin(cx) {
        Poll::Pending if socket.get_ref().has_many_frames() => Poll::Ready(Next::Pieces),
        Poll::Pending => Poll::Pending,
        Poll::Ready(frame) => Poll::Ready(Next::Frame(frame)),
    })
    .await
}

fn heard(socket: &Socket) -> Heard {
    let wire = socket.get_ref();
    Heard { last: wire.heard(), incomplete_since: wire.incomplete_since() }
}

/// What an error of the library means for the connection.
fn ending(error: &WsError) -> Ending {
    match error {
        WsError::Io(error) if error.kind() == wire::BINARY => Ending::Failed(CloseCode::Unsupported),
        WsError::Io(error) if error.kind() == wire::TOO_BIG => Ending::Failed(CloseCode::TooBig),
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
