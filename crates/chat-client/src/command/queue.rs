//! The way from the handles to the task: commands in the order in which they were asked, so many at once and no more.
//!
//! A command has its place from the moment it is asked until it is answered. Where all places are taken it waits in line, kept
//! by the future that waits for it: dropped, it is taken out of the line. So what is kept is bounded by the places and by what the
//! user's own futures hold, and the channel behind needs no bound of its own.

use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::sync::{mpsc, oneshot};

use super::request::Request;
use crate::model::CommandError;

/// What has places of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Messages that have no ack.
    Message,
    /// Other commands that have no answer.
    Call,
}

/// A command that only lacks its place.
type Unplaced = Box<dyn FnOnce(Place) -> Request + Send>;

/// The way from the handles to the task.
pub(crate) struct Gate {
    state: Mutex<State>,
    /// To the task. Written with the state locked: that is what keeps the order.
    commands: mpsc::UnboundedSender<Request>,
}

struct State {
    messages: Line,
    calls: Line,
    /// The number of the next command that has to wait.
    next: u64,
    /// Nothing goes through any more.
    closed: bool,
}

#[derive(Default)]
struct Line {
    /// Places that nobody has.
    free: usize,
    /// Those without a place, by number.
    waiting: BTreeMap<u64, Waiting>,
}

struct Waiting {
    command: Unplaced,
    /// Told when it has its place; the other end may be gone.
    placed: oneshot::Sender<()>,
}

impl Gate {
    /// A gate with so many places of each kind, and the task's end of it.
    pub(crate) fn new(messages: usize, calls: usize) -> (Arc<Self>, mpsc::UnboundedReceiver<Request>) {
        let (commands, to_do) = mpsc::unbounded_channel();
        let line = |free| Line { free, waiting: BTreeMap::new() };
        let state = State { messages: line(messages), calls: line(calls), next: 0, closed: false };
        (Arc::new(Self { state: Mutex::new(state), commands }), to_do)
    }

    /// Asks for something, in its order. It is answered once, or dropped when there will be no answer.
    pub(crate) fn ask<T: Send + 'static>(
        self: &Arc<Self>,
        kind: Kind,
        request: impl FnOnce(Reply<T>) -> Request + Send + 'static,
    ) -> Asked<T> {
        let (to, answer) = oneshot::channel();
        let command = move |place| request(Reply { to, _place: place });
        Asked { answer, wait: self.enter(kind, command) }
    }

    fn enter(
        self: &Arc<Self>,
        kind: Kind,
        command: impl FnOnce(Place) -> Request + Send + 'static,
    ) -> Option<Wait> {
        let mut state = self.state();
        if state.closed {
            return None;
        }
        let number = state.next;
        let line = state.line(kind);
        if let Some(free) = line.free.checked_sub(1) {
            line.free = free;
            let unsent = self.commands.send(command(self.place(kind)));
            // what the task does not take any more gives its place back, and for that the state has to be unlocked
            drop(state);
            drop(unsent);
            return None;
        }
        let (placed, has_place) = oneshot::channel();
        line.waiting.insert(number, Waiting { command: Box::new(command), placed });
        state.next += 1;
        Some(Wait { gate: Arc::clone(self), kind, number, has_place })
    }

    /// Somebody gives a place back: it is the next one's in line.
    fn give_back(self: &Arc<Self>, kind: Kind) {
        let mut state = self.state();
        if state.closed || self.commands.is_closed() {
            drop(state);
            self.close();
            return;
        }
        let line = state.line(kind);
        let Some((_, next)) = line.waiting.pop_first() else {
            line.free += 1;
            return;
        };
        let unsent = self.commands.send((next.command)(self.place(kind)));
        let _ = next.placed.send(());
        drop(state);
        drop(unsent);
    }

    /// Lets nothing through any more. Whoever waits learns that there will be no answer.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        let waiting = (std::mem::take(&mut state.messages.waiting), std::mem::take(&mut state.calls.waiting));
        drop(state);
        drop(waiting);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.state().closed
    }

    fn place(self: &Arc<Self>, kind: Kind) -> Place {
        Place { gate: Arc::clone(self), kind }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // nothing panics half-way through a change of it
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn line(&mut self, kind: Kind) -> &mut Line {
        match kind {
            Kind::Message => &mut self.messages,
            Kind::Call => &mut self.calls,
        }
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").field("is_closed", &self.is_closed()).finish_non_exhaustive()
    }
}

