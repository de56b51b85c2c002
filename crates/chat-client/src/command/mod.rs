//! The way of a command from a handle to the client's task, and of its answer back.

mod queue;
mod request;

pub(crate) use queue::{Asked, Gate, Kind, Reply};
pub(crate) use request::Request;
