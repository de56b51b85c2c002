#![doc = include_str!("../README.md")]

mod delivery;
mod engine;
mod error;
mod member;
mod metrics;
mod registry;
mod room;
mod sync;

pub use crate::metrics::count_error;
pub use delivery::budget::BacklogBudget;
pub use delivery::encoding::{Encoding, EncodingId, IsGone};
pub use delivery::frames::Frames;
pub use delivery::sink::{EventSink, Events, FrameSink, Outlet, PutOut};
pub use delivery::window::SendWindow;
pub use engine::{Engine, EngineBuilder};
pub use error::{JoinError, ReadError, SendError};
pub use member::options::{JoinOptions, MembersQuery, Outgoing};
pub use member::{Membership, Seat};
pub use registry::usage::RoomUsage;
pub use room::Sent;

/// Compiles and runs the programs of the guide.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/embedding.md")]
struct Guide;
