//! The task of a client. It owns the connection, and moves frames, commands and events between the
//! socket, the session and the handles.

use std::ops::ControlFlow;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use chat_protocol::v2::User;
use futures::FutureExt;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use crate::command::{CommandQueue, Request};
use crate::connection::{Incoming, Link, Liveness, Progress};
use crate::model::{Disconnect, Event, Options, after};
use crate::session::Session;

/// The maximum time without a wake-up.
const MAX_SLEEP: Duration = Duration::from_secs(24 * 60 * 60);

/// The task of one client.
pub(crate) struct Driver {
    pub(crate) options: Arc<Options>,
    pub(crate) session: Session,
    pub(crate) link: Link,
    /// Closed at the end, so that commands without an answer fail.
    pub(crate) queue: Arc<CommandQueue>,
    /// The commands of the handles.
    pub(crate) commands: mpsc::UnboundedReceiver<Request>,
    /// To the user's `Events`.
    pub(crate) events: mpsc::Sender<Event>,
    /// From the handles: true once the client must close. The sender is dropped with the last
    /// handle, which means the same.
    pub(crate) closing: watch::Receiver<bool>,
    /// When closing must be complete. `None` until it is requested.
    pub(crate) close_by: Option<Instant>,
    /// To the handles: the user as whom the newest session acts.
    pub(crate) user: watch::Sender<User>,
    /// To the handles: true once the client is closed for good.
    pub(crate) done: watch::Sender<bool>,
}

/// Why the task woke up.
enum Wakeup {
    Progress(Progress),
    Request(Request),
    /// The user has read an event, or has dropped `Events`.
    EventCapacity,
    Timer,
    Close,
}

impl Driver {
    /// Runs until the client is closed for good and its events have been delivered.
    pub(crate) async fn run(mut self) {
        self.run_until_closed().await;
        let Self { mut session, link, queue, commands, events, done, .. } = self;
        drop(link);
        let last: Vec<_> = std::iter::from_fn(|| session.next_event()).collect();
        // dropping the commands without an answer makes their futures resolve
        queue.close();
        drop((commands, session));
        done.send_replace(true);
        for event in last {
            if events.send(event).await.is_err() {
                return;
            }
        }
    }

    async fn run_until_closed(&mut self) {
        let mut timer = pin!(sleep_until(Instant::now() + MAX_SLEEP));
        loop {
            self.deliver_events();
            // back-pressure: nothing is read from the server while events are undelivered
            let reading = !self.session.has_events();
            let wake_at = self.wake_at();
            if timer.is_elapsed() || wake_at < timer.deadline() {
                timer.as_mut().reset(wake_at);
            }
            let accepts_requests = self.close_by.is_none() && self.session.accepts_requests();
            let wakeup = tokio::select! {
                progress = self.link.next(|| self.session.next_frame(), reading) => Wakeup::Progress(progress),
                Some(request) = self.commands.recv(), if accepts_requests => Wakeup::Request(request),
                _ = self.events.reserve(), if !reading => Wakeup::EventCapacity,
                () = timer.as_mut() => Wakeup::Timer,
                () = close_requested(&mut self.closing), if self.close_by.is_none() => Wakeup::Close,
            };
            if self.on_wakeup(wakeup, reading).is_break() {
                return;
            }
        }
    }

    fn on_wakeup(&mut self, wakeup: Wakeup, reading: bool) -> ControlFlow<()> {
        let now = Instant::now();
        match wakeup {
            Wakeup::Progress(progress) => self.on_progress(progress, now),
            Wakeup::Request(request) => {
                self.session.on_request(request, now);
                ControlFlow::Continue(())
            }
            Wakeup::EventCapacity => {
                // the connection was not read, so the time without a byte says nothing
                if let Some(wire) = self.link.wire() {
                    wire.on_activity(now);
                }
                ControlFlow::Continue(())
            }
            Wakeup::Timer => self.on_timer(now, reading),
            Wakeup::Close => self.close(now),
        }
    }

