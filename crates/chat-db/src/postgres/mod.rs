//! A database on a PostgreSQL server.
//!
//! The stores' queries run on blocking connections, as on SQLite, so that most of them are written
//! once. A [`DbConnection`] is diesel's pure-Rust driver behind diesel's blocking interface. It
//! needs no library of PostgreSQL.
//!
//! One process uses a database at a time. It holds an advisory lock, and writes a random
//! *incarnation* into the database; every write compares it, so a process that lost the lock can't
//! write.

pub(crate) mod connection;
mod database;
mod error;
mod guard;
pub(crate) mod identity;
pub mod inspect;
pub mod migrate;
mod pool;
mod session;
pub mod text;
mod tls;
mod url;
mod worker;
mod writer;

pub use connection::DbConnection;
pub use database::{Database, Fence, Options};
pub use diesel::pg::Pg as Backend;
pub use error::OpenError;
pub use url::{InvalidUrl, Url};

/// Runs statements that remove text. PostgreSQL keeps removed rows in its files until they are
/// vacuumed, so nothing is overwritten here.
///
/// # Errors
/// Any error of the statements.
pub fn overwriting<T, E: From<diesel::result::Error>>(
    connection: &mut DbConnection,
    change: impl FnOnce(&mut DbConnection) -> Result<T, E>,
) -> Result<T, E> {
    change(connection)
}

/// Runs statements that read, so that all of them see the same state. Call it in a
/// [`read`](Database::read), which is a snapshot already.
///
/// # Errors
/// Any error of the statements.
pub fn snapshot<T, E: From<diesel::result::Error>>(
    connection: &mut DbConnection,
    read: impl FnOnce(&mut DbConnection) -> Result<T, E>,
) -> Result<T, E> {
    read(connection)
}
