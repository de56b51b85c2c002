//! Drives an open connection, whatever dialect it uses.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use chat_outbox::{Outbox, Signal};
use chat_protocol::CloseCode;
use futures::{FutureExt, SinkExt};
use tokio::task::coop::consume_budget;
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_tungstenite::tungstenite::protocol::Message;

use crate::admission::rate_limit::{Rate, RateLimiter};
use crate::connection::close;
use crate::connection::deadlines::{Deadlines, Due};
use crate::connection::input::{self, Next, Socket, heard};
use crate::context::Context;
use crate::encoding::frames;
use crate::metrics;
use crate::session::ending::CloseReason;
use crate::session::protocol::Protocol;
use crate::transport::stream::{HangUp, hang_up};
use crate::transport::tcp::Tcp;
use crate::transport::wire::Wire;

/// Something to act on.
enum Step {
    /// The alarm rang.
    Alarm,
    /// The outbox has a signal.
    Signal(Signal),
    /// The protocol has finished its pending work.
    Done(Result<(), CloseReason>),
    /// The client sent something.
    Read(Next),
}

/// A connection and the protocol on it.
pub(super) struct ConnectionDriver<T> {
    talk: T,
    outbox: Arc<Outbox<Tcp>>,
    clock: Deadlines,
    pace: RateLimiter,
    context: Arc<Context>,
}

impl<T: Protocol> ConnectionDriver<T> {
    pub(super) fn new(talk: T, outbox: Arc<Outbox<Tcp>>, context: Arc<Context>) -> Self {
        let now = Instant::now();
        Self {
            talk,
            outbox,
            clock: Deadlines::new(&context.config().timings, now),
            pace: RateLimiter::new(now),
            context,
        }
    }

