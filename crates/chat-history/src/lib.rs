#![doc = include_str!("../README.md")]

#[cfg(feature = "conformance")]
pub mod conformance;
mod error;
mod event;
mod log;
mod memory;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod queue;
mod shared;
#[cfg(feature = "sqlite")]
mod sqlite;
mod store;
mod users;

pub use error::{AppendError, HistoryError, HistoryErrorKind};
pub use event::{
    MAX_TARGETS, Mentions, MessageContext, NewDeletion, NewEdit, NewEvent, NewMessage, NewReaction,
    NewRoomChange, NotPermitted, Permission, StoredEvent, StoredReaction,
};
pub use log::{HistoryLog, MAX_NUMBERS, RoomExtent};
pub use memory::{MemoryHistory, MemoryHistoryLog, MemoryUserMessages};
#[cfg(feature = "postgres")]
pub use postgres::{PostgresHistory, PostgresHistoryLog, PostgresUserMessages};
#[cfg(feature = "sqlite")]
pub use sqlite::{SqliteHistory, SqliteHistoryLog, SqliteUserMessages};
pub use store::{
    Appended, Changed, Count, Durability, Extent, HistoryStore, MAX_PAGE_BYTES, Messages, OnAppended, Own,
    Page, PublicRoom, Retention, RoomVersion, StoredSettings,
};
pub use users::{Cursor, InvalidCursor, MessageKey, Step, UserMessages, UserQuery, UserReaction};

// for the macro `delegate_history`
#[cfg(feature = "conformance")]
#[doc(hidden)]
pub use {chat_protocol as __protocol, futures::future::BoxFuture as __BoxFuture};
