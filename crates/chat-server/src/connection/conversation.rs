//! What goes on while a connection lasts, whatever is spoken on it.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;

use chat_protocol::CloseCode;
use chat_rooms::outbox::{Outbox, Signal};
use futures::{FutureExt, SinkExt};
use tokio::task::coop::consume_budget;
use tokio::time::{Duration, Instant, Sleep, sleep_until};
use tokio_tungstenite::tungstenite::protocol::Message;

use super::clock::{Clock, Due};
use super::farewell::{self, Ending};
use super::socket::{self, Next, Socket, heard};
use super::wire::{Tcp, Wire};
use super::{HangUp, hang_up};
use crate::context::Context;
use crate::frames;
use crate::pace::{Pace, Rate};

/// What a dialect makes of a connection.
pub(super) trait Talk {
    /// Takes a text frame. Gives why the connection ends, if it does. It may be [busy](Self::is_busy) with it afterwards.
    fn hear(&mut self, text: &str) -> Option<Ending>;

    /// Whether something has to be done before the next frame is read.
    fn is_busy(&self) -> bool;

    /// Goes on with what has to be done; resolves when it is, or with the reason why the connection ends. Cancel-safe: what was
    /// begun goes on when it is called again.
    fn proceed(&mut self) -> impl Future<Output = Result<(), Ending>> + Send;

    /// Until when the client has to have said something that it has not said yet.
    fn deadline(&self) -> Option<Instant>;

    /// Somebody else asks for what this connection holds. Gives why the connection ends, if it does.
    fn knocked(&mut self) -> Option<Ending>;

    /// Says what was read and not yet said, and waits until it and everything before it has reached everyone's outbox.
    fn settle(&mut self) -> impl Future<Output = ()> + Send;

    /// For the log.
    fn log(&self, what: &str, ending: Option<Ending>);
}

/// A connection and what is spoken on it.
pub(super) struct Conversation<T> {
    talk: T,
    outbox: Arc<Outbox<Tcp>>,
    clock: Clock,
    pace: Pace,
    context: Arc<Context>,
}

impl<T: Talk> Conversation<T> {
    pub(super) fn new(talk: T, outbox: Arc<Outbox<Tcp>>, context: Arc<Context>) -> Self {
        let now = Instant::now();
        Self { talk, outbox, clock: Clock::new(&context.config.timings, now), pace: Pace::new(now), context }
    }

    /// Talks until there is a reason to end.
    ///
    /// Its future is what an idle connection costs most of, so what is large and short-lived in it is boxed, its argument too: a
    /// future keeps room for what it was given for as long as it lasts.
    pub(super) async fn run(&mut self, wire: Box<Wire>) -> Ending {
        self.talk.log("opened", None);
        let ending = self.listen(wire).await;
        if ending == Ending::ShuttingDown {
            Box::pin(farewell::settle(self.talk.settle(), &self.outbox)).await;
        }
        self.talk.log("closed", Some(ending));
        ending
    }

    /// How long the socket may take for what is in its outbox at the end.
    pub(super) fn patience(&self) -> Duration {
        self.context.config.timings.close
    }

