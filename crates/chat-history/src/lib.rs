#![doc = include_str!("../README.md")]

mod memory;
#[cfg(feature = "sqlite")]
mod sqlite;
mod store;

pub use memory::MemoryHistory;
#[cfg(feature = "sqlite")]
pub use sqlite::{SqliteHistory, users};
pub use store::{
    AppendError, Appended, Durability, HistoryError, HistoryStore, Messages, NewMessage, Page, Retention,
    Told,
};
