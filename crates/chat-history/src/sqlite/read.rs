//! Reads messages.

use chat_protocol::RoomName;
use diesel::connection::DefaultLoadingMode;
use diesel::prelude::*;

use super::schema::{Row, Rows, messages, rooms, row_key, unsigned};
use crate::{HistoryError, MAX_PAGE_BYTES, Messages, Page};

/// The numbers that a room has: from the first that was not pruned to the newest.
struct Extent {
    room_id: i64,
    first: i64,
    newest: i64,
}

/// The number of the newest message of a room.
pub(super) fn newest(connection: &mut SqliteConnection, room: &RoomName) -> QueryResult<u64> {
    Ok(extent(connection, room)?.map_or(0, |extent| unsigned(extent.newest)))
}

fn extent(connection: &mut SqliteConnection, room: &RoomName) -> QueryResult<Option<Extent>> {
    let row = rooms::table
        .filter(rooms::name.eq(room.as_str()))
        .select((rooms::id, rooms::first_seq, rooms::next_seq))
        .first::<(i64, i64, i64)>(connection)
        .optional()?;
    Ok(row.map(|(room_id, first, next)| Extent { room_id, first, newest: next - 1 }))
}

/// A page of a room. The outer error is that of the database, the inner one that of a row.
pub(super) fn page(
    connection: &mut SqliteConnection,
    room: RoomName,
    page: Page,
) -> QueryResult<Result<Messages, HistoryError>> {
    // one snapshot: messages that are pruned meanwhile are all there or all gone
    connection.transaction(|connection| {
        let Some(extent) = extent(connection, &room)? else { return Ok(Ok(Messages::default())) };
        match page {
            Page::After { seq, limit } => after(connection, room, &extent, seq, limit),
            Page::Before { seq, limit } => before(connection, room, &extent, seq, limit),
        }
    })
}

fn after(
    connection: &mut SqliteConnection,
    room: RoomName,
    extent: &Extent,
    seq: u64,
    limit: usize,
) -> QueryResult<Result<Messages, HistoryError>> {
    let from = signed(seq).saturating_add(1).max(extent.first);
    if from > extent.newest {
        return Ok(Ok(Messages::default()));
    }
    let rows = messages::table
        .filter(messages::row_key.ge(row_key(extent.room_id, from)))
        .filter(messages::row_key.le(row_key(extent.room_id, extent.newest)))
        .order(messages::row_key)
        .limit(rows(limit))
        .select(Row::as_select())
        .load_iter::<Row, DefaultLoadingMode>(connection)?;
    Ok(fill(room, rows)?.map(|messages| {
        let more = messages.last().map_or(limit == 0, |last| last.seq < unsigned(extent.newest));
        Messages { messages, more }
    }))
}

fn before(
    connection: &mut SqliteConnection,
    room: RoomName,
    extent: &Extent,
    seq: u64,
    limit: usize,
) -> QueryResult<Result<Messages, HistoryError>> {
    let to = signed(seq).saturating_sub(1).min(extent.newest);
    if to < extent.first {
        return Ok(Ok(Messages::default()));
    }
    let rows = messages::table
        .filter(messages::row_key.ge(row_key(extent.room_id, extent.first)))
        .filter(messages::row_key.le(row_key(extent.room_id, to)))
        .order(messages::row_key.desc())
        .limit(rows(limit))
        .select(Row::as_select())
        .load_iter::<Row, DefaultLoadingMode>(connection)?;
    Ok(fill(room, rows)?.map(|mut messages| {
        messages.reverse();
        let more = messages.first().map_or(limit == 0, |first| first.seq > unsigned(extent.first));
        Messages { messages, more }
    }))
}

/// Takes rows until the page is full. Rows that do not fit are not read.
fn fill(
    room: RoomName,
    found: impl Iterator<Item = QueryResult<Row>>,
) -> QueryResult<Result<Vec<std::sync::Arc<chat_protocol::Message>>, HistoryError>> {
    let mut rows = Rows::of_room(room);
    let mut messages = Vec::new();
    let mut bytes = 0;
    for row in found {
        let message = match rows.message(row?) {
            Ok(message) => message,
            Err(error) => return Ok(Err(error)),
        };
        bytes += message.encoded_size();
        if bytes > MAX_PAGE_BYTES && !messages.is_empty() {
            break;
        }
        messages.push(message);
    }
    Ok(Ok(messages))
}

fn signed(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

fn rows(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
