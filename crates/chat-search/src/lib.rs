#![doc = include_str!("../README.md")]

mod analysis;
#[cfg(feature = "conformance")]
pub mod conformance;
mod error;
mod follower;
mod index;
mod key;
mod memory;
#[cfg(feature = "postgres")]
mod postgres;
mod query;
mod rebuild;
#[cfg(feature = "sqlite")]
mod sqlite;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod tokens;

pub use chat_history::{Cursor, InvalidCursor};
pub use error::{SearchError, SearchErrorKind};
pub use follower::Follower;
pub use index::{Document, Position, SearchIndex, Update};
pub use memory::MemoryIndex;
#[cfg(feature = "postgres")]
pub use postgres::PostgresIndex;
pub use query::{Found, MAX_FOUND, MAX_QUERY_CHARS, MAX_QUERY_ROOMS, MAX_QUERY_WORDS, Query, QueryError};
pub use rebuild::{Progress, RebuildError, rebuild};
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteIndex;
