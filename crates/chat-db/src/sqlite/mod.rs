//! A database in an SQLite file: one writer with group commit, readers, migrations, backups.

pub mod backup;
mod connection;
mod database;
mod error;
mod file_id;
pub(crate) mod generation;
pub mod inspect;
pub(crate) mod lock;
pub mod migrate;
mod overwriting;
mod paths;
mod readers;
pub mod text;
mod threads;
mod watch;
mod writer;

// this crate links the bundled SQLite; diesel only declares it
use libsqlite3_sys as _;

pub use database::{Database, Fence};
pub use diesel::sqlite::{Sqlite as Backend, SqliteConnection as DbConnection};
pub use error::OpenError;
pub use overwriting::overwriting;

/// Runs statements that read, so that all of them see the same state.
///
/// # Errors
/// Any error of the statements.
pub fn snapshot<T, E: From<diesel::result::Error>>(
    connection: &mut DbConnection,
    read: impl FnOnce(&mut DbConnection) -> Result<T, E>,
) -> Result<T, E> {
    diesel::Connection::transaction(connection, read)
}
