//! Comparisons of two servers under the same load, by turns.

mod baseline;

pub(crate) use baseline::run;
