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
use crate::connection::input::{self, Next, Socket, read_status};
use crate::context::Context;
use crate::encoding::frames;
use crate::metrics;
use crate::session::close_reason::CloseReason;
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
    protocol: T,
    outbox: Arc<Outbox<Tcp>>,
    deadlines: Deadlines,
    rate_limiter: RateLimiter,
    context: Arc<Context>,
}

impl<T: Protocol> ConnectionDriver<T> {
    pub(super) fn new(protocol: T, outbox: Arc<Outbox<Tcp>>, context: Arc<Context>) -> Self {
        let now = Instant::now();
        Self {
            protocol,
            outbox,
            deadlines: Deadlines::new(&context.config().timings, now),
            rate_limiter: RateLimiter::new(now),
            context,
        }
    }

    /// Runs until there is a reason to close.
    ///
    /// This future makes up most of the memory of an idle connection, so large, short-lived parts
    /// of it are boxed.
    #[expect(
        clippy::manual_async_fn,
        reason = "it would reserve space for its arguments besides the values made from them"
    )]
    pub(super) fn run(&mut self, wire: &mut Wire) -> impl Future<Output = CloseReason> {
        async move {
            self.protocol.log("opened", None);
            let reason = self.drive(wire).await;
            if reason == CloseReason::ShuttingDown {
                Box::pin(close::settle(self.protocol.settle(), wire)).await;
            }
            self.protocol.log("closed", Some(reason));
            reason.count();
            reason
        }
    }

    /// The state shared by all connections.
    pub(super) fn context(&self) -> Arc<Context> {
        Arc::clone(&self.context)
    }

    #[expect(
        clippy::manual_async_fn,
        reason = "it would reserve space for its arguments besides the values made from them"
    )]
    fn drive(&mut self, wire: &mut Wire) -> impl Future<Output = CloseReason> {
        async move {
            let mut socket = Box::pin(input::wrap(wire)).await;
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
                let reason = match step {
                    Step::Alarm => self.on_alarm(&mut socket),
                    Step::Signal(Signal::TooSlow) => Some(CloseReason::TooSlow),
                    Step::Signal(Signal::Broken | Signal::Flushed) => Some(CloseReason::Gone),
                    Step::Signal(Signal::Probed) => self.on_probe(&socket),
                    Step::Done(Ok(())) => {
                        self.resume_if_ready(Instant::now(), &mut socket);
                        None
                    }
                    Step::Done(Err(reason)) => Some(reason),
                    Step::Read(next) => self.on_read(next, &mut socket),
                };
                if let Some(reason) = reason {
                    return reason;
                }
                if input::has_grown(&socket) {
                    socket = Box::pin(input::shrink(socket)).await;
                }
                // a burst is served from memory and never waits, so other tasks would not get to
                // run
                consume_budget().await;
            }
        }
    }

    /// Performs the next step. Cancel-safe.
    async fn step(&mut self, socket: &mut Socket<'_>) -> Step {
        let (is_busy, is_reading) = (self.protocol.is_busy(), !self.deadlines.is_paused());
        // boxed only if there is work to do
        let mut work = pin!(async { Box::pin(self.protocol.proceed()).await });
        poll_fn(|cx| {
            // writing comes first: the protocol's pending work may depend on it
            if let Poll::Ready(signal) = socket.get_mut().poll_drain(cx) {
                return Poll::Ready(Step::Signal(signal));
            }
            if is_busy && let Poll::Ready(done) = work.as_mut().poll(cx) {
                return Poll::Ready(Step::Done(done));
            }
            if is_reading { input::poll_next(socket, cx).map(Step::Read) } else { Poll::Pending }
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
    fn on_read(&mut self, next: Next, socket: &mut Socket<'_>) -> Option<CloseReason> {
        match next {
            Next::ManyFrames | Next::Frame(Some(Ok(Message::Pong(_) | Message::Frame(_)))) => {}
            Next::Frame(None) => return Some(CloseReason::Gone),
            Next::Frame(Some(Err(error))) => return Some(input::close_reason(&error)),
            Next::Frame(Some(Ok(Message::Close(close)))) => {
                return Some(CloseReason::ClientClosed(close.map(|close| close.code.into())));
            }
            Next::Frame(Some(Ok(Message::Binary(_)))) => {
                return Some(CloseReason::Failed(CloseCode::Unsupported));
            }
            Next::Frame(Some(Ok(Message::Text(text)))) => {
                if let Some(reason) = self.protocol.on_text(&text) {
                    return Some(reason);
                }
            }
            // the library would write the pong only when polled for the next frame, which may be
            // much later
            Next::Frame(Some(Ok(Message::Ping(_)))) => drop(socket.flush().now_or_never()),
        }
        let now = Instant::now();
        let rate = Rate::of_frames(&self.context.config().limits);
        let limited_until = self.rate_limiter.record(socket.get_mut().take_frames(), now, rate);
        if limited_until.is_some() || self.protocol.is_busy() {
            if limited_until.is_some() {
                metrics::rate_limited();
            }
            self.deadlines.pause(now, limited_until);
            self.check_hang_up(now, socket)
        } else {
            None
        }
    }

    fn resume_if_ready(&mut self, now: Instant, socket: &mut Socket<'_>) {
        if self.deadlines.is_paused() && !self.protocol.is_busy() && !self.deadlines.is_limited(now) {
            let pause = self.deadlines.resume(now);
            socket.get_mut().exclude_pause(pause);
        }
    }

    /// Acts on everything that is due. Returns why the connection ends, if it does.
    fn on_alarm(&mut self, socket: &mut Socket<'_>) -> Option<CloseReason> {
        let now = Instant::now();
        if self.protocol.deadline().is_some_and(|deadline| now >= deadline) {
            return Some(CloseReason::Failed(CloseCode::Silent));
        }
        if self.deadlines.is_paused() {
            if let Some(reason) = self.check_hang_up(now, socket) {
                return Some(reason);
            }
            self.resume_if_ready(now, socket);
        }
        loop {
            match self.deadlines.due(now, read_status(socket), &self.context.config().timings) {
                Due::Nothing => return None,
                Due::Silent => return Some(CloseReason::Failed(CloseCode::Silent)),
                Due::Incomplete => return Some(CloseReason::Failed(CloseCode::Policy)),
                Due::HungUp => return Some(CloseReason::Gone),
                Due::Ping => {
                    let queued = self.outbox.backlog().bytes + self.outbox.queued_reply_bytes();
                    let drained = self.outbox.drained_bytes();
                    if self.deadlines.is_stalled(now, queued, drained, &self.context.config().timings) {
                        return Some(CloseReason::TooSlow);
                    }
                    // a ping that does not fit is dropped; others like it are queued already
                    self.outbox.offer_control(&frames::PING);
                }
            }
        }
    }

    /// While reading is paused, the client's end of stream is not seen as a frame.
    fn check_hang_up(&mut self, now: Instant, socket: &Socket<'_>) -> Option<CloseReason> {
        match hang_up(socket.get_ref().stream()) {
            None => None,
            Some(HangUp::Reset) => Some(CloseReason::Gone),
            Some(HangUp::Finished) => {
                self.deadlines.note_hang_up(now);
                None
            }
        }
    }

    fn on_probe(&mut self, socket: &Socket<'_>) -> Option<CloseReason> {
        let reason = self.protocol.on_probe();
        if reason.is_none() && self.deadlines.probe(Instant::now(), read_status(socket)) {
            self.outbox.offer_control(&frames::PING);
        }
        reason
    }

    fn next_alarm(&self, socket: &Socket<'_>) -> Instant {
        let next = self.deadlines.next(read_status(socket), &self.context.config().timings);
        self.protocol.deadline().map_or(next, |deadline| deadline.min(next))
    }
}
