//! The durable store in an SQLite file.

use chat_db::sqlite::{Backend, Database, DbConnection};

#[allow(clippy::duplicate_mod)] // compiled for each kind of database
#[path = "durable.rs"]
mod durable;

pub use durable::DurableUsage as SqliteUsage;
