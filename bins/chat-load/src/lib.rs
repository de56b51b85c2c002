//! The load itself: connections that join, speak, listen and check what they hear.

pub mod connection;
pub mod frame;
pub mod measure;
pub mod plan;
pub mod protocol;
pub mod report;
pub mod run;

pub use measure::{Faults, Latency, Tally};
pub use plan::{Pace, Plan};
pub use protocol::{Dialect, Stamp};
pub use report::Report;
pub use run::{Churned, Flood, Flooded, LoadError, Measured, Outcome, Progress, run};
