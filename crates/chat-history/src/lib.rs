#![doc = include_str!("../README.md")]

#[cfg(feature = "conformance")]
pub mod conformance;
mod error;
mod event;
mod log;
mod memory;
#[cfg(feature = "sqlite")]
mod sqlite;
mod store;
mod users;

pub use error::{AppendError, HistoryError, HistoryErrorKind};
pub use event::{
    MAX_TARGETS, NewDeletion, NewEdit, NewEvent, NewMessage, NewRoomChange, NotPermitted, Permission,
    StoredEvent,
};
pub use log::{HistoryLog, MAX_NUMBERS, RoomExtent};
pub use memory::{MemoryHistory, MemoryHistoryLog, MemoryUserMessages};
#[cfg(feature = "sqlite")]
pub use sqlite::{SqliteHistory, SqliteHistoryLog, SqliteUserMessages};
pub use store::{
    Appended, Changed, Count, Durability, Extent, HistoryStore, MAX_PAGE_BYTES, Messages, OnAppended, Page,
    Retention, StoredSettings,
};
pub use users::{Cursor, InvalidCursor, MessageKey, Step, UserMessages, UserQuery};
