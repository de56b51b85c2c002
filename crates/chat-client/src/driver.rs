//! The task that owns the connection: it moves frames, commands and events between the socket, the session and the handles.

use std::ops::ControlFlow;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use crate::command::{Gate, Request};
use crate::connection::{Beat, Incoming, Link, Progress};
use crate::model::{Disconnect, Event, Options, after};
use crate::session::Session;

/// With nothing else to wake up for.
const FAR: Duration = Duration::from_secs(24 * 60 * 60);

/// The task of one client.
pub(crate) struct Task {
    pub(crate) options: Arc<Options>,
    pub(crate) session: Session,
    pub(crate) link: Link,
    /// From the handles: closed when there is nobody to answer.
    pub(crate) gate: Arc<Gate>,
    /// What comes through it.
    pub(crate) commands: mpsc::UnboundedReceiver<Request>,
    /// To the user's `Events`.
    pub(crate) events: mpsc::Sender<Event>,
    /// From the handles: true, or no handle left, when there is to be an end.
    pub(crate) closing: watch::Receiver<bool>,
    /// By when it has to be over; none as long as nobody asked.
    pub(crate) close_by: Option<Instant>,
    /// To the handles: the connection is closed for good.
    pub(crate) done: watch::Sender<bool>,
}

/// What the task woke up for.
enum Happened {
    Progress(Progress),
    Asked(Request),
    /// There is room for an event, or nobody to read it.
    Room,
    Time,
    Close,
}

impl Task {
    /// Runs until the client is closed for good and everything was told.
    pub(crate) async fn run(mut self) {
        self.live().await;
        let Self { mut session, link, gate, commands, events, done, .. } = self;
        drop(link);
        let last: Vec<_> = std::iter::from_fn(|| session.next_event()).collect();
        // whoever waits for an answer learns that there will be none
        gate.close();
        drop((commands, session));
        done.send_replace(true);
        for event in last {
            if events.send(event).await.is_err() {
                return;
            }
        }
    }

    async fn live(&mut self) {
        let mut timer = pin!(sleep_until(Instant::now() + FAR));
        loop {
            self.tell();
            // what is not told yet is the measure: while the user is behind, nothing more is read
            let reading = !self.session.has_events();
            let wake_at = self.wake_at();
            if timer.is_elapsed() || wake_at < timer.deadline() {
                timer.as_mut().reset(wake_at);
            }
            let takes_requests = self.close_by.is_none() && self.session.takes_requests();
            let happened = tokio::select! {
                progress = self.link.next(&mut self.session, reading) => Happened::Progress(progress),
                Some(request) = self.commands.recv(), if takes_requests => Happened::Asked(request),
                _ = self.events.reserve(), if !reading => Happened::Room,
                () = timer.as_mut() => Happened::Time,
                () = asked_to_close(&mut self.closing), if self.close_by.is_none() => Happened::Close,
            };
            if self.happened(happened, reading).is_break() {
                return;
            }
        }
    }

    fn happened(&mut self, happened: Happened, reading: bool) -> ControlFlow<()> {
        let now = Instant::now();
        match happened {
            Happened::Progress(progress) => self.progress(progress, now),
            Happened::Asked(request) => {
                self.session.request(request, now);
                ControlFlow::Continue(())
            }
            Happened::Room => {
                // the silence of a connection that was not read says nothing
                if let Some(wire) = self.link.wire() {
                    wire.heard(now);
                }
                ControlFlow::Continue(())
            }
            Happened::Time => self.time(now, reading),
            Happened::Close => self.close(now),
        }
    }

    fn progress(&mut self, progress: Progress, now: Instant) -> ControlFlow<()> {
        match progress {
            Progress::Incoming(Incoming::Ended(end)) => return self.ended(end, now),
            Progress::Incoming(incoming) => {
                if let Some(wire) = self.link.wire() {
                    wire.heard(now);
                }
                if let Incoming::Frame(frame) = incoming {
                    self.session.frame(&frame, now);
                }
            }
            Progress::Rested => self.link = Link::dial(&self.options, self.session.hello()),
            Progress::Dialed(Ok((wire, welcome))) => {
                self.link = Link::Up(wire);
                self.session.connected(welcome, now);
            }
            Progress::Dialed(Err(error)) => {
                let pause = self.session.unreachable(error);
                return self.come_back(pause);
            }
        }
        ControlFlow::Continue(())
    }

    fn time(&mut self, now: Instant, reading: bool) -> ControlFlow<()> {
        if self.close_by.is_some_and(|close_by| close_by <= now) {
            self.session.closed();
            return ControlFlow::Break(());
        }
        if self.session.deadline().is_some_and(|deadline| deadline <= now) {
            self.session.time(now);
        }
        let Some(wire) = self.link.wire() else { return ControlFlow::Continue(()) };
        if !reading {
            wire.show_life(now);
            return ControlFlow::Continue(());
        }
        match wire.check(now) {
            Beat::Fine => {}
            Beat::Ping => self.session.ping(),
            Beat::Dead => {
                // a program that was asleep finds both: that the time is up, and the answer
                return match self.link.next(&mut self.session, reading).now_or_never() {
                    Some(progress) => self.progress(progress, now),
                    None => self.ended(Disconnect::Silent, now),
                };
            }
        }
        ControlFlow::Continue(())
    }

    /// Takes what was asked before, writes it, and closes.
    fn close(&mut self, now: Instant) -> ControlFlow<()> {
        while self.session.takes_requests()
            && let Ok(request) = self.commands.try_recv()
        {
            self.session.request(request, now);
        }
        let Some(wire) = self.link.wire() else {
            self.session.closed();
            return ControlFlow::Break(());
        };
        wire.close();
        self.close_by = Some(after(now, self.options.close_timeout));
        ControlFlow::Continue(())
    }

    fn ended(&mut self, end: Disconnect, now: Instant) -> ControlFlow<()> {
        if self.close_by.is_some() {
            self.session.closed();
            return ControlFlow::Break(());
        }
        let pause = self.session.disconnected(end, now);
        self.come_back(pause)
    }

    fn come_back(&mut self, pause: Option<Duration>) -> ControlFlow<()> {
        let Some(pause) = pause else { return ControlFlow::Break(()) };
        self.link = Link::pause(pause);
        ControlFlow::Continue(())
    }

    /// Hands over as many events as there is room for.
    fn tell(&mut self) {
        while self.session.has_events() {
            match self.events.try_reserve() {
                Ok(room) => {
                    if let Some(event) = self.session.next_event() {
                        room.send(event);
                    }
                }
                Err(TrySendError::Full(())) => return,
                Err(TrySendError::Closed(())) => self.session.forget_events(),
            }
        }
    }

    fn wake_at(&mut self) -> Instant {
        let silence = self.link.wire().map(|wire| wire.deadline());
        let wakes = silence.into_iter().chain(self.session.deadline()).chain(self.close_by);
        wakes.min().unwrap_or_else(|| Instant::now() + FAR)
    }
}

/// Resolves when a handle asks for the end, or none is left. Cancel-safe.
async fn asked_to_close(closing: &mut watch::Receiver<bool>) {
    // an error: no handle is left
    let _ = closing.wait_for(|closing| *closing).await;
}
