#![doc = include_str!("../README.md")]

pub mod backup;
mod connection;
mod database;
mod error;
mod file_id;
mod generation;
pub mod inspect;
mod job;
mod lock;
pub mod migrate;
mod overwriting;
mod paths;
mod readers;
mod sync;
mod watch;
mod writer;

// this crate links the bundled SQLite; diesel only declares it
use libsqlite3_sys as _;

pub use database::Database;
pub use diesel::sqlite::SqliteConnection;
pub use error::{DbError, DbErrorKind, OpenError};
pub use overwriting::overwriting;
pub use sync::SyncMode;
