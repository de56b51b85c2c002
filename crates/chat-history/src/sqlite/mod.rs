//! The durable store in an SQLite file.

mod append;
mod id_index;
mod ids;
mod numbers;
mod rows;
mod unwritten;

#[allow(clippy::duplicate_mod)] // compiled for each kind of database
#[path = "../durable/mod.rs"]
mod durable;

use append::Appender;
use chat_db::sqlite::text::{from_stored, to_stored};
use chat_db::sqlite::{Backend, Database, DbConnection, Fence, overwriting, snapshot};
use diesel::prelude::*;
use diesel::sql_types::{Nullable, Text};

pub use durable::{
    DurableHistory as SqliteHistory, DurableHistoryLog as SqliteHistoryLog,
    DurableUserMessages as SqliteUserMessages,
};

diesel::define_sql_function! {
    /// The size of a text in bytes, without reading it
    /// (<https://sqlite.org/lang_corefunc.html#octet_length>).
    fn octet_length(text: Nullable<Text>) -> Nullable<BigInt>;
}

/// Runs work that changes a room. There is one writer, so nothing has to be locked.
fn room_transaction<T>(
    connection: &mut DbConnection,
    _: &Fence,
    _: i64,
    work: impl FnOnce(&mut DbConnection) -> QueryResult<T>,
) -> QueryResult<T> {
    work(connection)
}
