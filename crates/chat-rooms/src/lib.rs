#![doc = include_str!("../README.md")]

mod answers;
mod batch;
mod catch_up;
mod core;
mod departures;
mod encoding;
mod engine;
mod frames;
mod gather;
mod inbox;
mod membership;
mod meters;
mod moment;
mod notice;
pub mod outbox;
mod outlet;
mod pruner;
mod pump;
mod request;
mod reservation;
mod retained;
mod room;
mod roster;
mod runtime;
mod shared;
mod slot;
mod speech;
mod state;
mod tail;
mod usage;
mod window;

pub use encoding::{Encoding, EncodingId, IsGone};
pub use engine::{Engine, EngineBuilder, JoinError};
pub use frames::Frames;
pub use membership::{Membership, Seat};
pub use meters::count_error;
pub use outlet::{EventSink, Events, FrameSink, Outlet, PutOut};
pub use request::{JoinOptions, MembersQuery, Outgoing, ReadError, SendError};
pub use room::Sent;
pub use usage::RoomUsage;
pub use window::SendWindow;

/// Compiles and runs the programs of the guide.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/embedding.md")]
struct Guide;