    /// Runs until there is a reason to close.
    ///
    /// This future makes up most of the memory of an idle connection, so large, short-lived parts
    /// of it are boxed.
    #[expect(
        clippy::manual_async_fn,
        reason = "it would keep room for its arguments beside what becomes of them"
    )]
    pub(super) fn run(&mut self, wire: &mut Wire) -> impl Future<Output = CloseReason> {
        async move {
            self.talk.log("opened", None);
            let ending = self.listen(wire).await;
            if ending == CloseReason::ShuttingDown {
                Box::pin(close::settle(self.talk.settle(), wire)).await;
            }
            self.talk.log("closed", Some(ending));
            ending.count();
            ending
        }
    }

    /// The state shared by all connections.
    pub(super) fn context(&self) -> Arc<Context> {
        Arc::clone(&self.context)
    }

    #[expect(
        clippy::manual_async_fn,
        reason = "it would keep room for its arguments beside what becomes of them"
    )]
    fn listen(&mut self, wire: &mut Wire) -> impl Future<Output = CloseReason> {
        async move {
            let mut socket = Box::pin(input::wrap(wire, &self.context)).await;
            let stopping = self.context.drain.wave();
            let mut stopping = pin!(stopping.cancelled());
            let mut alarm = pin!(sleep_until(self.next_alarm(&socket)));
            loop {
                self.set_alarm(alarm.as_mut(), &socket);
                // nothing of it lives across the awaits below, since that would permanently enlarge
                // the future
                let step = tokio::select! {
                    biased;
                    () = &mut stopping => return CloseReason::ShuttingDown,
                    () = &mut alarm => Step::Alarm,
                    step = self.step(&mut socket) => step,
                };
                let ending = match step {
                    Step::Alarm => self.ring(&mut socket),
                    Step::Signal(Signal::TooSlow) => Some(CloseReason::TooSlow),
                    Step::Signal(Signal::Broken | Signal::Flushed) => Some(CloseReason::Gone),
                    Step::Signal(Signal::Probed) => self.probed(&socket),
                    Step::Done(Ok(())) => {
                        self.release_unless_held(Instant::now(), &mut socket);
                        None
                    }
                    Step::Done(Err(ending)) => Some(ending),
                    Step::Read(next) => self.take(next, &mut socket),
                };
                if let Some(ending) = ending {
                    return ending;
                }
                if input::has_grown(&socket) {
                    socket = Box::pin(input::renew(socket, &self.context)).await;
                }
                // a burst is served from memory and never waits, so other tasks would not get to
                // run
                consume_budget().await;
            }
        }
    }

    /// Performs the next step. Cancel-safe.
    async fn step(&mut self, socket: &mut Socket<'_>) -> Step {
        let (is_busy, reads) = (self.talk.is_busy(), !self.clock.is_held());
        // boxed only if there is work to do
        let mut proceeding = pin!(async { Box::pin(self.talk.proceed()).await });
        poll_fn(|cx| {
            // writing comes first: the protocol's pending work may depend on it
            if let Poll::Ready(signal) = socket.get_mut().poll_drain(cx) {
                return Poll::Ready(Step::Signal(signal));
            }
            if is_busy && let Poll::Ready(done) = proceeding.as_mut().poll(cx) {
                return Poll::Ready(Step::Done(done));
            }
            if reads { input::poll_next(socket, cx).map(Step::Read) } else { Poll::Pending }
        })
        .await
    }

    /// Makes sure that the alarm rings in time. An alarm that rings too early costs less than
    /// moving it for every frame.
    fn set_alarm(&self, alarm: Pin<&mut Sleep>, socket: &Socket<'_>) {
        let next = self.next_alarm(socket);
        if next < alarm.deadline() || alarm.is_elapsed() {
            alarm.reset(next);
        }
    }

    /// Handles what the socket returned. Returns why the connection ends, if it does.
    fn take(&mut self, next: Next, socket: &mut Socket<'_>) -> Option<CloseReason> {
        match next {
            Next::Pieces | Next::Frame(Some(Ok(Message::Pong(_) | Message::Frame(_)))) => {}
            Next::Frame(None) => return Some(CloseReason::Gone),
            Next::Frame(Some(Err(error))) => return Some(input::ending(&error)),
            Next::Frame(Some(Ok(Message::Close(close)))) => {
                return Some(CloseReason::ClientClosed(close.map(|close| close.code.into())));
            }
            Next::Frame(Some(Ok(Message::Binary(_)))) => {
                return Some(CloseReason::Failed(CloseCode::Unsupported));
            }
            Next::Frame(Some(Ok(Message::Text(text)))) => {
                if let Some(ending) = self.talk.on_text(&text) {
                    return Some(ending);
                }
            }
            // the library would write the pong only when polled for the next frame, which may be
            // much later
            Next::Frame(Some(Ok(Message::Ping(_)))) => drop(socket.flush().now_or_never()),
        }
        let now = Instant::now();
        let rate = Rate::of_frames(&self.context.config().limits);
        let limited_until = self.pace.note(socket.get_mut().take_frames(), now, rate);
        if limited_until.is_some() || self.talk.is_busy() {
            if limited_until.is_some() {
                metrics::rate_limited();
            }
            self.clock.hold(now, limited_until);
            self.look_for_hang_up(now, socket)
        } else {
            None
        }
    }

    fn release_unless_held(&mut self, now: Instant, socket: &mut Socket<'_>) {
        if self.clock.is_held() && !self.talk.is_busy() && !self.clock.is_limited(now) {
            let held = self.clock.release(now);
            socket.get_mut().pardon(held);
        }
    }

    /// Acts on everything that is due. Returns why the connection ends, if it does.
    fn ring(&mut self, socket: &mut Socket<'_>) -> Option<CloseReason> {
        let now = Instant::now();
        if self.talk.deadline().is_some_and(|deadline| now >= deadline) {
            return Some(CloseReason::Failed(CloseCode::Silent));
        }
        if self.clock.is_held() {
            if let Some(ending) = self.look_for_hang_up(now, socket) {
                return Some(ending);
            }
            self.release_unless_held(now, socket);
        }
        loop {
            match self.clock.due(now, heard(socket), &self.context.config().timings) {
                Due::Nothing => return None,
                Due::Silent => return Some(CloseReason::Failed(CloseCode::Silent)),
                Due::Incomplete => return Some(CloseReason::Failed(CloseCode::Policy)),
                Due::HungUp => return Some(CloseReason::Gone),
                Due::Ping => {
                    let waiting = self.outbox.backlog().bytes + self.outbox.queued_reply_bytes();
                    let drained = self.outbox.drained_bytes();
                    if self.clock.is_stalled(now, waiting, drained, &self.context.config().timings) {
                        return Some(CloseReason::TooSlow);
                    }
                    // a ping that does not fit is dropped; others like it are queued already
                    self.outbox.offer_control(&frames::PING);
                }
            }
        }
    }

    /// While reading is paused, the client's end of stream is not seen as a frame.
    fn look_for_hang_up(&mut self, now: Instant, socket: &Socket<'_>) -> Option<CloseReason> {
        match hang_up(socket.get_ref().stream()) {
            None => None,
            Some(HangUp::Reset) => Some(CloseReason::Gone),
            Some(HangUp::Finished) => {
                self.clock.note_hang_up(now);
                None
            }
        }
    }

    fn probed(&mut self, socket: &Socket<'_>) -> Option<CloseReason> {
        let ending = self.talk.on_probe();
        if ending.is_none() && self.clock.probe(Instant::now(), heard(socket)) {
            self.outbox.offer_control(&frames::PING);
        }
        ending
    }

    fn next_alarm(&self, socket: &Socket<'_>) -> Instant {
        let next = self.clock.next(heard(socket), &self.context.config().timings);
        self.talk.deadline().map_or(next, |deadline| deadline.min(next))
    }
}
