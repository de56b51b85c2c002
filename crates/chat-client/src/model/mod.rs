//! The types that users and all other modules share.

mod backoff;
mod counters;
mod deadline;
mod error;
mod event;
mod options;
mod query;
#[cfg(feature = "tls")]
mod tls;
mod token;

pub use backoff::Backoff;
pub use counters::Counters;
pub(crate) use counters::Counting;
pub(crate) use deadline::after;
pub use error::{CommandError, ConnectError};
pub use event::{Closed, Connected, Disconnect, Event, Gap, Joined};
pub use options::Options;
pub use query::{JoinOptions, MembersQuery, Page};
#[cfg(feature = "tls")]
pub(crate) use tls::is_refusal;
