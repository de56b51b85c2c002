#![doc = include_str!("../README.md")]

#[cfg(feature = "conformance")]
pub mod conformance;
mod error;
mod memory;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;
mod store;

pub use error::{JoinError, StoreError, StoreErrorKind};
pub use memory::MemoryPresence;
#[cfg(feature = "postgres")]
pub use postgres::PostgresPresence;
#[cfg(feature = "sqlite")]
pub use sqlite::SqlitePresence;
pub use store::{Holder, NewPresence, NodeId, PresenceStore};
