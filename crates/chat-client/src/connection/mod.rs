//! The connection to the server: frames in and out, nothing of what they mean.

mod byte_counter;
mod dial;
mod heartbeat;
mod link;
mod wire;

pub(crate) use dial::dial;
pub(crate) use heartbeat::Beat;
pub(crate) use link::{Link, Progress};
pub(crate) use wire::Incoming;
