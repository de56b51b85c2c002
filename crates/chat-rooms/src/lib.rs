#![doc = include_str!("../README.md")]

mod batch;
mod departures;
mod encoding;
mod engine;
mod frames;
mod gather;
mod inbox;
mod membership;
mod moment;
pub mod outbox;
mod outlet;
mod pump;
mod reservation;
mod room;
mod shared;
mod slot;
mod state;

pub use encoding::{Encoding, EncodingId};
pub use engine::{Engine, EngineBuilder, JoinError};
pub use frames::Frames;
pub use membership::{Membership, Seat, SendError};
pub use outlet::{EventSink, Events, FrameSink, Outlet, PutOut};
pub use room::Sent;
