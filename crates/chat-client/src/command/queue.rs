//! The queue from the handles to the task: commands in the order in which they were submitted, with
//! a bounded number in flight.
//!
//! A command holds a permit from its submission until its answer. Without a free permit it waits,
//! and the future that waits for the answer owns it: if that future is dropped, the command is
//! removed. Memory is therefore bounded by the permits and by the futures that the user holds, and
//! the channel to the task needs no bound of its own.
//!
//! The order is decided when a command is submitted, and not when its future is first polled. A
//! semaphore does not offer that.

use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::sync::{mpsc, oneshot};

use super::reply::{Class, Permit, PermitPool, Responder};
use super::request::Request;
use crate::model::CommandError;

/// A command that lacks only its permit.
type Unpermitted = Box<dyn FnOnce(Permit) -> Request + Send>;

/// The queue from the handles to the task.
pub(crate) struct CommandQueue {
    state: Mutex<State>,
    /// To the task. Written while `state` is locked, which preserves the order.
    commands: mpsc::UnboundedSender<Request>,
}

struct State {
    messages: Permits,
    calls: Permits,
    /// The number of the next command that waits.
    next: u64,
    closed: bool,
}

#[derive(Default)]
struct Permits {
    free: usize,
    /// Commands without a permit, in their order.
    waiting: BTreeMap<u64, Waiting>,
}

struct Waiting {
    command: Unpermitted,
    /// Notified when the command gets its permit; the other end may have been dropped.
    accepted: oneshot::Sender<()>,
}

impl CommandQueue {
    /// A queue with this number of permits for each class, and the task's end of it.
    pub(crate) fn new(messages: usize, calls: usize) -> (Arc<Self>, mpsc::UnboundedReceiver<Request>) {
        let (commands, receiver) = mpsc::unbounded_channel();
        let permits = |free| Permits { free, waiting: BTreeMap::new() };
        let state = State { messages: permits(messages), calls: permits(calls), next: 0, closed: false };
        (Arc::new(Self { state: Mutex::new(state), commands }), receiver)
    }

    /// Submits a command. It is answered once, or dropped if there will be no answer.
    pub(crate) fn submit<T: Send + 'static>(
        self: &Arc<Self>,
        class: Class,
        request: impl FnOnce(Responder<T>) -> Request + Send + 'static,
    ) -> PendingReply<T> {
        let (sender, answer) = oneshot::channel();
        let command = move |permit| request(Responder::new(sender, permit));
        PendingReply { answer, wait: self.enqueue(class, command) }
    }

    fn enqueue(
        self: &Arc<Self>,
        class: Class,
        command: impl FnOnce(Permit) -> Request + Send + 'static,
    ) -> Option<Wait> {
        let mut state = self.state();
        if state.closed {
            return None;
        }
        let number = state.next;
        let permits = state.permits(class);
        if let Some(free) = permits.free.checked_sub(1) {
            permits.free = free;
            let unsent = self.commands.send(command(self.permit(class)));
            // dropping a command that the task no longer accepts releases its permit, which locks
            // the state
            drop(state);
            drop(unsent);
            return None;
        }
        let (accepted, is_accepted) = oneshot::channel();
        permits.waiting.insert(number, Waiting { command: Box::new(command), accepted });
        state.next += 1;
        Some(Wait { queue: Arc::clone(self), class, number, is_accepted })
    }

    /// Accepts no more commands. Waiting ones are dropped, so their futures resolve.
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

    fn permit(self: &Arc<Self>, class: Class) -> Permit {
        let pool: Arc<dyn PermitPool> = Arc::<Self>::clone(self);
        Permit::new(pool, class)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // no panic leaves the state half changed
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PermitPool for CommandQueue {
    /// Passes the permit to the next command that waits.
    fn release(self: Arc<Self>, class: Class) {
        let mut state = self.state();
        if state.closed || self.commands.is_closed() {
            drop(state);
            self.close();
            return;
        }
        let permits = state.permits(class);
        let Some((_, next)) = permits.waiting.pop_first() else {
            permits.free += 1;
            return;
        };
        let unsent = self.commands.send((next.command)(self.permit(class)));
        let _ = next.accepted.send(());
        drop(state);
        drop(unsent);
    }
}

impl State {
    fn permits(&mut self, class: Class) -> &mut Permits {
        match class {
            Class::Message => &mut self.messages,
            Class::Call => &mut self.calls,
        }
    }
}

impl fmt::Debug for CommandQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommandQueue").field("is_closed", &self.is_closed()).finish_non_exhaustive()
    }
}

