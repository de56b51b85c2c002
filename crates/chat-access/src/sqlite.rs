//! The durable store in an SQLite file.

use chat_db::sqlite::{Backend, Database, DbConnection, overwriting, snapshot, text};

#[allow(clippy::duplicate_mod)] // compiled for each kind of database
#[path = "durable/mod.rs"]
mod durable;

pub use durable::DurableAccess as SqliteAccess;
