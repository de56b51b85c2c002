#![doc = include_str!("../README.md")]

mod backplane;
#[cfg(feature = "conformance")]
pub mod conformance;
mod envelope;
mod error;
mod incoming;
mod local;
mod metrics;
#[cfg(feature = "nats")]
pub mod nats;
mod node;
mod topic;

pub use backplane::Backplane;
pub use envelope::{Envelope, EnvelopeError, MAX_MESSAGE, VERSION};
pub use error::{PublishError, SubscribeError};
pub use incoming::{Incoming, Limits, Receiver, Sender, channel};
pub use local::{Hub, LocalBackplane};
#[cfg(feature = "nats")]
pub use nats::{InvalidOptions, NatsBackplane, NatsOptions};
pub use node::{NodeName, NodeNameError};
pub use topic::Topic;
