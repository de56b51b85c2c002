//! The types that users and all other modules share: options, events, queries and errors.

mod ack;
mod backoff;
mod cause;
mod counters;
mod deadline;
mod draft;
mod encode;
mod error;
mod event;
mod moderation;
mod options;
mod query;
mod timeline;
#[cfg(feature = "tls")]
mod tls;
mod token;

pub use ack::Ack;
pub use backoff::Backoff;
pub use cause::Cause;
pub(crate) use counters::CounterCells;
pub use counters::Counters;
pub(crate) use deadline::after;
pub use draft::Draft;
pub(crate) use encode::to_json;
pub use error::{CommandError, ConnectError};
pub use event::{Closed, Connected, Disconnect, Event, Joined, Reacted};
pub use moderation::{Act, SettingsChange};
pub use options::Options;
pub use query::{JoinOptions, KeepRoom, MembersQuery, Page, SearchQuery};
pub use timeline::Timeline;
#[cfg(feature = "tls")]
pub(crate) use tls::is_refusal;
