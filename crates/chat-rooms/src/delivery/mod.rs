//! How events reach the members of a room: they are queued, cut into batches, encoded once for all
//! members, and offered to each sink.

pub(crate) mod audience;
pub(crate) mod batch;
pub(crate) mod budget;
pub(crate) mod encoding;
pub(crate) mod frames;
pub(crate) mod members;
pub(crate) mod queue;
pub(crate) mod sink;
pub(crate) mod subscriber;
pub(crate) mod walk;
pub(crate) mod window;
