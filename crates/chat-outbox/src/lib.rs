#![doc = include_str!("../README.md")]

mod backlog;
mod outbox;
mod waker;

pub use outbox::{BacklogLimits, CONTROL_BYTES, Drain, Outbox, Signal, Transport, Unsent};
