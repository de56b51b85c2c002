//! What concurrency is made of here: atomics, wake-ups, tasks and time. They are the standard library's, futures' and tokio's; under
//! `cfg(shuttle)` they are those of a scheduler that chooses every step, for `tests/schedules`. Locks are exchanged in `Cargo.toml`,
//! by name.

#[cfg(shuttle)]
mod chosen;

#[cfg(not(shuttle))]
pub(crate) use {
    futures::task::AtomicWaker,
    std::sync::atomic,
    tokio::runtime::Handle,
    tokio::sync::Notify,
    tokio::task::AbortHandle,
    tokio::time::Instant,
    tokio::time::{sleep, timeout},
};

#[cfg(shuttle)]
pub(crate) use chosen::{AbortHandle, AtomicWaker, Handle, Instant, Notify, atomic, sleep, timeout};

/// How many tasks run at once at most.
pub(crate) fn parallelism() -> usize {
    if cfg!(shuttle) { 2 } else { std::thread::available_parallelism().map_or(1, usize::from) }
}
