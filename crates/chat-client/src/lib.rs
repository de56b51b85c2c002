#![doc = include_str!("../README.md")]

mod backoff;
mod client;
mod clock;
mod counters;
mod dial;
mod error;
mod event;
mod events;
mod gate;
mod heartbeat;
mod link;
mod metered;
mod options;
mod query;
mod receipt;
mod request;
mod session;
mod task;
#[cfg(feature = "tls")]
mod tls;
mod token;
mod wire;

pub use backoff::Backoff;
/// The types that commands, answers and events are made of.
pub use chat_protocol;
pub use client::Client;
pub use counters::Counters;
pub use error::{CommandError, ConnectError};
pub use event::{Closed, Connected, Disconnect, Event, Gap, Joined};
pub use events::Events;
pub use options::Options;
pub use query::{JoinOptions, MembersQuery, Page};
pub use receipt::Receipt;
/// The TLS library, for [`Options::tls`].
#[cfg(feature = "tls")]
pub use tokio_rustls::rustls;
