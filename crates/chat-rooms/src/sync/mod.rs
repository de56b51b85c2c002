//! The primitives of concurrency: atomics, notifications, tasks and time. They are those of the
//! standard library and Tokio. Under `cfg(shuttle)` they are those of a scheduler that chooses
//! every step, for `tests/schedules`. Locks are replaced in `Cargo.toml`, by name.

#[cfg(shuttle)]
mod scheduled;
pub(crate) mod steps;

#[cfg(not(shuttle))]
pub(crate) use {
    std::sync::atomic,
    tokio::runtime::Handle,
    tokio::sync::Notify,
    tokio::task::AbortHandle,
    tokio::time::Instant,
    tokio::time::{sleep, timeout},
};

#[cfg(shuttle)]
pub(crate) use scheduled::{AbortHandle, Handle, Instant, Notify, atomic, sleep, timeout};

/// The maximum number of tasks that run in parallel.
pub(crate) fn parallelism() -> usize {
    if cfg!(shuttle) { 2 } else { std::thread::available_parallelism().map_or(1, usize::from) }
}

/// A task that is aborted when this is dropped.
pub(crate) struct TaskGuard(AbortHandle);

impl TaskGuard {
    pub(crate) fn new(task: AbortHandle) -> Self {
        Self(task)
    }

    pub(crate) fn abort(&self) {
        self.0.abort();
    }
}

impl Drop for TaskGuard {
    fn drop(&mut self) {
        self.abort();
    }
}
