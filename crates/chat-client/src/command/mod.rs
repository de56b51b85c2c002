//! The way of a command from a handle to the client's task, and of its answer back.

mod queue;
mod reply;
mod request;

pub(crate) use queue::{CommandQueue, PendingReply};
pub(crate) use reply::{Class, Responder};
pub(crate) use request::Request;
