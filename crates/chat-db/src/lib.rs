#![doc = include_str!("../README.md")]

mod error;
mod job;
#[cfg(feature = "postgres")]
pub mod postgres;
#[cfg(feature = "sqlite")]
pub mod sqlite;
mod sync;

pub use error::{DbError, DbErrorKind};
pub use sync::SyncMode;
