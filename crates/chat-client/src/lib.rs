#![doc = include_str!("../README.md")]

mod client;
mod command;
mod connection;
mod driver;
mod events;
mod model;
mod receipt;
mod session;

/// The types that commands, answers and events are made of.
pub use chat_protocol;
pub use client::Client;
pub use events::Events;
pub use model::{
    Backoff, Closed, CommandError, ConnectError, Connected, Counters, Disconnect, Event, Gap, JoinOptions, Joined,
    MembersQuery, Options, Page,
};
pub use receipt::Receipt;
/// The TLS library, for [`Options::tls`].
#[cfg(feature = "tls")]
pub use tokio_rustls::rustls;
