//! What a run measures.

mod checker;
pub mod process;
mod tally;

use std::time::Duration;

pub use checker::Faults;
pub(crate) use checker::StreamChecker;
pub use tally::{Latency, Tally};

pub(crate) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
