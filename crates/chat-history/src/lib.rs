#![doc = include_str!("../README.md")]

#[cfg(feature = "conformance")]
pub mod conformance;
mod error;
mod memory;
#[cfg(feature = "sqlite")]
mod sqlite;
mod store;
mod users;

pub use error::{AppendError, HistoryError, HistoryErrorKind};
pub use memory::{MemoryHistory, MemoryUserMessages};
#[cfg(feature = "sqlite")]
pub use sqlite::{SqliteHistory, SqliteUserMessages};
pub use store::{
    Appended, Durability, HistoryStore, MAX_PAGE_BYTES, Messages, NewMessage, OnAppended, Page, Retention,
};
pub use users::{Cursor, ErasedMessage, InvalidCursor, Step, UserMessages, UserQuery};
