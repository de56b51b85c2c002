#![doc = include_str!("../README.md")]

mod memory;
#[cfg(feature = "sqlite")]
mod sqlite;
mod store;

pub use memory::MemoryPresence;
#[cfg(feature = "sqlite")]
pub use sqlite::SqlitePresence;
pub use store::{JoinError, NewStay, NodeId, PresenceStore, StoreError};
