#![doc = include_str!("../README.md")]

mod cut;
mod limit;

pub use cut::{Cut, MAX_CHARS, cut};
pub use limit::{INTERVAL, MAX_KEYS, Occasional, Passed, PerKey};
