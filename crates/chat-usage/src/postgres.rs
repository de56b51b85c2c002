//! The durable store on a PostgreSQL server.

use chat_db::postgres::{Backend, Database, DbConnection};

#[allow(clippy::duplicate_mod)] // compiled for each kind of database
#[path = "durable.rs"]
mod durable;

pub use durable::DurableUsage as PostgresUsage;
