//! The guarantees of the outbox when many tasks use it at once, under schedules that are chosen
//! step by step: `just schedules`. A schedule that breaks a guarantee is printed;
//! `SHUTTLE_RANDOM_SEED` or `shuttle::replay` repeats it.
#![cfg(shuttle)]
#![allow(clippy::unwrap_used)]

mod budget;
#[path = "../../../chat-rooms/tests/schedules/explore.rs"]
mod explore;
mod outbox;
mod socket;
