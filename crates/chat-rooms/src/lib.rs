#![doc = include_str!("../README.md")]

mod delivery;
mod engine;
mod error;
mod limits;
mod member;
mod metrics;
mod registry;
mod room;
mod sync;

pub use delivery::audience::PresenceStyle;
pub use delivery::budget::BacklogBudget;
pub use delivery::encoding::{Encoding, EncodingId, IsGone};
pub use delivery::frames::Frames;
pub use delivery::sink::{EventSink, Events, FrameSink, Sink, SinkClosed};
pub use delivery::window::SendWindow;
pub use engine::Engine;
pub use engine::builder::EngineBuilder;
pub use error::{ConfigureError, JoinError, ReadError, RegisterError, SendError};
pub use limits::EngineLimits;
pub use member::Membership;
pub use member::admission::Admission;
pub use member::options::{
    Delete, Edit, HistoryQuery, MembersQuery, Outgoing, React, Resync, Stored, Subscribe,
};
pub use registry::MessageObserver;
pub use registry::usage::RoomUsage;
pub use room::Position;
pub use room::catch_up::CatchUpLimits;

/// Compiles and runs the programs of the guide.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/embedding.md")]
struct Guide;
