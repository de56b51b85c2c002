#![doc = include_str!("../README.md")]

mod commits;
#[cfg(feature = "copy")]
pub mod copy;
mod error;
mod job;
#[cfg(feature = "postgres")]
pub mod postgres;
#[cfg(feature = "sqlite")]
pub mod sqlite;
mod sync;
mod unfinished;
mod worker;

pub use error::{DbError, DbErrorKind};
pub use sync::SyncMode;
