//! The log of the durable store.

use std::sync::Arc;

use chat_protocol::{Message, RoomName};
use diesel::prelude::*;
use futures::future::{BoxFuture, FutureExt};

use super::read;
use super::schema::{Row, messages, rooms, row_key, signed, unsigned};
use super::{Database, DbConnection, snapshot};
use crate::log::distinct;
use crate::{Cursor, Extent, HistoryError, HistoryErrorKind, HistoryLog, Retention, RoomExtent, Step};

/// How many rooms one step returns.
const MAX_ROOMS: usize = 500;

/// The log in a database. It may be used at the same time as the
/// history store of the same database.
#[derive(Debug, Clone)]
pub struct DurableHistoryLog {
    database: Database,
}

impl DurableHistoryLog {
    /// The log in this database.
    pub fn new(database: Database) -> Self {
        Self { database }
    }
}

/// A room: its id, name, next number and first number.
type RoomRow = (i64, String, i64, i64);

fn walk(connection: &mut DbConnection, after: Option<Cursor>) -> QueryResult<Vec<RoomRow>> {
    rooms::table
        .filter(rooms::id.gt(after.map_or(0, Cursor::position)))
        .order(rooms::id)
        .limit(i64::try_from(MAX_ROOMS).unwrap_or(i64::MAX))
        .select((rooms::id, rooms::name, rooms::next_seq, rooms::first_seq))
        .load(connection)
}

/// Names in the database were validated when they were written.
fn room_extent((id, name, next_seq, first_seq): RoomRow) -> Result<RoomExtent, HistoryError> {
    let room = RoomName::parse(&name)
        .map_err(|error| HistoryError::new(HistoryErrorKind::Damaged, format!("the room {id}: {error}")))?;
    Ok(RoomExtent::new(room, Extent::new(unsigned(first_seq), unsigned(next_seq - 1))))
}

/// The messages with these numbers. The outer error is that of the database, the inner one that of
/// a row.
fn find(
    connection: &mut DbConnection,
    room: &RoomName,
    numbers: Vec<u64>,
    retention: Retention,
) -> QueryResult<Result<Vec<Arc<Message>>, HistoryError>> {
    snapshot(connection, |connection| {
        let named = rooms::table.filter(rooms::name.eq(room.as_str())).select(rooms::id);
        let Some(id) = named.first::<i64>(connection).optional()? else { return Ok(Ok(Vec::new())) };
        let Extent { oldest, newest } = read::extent(connection, room, retention)?;
        let kept = distinct(numbers).into_iter().filter(|number| (oldest..=newest).contains(number));
        let row_keys: Vec<_> = kept.map(|number| row_key(id, signed(number))).collect();
        let found: Vec<Row> = messages::table
            .filter(messages::row_key.eq_any(row_keys))
            .order(messages::row_key)
            .select(Row::as_select())
            .load(connection)?;
        read::in_rows(connection, room, found)
    })
}

impl HistoryLog for DurableHistoryLog {
    fn rooms(&self, after: Option<Cursor>) -> BoxFuture<'_, Result<Step<Vec<RoomExtent>>, HistoryError>> {
        async move {
            let found = self.database.read(move |connection| walk(connection, after)).await?;
            let last = found.last().filter(|_| found.len() == MAX_ROOMS);
            let next = last.and_then(|(id, ..)| Cursor::new(*id).ok());
            Ok(Step::new(found.into_iter().map(room_extent).collect::<Result<_, _>>()?, next))
        }
        .boxed()
    }

    fn messages(
        &self,
        room: RoomName,
        numbers: Vec<u64>,
        retention: Retention,
    ) -> BoxFuture<'_, Result<Vec<Arc<Message>>, HistoryError>> {
        let read = move |connection: &mut DbConnection| find(connection, &room, numbers, retention);
        async move { self.database.read(read).await? }.boxed()
    }
}
