//! The durable store on a PostgreSQL server.

mod append;
mod batch;
mod ids;
mod known;

#[allow(clippy::duplicate_mod)] // compiled for each kind of database
#[path = "../durable/mod.rs"]
mod durable;

use append::Appender;
use chat_db::postgres::text::{from_stored, to_stored};
use chat_db::postgres::{Backend, Database, DbConnection, Fence, overwriting, snapshot};
use diesel::prelude::*;
use diesel::sql_types::{Nullable, Text};
use durable::schema::rooms;

pub use durable::{
    DurableHistory as PostgresHistory, DurableHistoryLog as PostgresHistoryLog,
    DurableUserMessages as PostgresUserMessages,
};

diesel::define_sql_function! {
    /// The size of a text in bytes.
    #[sql_name = "chatd_octet_length"]
    fn octet_length(text: Nullable<Text>) -> Nullable<BigInt>;
}

/// Runs work that changes a room in a transaction of its own, which has locked the room first, as
/// appends do: so the two never wait for each other.
fn room_transaction<T>(
    connection: &mut DbConnection,
    fence: &Fence,
    room: i64,
    work: impl FnOnce(&mut DbConnection) -> QueryResult<T>,
) -> QueryResult<T> {
    connection.transaction(|connection| {
        fence.check(connection)?;
        lock_rooms(connection, &[room])?;
        work(connection)
    })
}

/// Locks rooms in the order of their ids, so that two transactions never wait for each other.
fn lock_rooms(connection: &mut DbConnection, ids: &[i64]) -> QueryResult<()> {
    let locked: Vec<i64> = rooms::table
        .filter(rooms::id.eq_any(ids))
        .order(rooms::id)
        .for_no_key_update()
        .select(rooms::id)
        .load(connection)?;
    debug_assert_eq!(locked.len(), ids.len(), "rooms are never removed");
    Ok(())
}