    fn on_progress(&mut self, progress: Progress, now: Instant) -> ControlFlow<()> {
        match progress {
            Progress::Incoming(Incoming::Ended(end)) => return self.on_ended(end, now),
            Progress::Incoming(incoming) => {
                if let Some(wire) = self.link.wire() {
                    wire.on_activity(now);
                }
                if let Incoming::Frame(frame) = incoming {
                    self.session.on_frame(&frame, now);
                }
            }
            Progress::DelayOver => self.link = Link::dial(&self.options, self.session.hello()),
            Progress::Dialed(dialed) => match *dialed {
                Ok((wire, welcome)) => {
                    self.link = Link::Connected(wire);
                    self.user.send_replace(welcome.user.clone());
                    self.session.on_connected(welcome, now);
                }
                Err(error) => {
                    let delay = self.session.on_connect_failed(error);
                    return self.reconnect_after(delay);
                }
            },
        }
        ControlFlow::Continue(())
    }

    fn on_timer(&mut self, now: Instant, reading: bool) -> ControlFlow<()> {
        if self.close_by.is_some_and(|close_by| close_by <= now) {
            self.session.on_closed();
            return ControlFlow::Break(());
        }
        if self.session.deadline().is_some_and(|deadline| deadline <= now) {
            self.session.on_deadline(now);
        }
        let Some(wire) = self.link.wire() else { return ControlFlow::Continue(()) };
        if !reading {
            wire.keep_alive(now);
            return ControlFlow::Continue(());
        }
        match wire.check(now) {
            Liveness::Alive => {}
            Liveness::PingDue => self.session.ping(),
            Liveness::Dead => {
                // after a system was suspended, the timeout and the answer are found together
                let progress = self.link.next(|| self.session.next_frame(), reading).now_or_never();
                return match progress {
                    Some(progress) => self.on_progress(progress, now),
                    None => self.on_ended(Disconnect::HeartbeatTimeout, now),
                };
            }
        }
        ControlFlow::Continue(())
    }

    /// Takes the commands that were submitted before, and closes once they are written.
    fn close(&mut self, now: Instant) -> ControlFlow<()> {
        while self.session.accepts_requests()
            && let Ok(request) = self.commands.try_recv()
        {
            self.session.on_request(request, now);
        }
        let Some(wire) = self.link.wire() else {
            self.session.on_closed();
            return ControlFlow::Break(());
        };
        wire.close();
        self.close_by = Some(after(now, self.options.close_timeout));
        ControlFlow::Continue(())
    }

    fn on_ended(&mut self, end: Disconnect, now: Instant) -> ControlFlow<()> {
        if self.close_by.is_some() {
            self.session.on_closed();
            return ControlFlow::Break(());
        }
        let delay = self.session.on_disconnected(end, now);
        self.reconnect_after(delay)
    }

    fn reconnect_after(&mut self, delay: Option<Duration>) -> ControlFlow<()> {
        let Some(delay) = delay else { return ControlFlow::Break(()) };
        self.link = Link::wait(delay);
        ControlFlow::Continue(())
    }

    /// Delivers as many events as the channel has capacity for.
    fn deliver_events(&mut self) {
        while self.session.has_events() {
            match self.events.try_reserve() {
                Ok(capacity) => {
                    if let Some(event) = self.session.next_event() {
                        capacity.send(event);
                    }
                }
                Err(TrySendError::Full(())) => return,
                Err(TrySendError::Closed(())) => self.session.discard_events(),
            }
        }
    }

    fn wake_at(&mut self) -> Instant {
        let heartbeat = self.link.wire().map(|wire| wire.deadline());
        let deadlines = heartbeat.into_iter().chain(self.session.deadline()).chain(self.close_by);
        deadlines.min().unwrap_or_else(|| Instant::now() + MAX_SLEEP)
    }
}

/// Resolves when a handle requests the end, or no handle is left. Cancel-safe.
async fn close_requested(closing: &mut watch::Receiver<bool>) {
    // an error means that no handle is left
    let _ = closing.wait_for(|closing| *closing).await;
}
