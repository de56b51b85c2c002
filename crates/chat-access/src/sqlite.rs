//! The durable store in an SQLite file.

#[path = "durable/mod.rs"]
mod durable;

pub use durable::SqliteAccess;
