//! Concurrency guarantees, tested under schedules that are chosen step by step: `just schedules`. A
//! schedule that violates a guarantee is printed; `SHUTTLE_RANDOM_SEED` or `shuttle::replay` runs
//! it again.
#![cfg(shuttle)]
#![allow(clippy::unwrap_used)]

mod busy;
mod client;
mod deletions;
mod explore;
mod names;
mod rooms;
mod sessions;
mod store;