/// A place; dropped, it is given back.
#[derive(Debug)]
pub(crate) struct Place {
    gate: Arc<Gate>,
    kind: Kind,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.gate.give_back(self.kind);
    }
}

/// Where an answer goes.
#[derive(Debug)]
pub(crate) struct Reply<T> {
    /// The other end may be gone: then nobody wants to know any more.
    to: oneshot::Sender<Result<T, CommandError>>,
    /// Given back with the answer.
    _place: Place,
}

impl<T> Reply<T> {
    pub(crate) fn answer(self, answer: Result<T, CommandError>) {
        let _ = self.to.send(answer);
    }
}

/// A place in the line; dropped, what waits there is asked no more.
#[derive(Debug)]
struct Wait {
    gate: Arc<Gate>,
    kind: Kind,
    number: u64,
    has_place: oneshot::Receiver<()>,
}

impl Drop for Wait {
    fn drop(&mut self) {
        // dropped when the state is unlocked again
        let _waited = self.gate.state().line(self.kind).waiting.remove(&self.number);
    }
}

/// Something that was asked. Resolves with the answer. Dropped while it waits for its place, it was never asked.
#[derive(Debug)]
pub(crate) struct Asked<T> {
    answer: oneshot::Receiver<Result<T, CommandError>>,
    /// None when it did not have to wait.
    wait: Option<Wait>,
}

impl<T> Asked<T> {
    /// Resolves when it has its place. Cancel-safe.
    pub(crate) async fn placed(&mut self) -> Result<(), CommandError> {
        if let Some(wait) = &mut self.wait {
            (&mut wait.has_place).await.map_err(|_| CommandError::Closed)?;
            self.wait = None;
        }
        Ok(())
    }
}

impl<T> Future for Asked<T> {
    type Output = Result<T, CommandError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(ready!(Pin::new(&mut self.answer).poll(cx)).unwrap_or(Err(CommandError::Closed)))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::FutureExt;

    use super::*;

    fn ask(gate: &Arc<Gate>) -> Asked<Duration> {
        gate.ask(Kind::Call, |reply| Request::Ping { reply })
    }

    fn answer(to_do: &mut mpsc::UnboundedReceiver<Request>, millis: u64) {
        let Ok(Request::Ping { reply }) = to_do.try_recv() else { panic!("nothing to do") };
        reply.answer(Ok(Duration::from_millis(millis)));
    }

    fn answered(asked: Asked<Duration>) -> Result<u128, CommandError> {
        asked.now_or_never().unwrap().map(|time| time.as_millis())
    }

    #[test]
    fn who_has_no_place_waits_in_line() {
        let (gate, mut to_do) = Gate::new(1, 2);
        let (first, second, mut third, fourth) = (ask(&gate), ask(&gate), ask(&gate), ask(&gate));
        assert_eq!(to_do.len(), 2);
        assert!(third.placed().now_or_never().is_none());
        answer(&mut to_do, 1);
        assert!(third.placed().now_or_never().is_some());
        for millis in [2, 3, 4] {
            answer(&mut to_do, millis);
        }
        let answers = [first, second, third, fourth].map(answered);
        assert_eq!(answers, [Ok(1), Ok(2), Ok(3), Ok(4)]);
    }

    #[test]
    fn who_goes_away_is_asked_for_no_more() {
        let (gate, mut to_do) = Gate::new(1, 1);
        let (_first, second, third) = (ask(&gate), ask(&gate), ask(&gate));
        drop(second);
        answer(&mut to_do, 1);
        answer(&mut to_do, 3);
        assert_eq!(answered(third), Ok(3));
        assert!(to_do.is_empty());
    }

    #[test]
    fn nobody_waits_at_a_closed_gate() {
        let (gate, to_do) = Gate::new(1, 1);
        let (first, mut second) = (ask(&gate), ask(&gate));
        gate.close();
        assert_eq!(second.placed().now_or_never(), Some(Err(CommandError::Closed)));
        drop(to_do);
        assert_eq!(answered(first), Err(CommandError::Closed));
        assert_eq!(answered(ask(&gate)), Err(CommandError::Closed));
    }

    #[test]
    fn a_task_that_is_gone_closes_it() {
        let (gate, to_do) = Gate::new(1, 1);
        let asked = [ask(&gate), ask(&gate), ask(&gate)];
        drop(to_do);
        assert!(asked.into_iter().all(|asked| answered(asked) == Err(CommandError::Closed)));
        assert!(gate.is_closed());
    }
}
