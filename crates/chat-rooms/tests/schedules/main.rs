//! What is promised when many do something at once, under schedules that are chosen step by step: `just schedules`. A schedule that
//! breaks a promise is printed, and `SHUTTLE_RANDOM_SEED` or `shuttle::replay` runs it again.
#![cfg(shuttle)]
#![allow(clippy::unwrap_used)]

mod budget;
mod explore;
mod names;
mod outbox;
mod rooms;
mod seats;
mod socket;
mod stay;
mod store;
