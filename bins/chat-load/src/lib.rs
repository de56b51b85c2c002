//! The load of `chat-load` as a library: connections that join rooms, send messages, and check
//! what they receive. `chat-lab` uses it for its benchmarks.
//!
//! [`run()`] puts the load of a [`Plan`] on a server, and [`Report`] presents the outcome.

pub mod connection;
pub mod format;
pub mod measure;
mod plan;
mod protocol;
mod report;
mod run;

pub use measure::{Faults, Latency, Tally};
pub use plan::{Dialect, Flood, LoopMode, Plan};
pub use protocol::Stamp;
pub use report::{Percentiles, Report, ServerReport};
pub use run::{ChurnStats, FloodStats, LoadError, MessageCounts, Outcome, Progress, ServerUsage, run};
