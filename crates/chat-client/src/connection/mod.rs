//! The connection to the server: frames in and out, without their meaning.

mod byte_counter;
mod dial;
mod heartbeat;
mod link;
mod wire;

pub(crate) use dial::dial;
pub(crate) use heartbeat::Liveness;
pub(crate) use link::{Link, Progress};
pub(crate) use wire::Incoming;