    async fn listen(&mut self, wire: Box<Wire>) -> Ending {
        let mut socket = Box::pin(socket::wrap(*wire, &self.context)).await;
        let stopping = self.context.stopping.clone();
        let mut stopping = pin!(stopping.cancelled());
        let mut alarm = pin!(sleep_until(self.next_alarm(&socket)));
        loop {
            self.set_alarm(alarm.as_mut(), &socket);
            // nothing of it is kept while something is waited for below: it would be in the future for good
            tokio::select! {
                biased;
                () = &mut stopping => return Ending::ShuttingDown,
                signal = poll_fn(|cx| self.outbox.poll_drain(cx)) => match signal {
                    Signal::TooSlow => return Ending::TooSlow,
                    Signal::Broken | Signal::Flushed => return Ending::Gone,
                    Signal::Challenged => {
                        if let Some(ending) = self.challenged(&socket) {
                            return ending;
                        }
                        continue;
                    }
                },
                () = &mut alarm => {
                    if let Some(ending) = self.ring(&mut socket) {
                        return ending;
                    }
                    continue;
                }
                // boxed only where there is something to do
                done = async { Box::pin(self.talk.proceed()).await }, if self.talk.is_busy() => match done {
                    Ok(()) => {
                        self.release_unless_held(Instant::now(), &mut socket);
                        continue;
                    }
                    Err(ending) => return ending,
                },
                frame = socket::read(&mut socket), if !self.clock.is_held() => {
                    if let Some(ending) = self.take(frame, &mut socket) {
                        return ending;
                    }
                }
            }
            if socket::has_grown(&socket) {
                socket = Box::pin(socket::renew(socket, &self.context)).await;
            }
            // a burst comes out of memory, and waits for nothing that would let others run
            consume_budget().await;
        }
    }

    /// Sees to it that the alarm rings in time. One that comes too early costs less than moving it for every frame.
    fn set_alarm(&self, alarm: Pin<&mut Sleep>, socket: &Socket) {
        let next = self.next_alarm(socket);
        if next < alarm.deadline() || alarm.is_elapsed() {
            alarm.reset(next);
        }
    }

    /// Takes what the socket gave. Gives why the connection ends, if it does.
    fn take(&mut self, next: Next, socket: &mut Socket) -> Option<Ending> {
        match next {
            Next::Pieces | Next::Frame(Some(Ok(Message::Pong(_) | Message::Frame(_)))) => {}
            Next::Frame(None) => return Some(Ending::Gone),
            Next::Frame(Some(Err(error))) => return Some(socket::ending(&error)),
            Next::Frame(Some(Ok(Message::Close(close)))) => {
                return Some(Ending::ClientClosed(close.map(|close| close.code.into())));
            }
            Next::Frame(Some(Ok(Message::Binary(_)))) => return Some(Ending::Failed(CloseCode::Unsupported)),
            Next::Frame(Some(Ok(Message::Text(text)))) => {
                if let Some(ending) = self.talk.hear(&text) {
                    return Some(ending);
                }
            }
            // the library writes the pong when it is asked for the next frame, which may take a while
            Next::Frame(Some(Ok(Message::Ping(_)))) => drop(socket.flush().now_or_never()),
        }
        let now = Instant::now();
        let rate = Rate::of_frames(&self.context.config.limits);
        let paced_until = self.pace.note(socket.get_mut().take_frames(), now, rate);
        if paced_until.is_some() || self.talk.is_busy() {
            self.clock.hold(now, paced_until);
            self.look_for_hang_up(now)
        } else {
            None
        }
    }

    fn release_unless_held(&mut self, now: Instant, socket: &mut Socket) {
        if self.clock.is_held() && !self.talk.is_busy() && !self.clock.is_paced(now) {
            let held = self.clock.release(now);
            socket.get_mut().pardon(held);
        }
    }

    /// Acts on what is due. Gives why the connection ends, if it does.
    fn ring(&mut self, socket: &mut Socket) -> Option<Ending> {
        let now = Instant::now();
        if self.talk.deadline().is_some_and(|deadline| now >= deadline) {
            return Some(Ending::Failed(CloseCode::Silent));
        }
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
                    let waiting = self.outbox.waiting().bytes + self.outbox.waiting_answers();
                    let drained = self.outbox.drained_bytes();
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

    fn challenged(&mut self, socket: &Socket) -> Option<Ending> {
        let ending = self.talk.knocked();
        if ending.is_none() && self.clock.challenge(Instant::now(), heard(socket)) {
            self.outbox.offer_control(&frames::PING);
        }
        ending
    }

    fn next_alarm(&self, socket: &Socket) -> Instant {
        let next = self.clock.next(heard(socket), &self.context.config.timings);
        self.talk.deadline().map_or(next, |deadline| deadline.min(next))
    }
}