/// A command that waits for a permit. The command is removed when this is dropped.
#[derive(Debug)]
struct Wait {
    queue: Arc<CommandQueue>,
    class: Class,
    number: u64,
    is_accepted: oneshot::Receiver<()>,
}

impl Drop for Wait {
    fn drop(&mut self) {
        // the command is dropped after the state is unlocked
        let _removed = self.queue.state().permits(self.class).waiting.remove(&self.number);
    }
}

/// A submitted command. Resolves with the answer. A command that is dropped while it waits for a
/// permit is never sent.
#[derive(Debug)]
pub(crate) struct PendingReply<T> {
    answer: oneshot::Receiver<Result<T, CommandError>>,
    /// `None` if the command did not have to wait.
    wait: Option<Wait>,
}

impl<T> PendingReply<T> {
    /// Resolves when the command has its permit. Cancel-safe.
    pub(crate) async fn accepted(&mut self) -> Result<(), CommandError> {
        if let Some(wait) = &mut self.wait {
            (&mut wait.is_accepted).await.map_err(|_| CommandError::Closed)?;
            self.wait = None;
        }
        Ok(())
    }
}

impl<T> Future for PendingReply<T> {
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

    fn submit(queue: &Arc<CommandQueue>) -> PendingReply<Duration> {
        queue.submit(Class::Call, |responder| Request::Ping { responder })
    }

    fn answer(commands: &mut mpsc::UnboundedReceiver<Request>, millis: u64) {
        let Ok(Request::Ping { responder }) = commands.try_recv() else { panic!("no command") };
        responder.respond(Ok(Duration::from_millis(millis)));
    }

    fn answered(reply: PendingReply<Duration>) -> Result<u128, CommandError> {
        reply.now_or_never().unwrap().map(|time| time.as_millis())
    }

    #[test]
    fn commands_without_a_permit_wait_in_order() {
        let (queue, mut commands) = CommandQueue::new(1, 2);
        let (first, second, mut third, fourth) =
            (submit(&queue), submit(&queue), submit(&queue), submit(&queue));
        assert_eq!(commands.len(), 2);
        assert!(third.accepted().now_or_never().is_none());
        answer(&mut commands, 1);
        assert!(third.accepted().now_or_never().is_some());
        for millis in [2, 3, 4] {
            answer(&mut commands, millis);
        }
        let answers = [first, second, third, fourth].map(answered);
        assert_eq!(answers, [Ok(1), Ok(2), Ok(3), Ok(4)]);
    }

    #[test]
    fn a_dropped_command_is_not_sent() {
        let (queue, mut commands) = CommandQueue::new(1, 1);
        let (_first, second, third) = (submit(&queue), submit(&queue), submit(&queue));
        drop(second);
        answer(&mut commands, 1);
        answer(&mut commands, 3);
        assert_eq!(answered(third), Ok(3));
        assert!(commands.is_empty());
    }

    #[test]
    fn commands_do_not_wait_for_a_closed_queue() {
        let (queue, commands) = CommandQueue::new(1, 1);
        let (first, mut second) = (submit(&queue), submit(&queue));
        queue.close();
        assert_eq!(second.accepted().now_or_never(), Some(Err(CommandError::Closed)));
        drop(commands);
        assert_eq!(answered(first), Err(CommandError::Closed));
        assert_eq!(answered(submit(&queue)), Err(CommandError::Closed));
    }

    #[test]
    fn the_end_of_the_task_closes_the_queue() {
        let (queue, commands) = CommandQueue::new(1, 1);
        let replies = [submit(&queue), submit(&queue), submit(&queue)];
        drop(commands);
        assert!(replies.into_iter().all(|reply| answered(reply) == Err(CommandError::Closed)));
        assert!(queue.is_closed());
    }
}
