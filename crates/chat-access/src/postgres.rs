//! The durable store on a PostgreSQL server.

use chat_db::postgres::{Backend, Database, DbConnection, overwriting, snapshot, text};

#[allow(clippy::duplicate_mod)] // compiled for each kind of database
#[path = "durable/mod.rs"]
mod durable;

pub use durable::DurableAccess as PostgresAccess;
