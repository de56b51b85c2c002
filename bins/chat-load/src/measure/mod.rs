//! What is measured, and how.

mod checker;
pub mod process;
mod tally;

pub use checker::Faults;
pub(crate) use checker::Checked;
pub use tally::{Latency, Tally};
