//! What is promised when many do something at once, under schedules that are chosen step by step: `just schedules`. A schedule that
//! breaks a promise is printed, and `SHUTTLE_RANDOM_SEED` or `shuttle::replay` runs it again.
#![cfg(shuttle)]
#![allow(clippy::unwrap_used)]

mod explore;
mod names;
mod rooms;
mod seats;
mod stay;
mod store;
