//! Comparisons of servers under the same load.
//!
//! The speed of a shared machine changes from hour to hour. The ratio of two runs that follow each
//! other changes much less, so every comparison alternates between its two servers.
//! [`baseline`] compares chatd with the floor, and one way of using chatd with another.
//! [`against`] compares two builds of chatd.

mod against;
mod baseline;
mod figure;
mod measurement;
mod statistics;
mod workload;

use std::error::Error;

use crate::affinity;
use crate::cli::Bench;

/// Measures, and prints a table. Returns whether all limits were met.
pub(crate) fn run(options: &Bench) -> Result<bool, Box<dyn Error>> {
    // the threads of the load inherit the affinity of this one
    affinity::pin(options.load_cpu)?;
    match &options.against {
        Some(old) => against::run(old, options),
        None => baseline::run(options),
    }
}
