//! Primitives whose every step is chosen by the scheduler: before each operation other tasks may
//! run, and everything that takes time takes an arbitrary amount of it.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use shuttle::future::{JoinHandle, spawn, yield_now};
use shuttle::rand::{Rng, thread_rng};
use tokio::sync::futures::Notified;

pub(crate) use shuttle::future::AbortHandle;
pub(crate) use shuttle::sync::atomic;

/// Lets other tasks run.
fn step() {
    atomic::AtomicBool::new(false).load(atomic::Ordering::SeqCst);
}

/// A `Notify` each of whose operations is one step.
#[derive(Debug, Default)]
pub(crate) struct Notify(tokio::sync::Notify);

impl Notify {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn notified(&self) -> Notified<'_> {
        step();
        self.0.notified()
    }

    pub(crate) fn notify_one(&self) {
        step();
        self.0.notify_one();
    }

    pub(crate) fn notify_waiters(&self) {
        step();
        self.0.notify_waiters();
    }
}

/// Spawns tasks.
#[derive(Debug, Clone)]
pub(crate) struct Handle;

impl Handle {
    pub(crate) fn current() -> Self {
        Self
    }

    pub(crate) fn spawn<F: Future<Output: Send> + Send + 'static>(&self, task: F) -> JoinHandle<F::Output> {
        spawn(task)
    }
}

/// An instant since which either no time or very much time has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Instant;

impl Instant {
    pub(crate) fn now() -> Self {
        Self
    }

    pub(crate) fn elapsed(self) -> Duration {
        if thread_rng().r#gen() { Duration::MAX } else { Duration::ZERO }
    }

    pub(crate) fn saturating_duration_since(self, _: Self) -> Duration {
        self.elapsed()
    }
}

pub(crate) async fn sleep(_: Duration) {
    yield_now().await;
}

/// Runs a future to completion, or gives up after some steps.
pub(crate) async fn timeout<F: Future>(_: Duration, future: F) -> Result<F::Output, ()> {
    if thread_rng().gen_bool(0.75) {
        return Ok(future.await);
    }
    let mut future = pin!(future);
    let mut patience = thread_rng().gen_range(0..20);
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Ok(output)),
        Poll::Pending if patience == 0 => Poll::Ready(Err(())),
        Poll::Pending => {
            patience -= 1;
            cx.waker().wake_by_ref();
            Poll::Pending
        }
    })
    .await
}
