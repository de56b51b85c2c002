//! Reading a room.

use chat_protocol::RoomName;
use chat_protocol::v2::PAGE_BYTES;
use diesel::connection::DefaultLoadingMode;
use diesel::prelude::*;

use super::schema::{Row, Rows, messages, place, rooms, unsigned};
use crate::{HistoryError, Messages, Page};

/// Which numbers a room has: from the first that was not pruned to the newest.
struct Extent {
    room_id: i64,
    first: i64,
    newest: i64,
}

/// The number of a room's newest message.
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

/// A part of a room. The outer error is the database's, the inner one that of a row.
pub(super) fn page(
    connection: &mut SqliteConnection,
    room: RoomName,
    page: Page,
) -> QueryResult<Result<Messages, HistoryError>> {
    // one view of the room: what is pruned in between is all there or all gone
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
        .filter(messages::place.ge(place(extent.room_id, from)))
        .filter(messages::place.le(place(extent.room_id, extent.newest)))
        .order(messages::place)
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
        .filter(messages::place.ge(place(extent.room_id, extent.first)))
        .filter(messages::place.le(place(extent.room_id, to)))
        .order(messages::place.desc())
        .limit(rows(limit))
        .select(Row::as_select())
        .load_iter::<Row, DefaultLoadingMode>(connection)?;
    Ok(fill(room, rows)?.map(|mut messages| {
        messages.reverse();
        let more = messages.first().map_or(limit == 0, |first| first.seq > unsigned(extent.first));
        Messages { messages, more }
    }))
}

/// Takes rows until the page is full. What does not fit is not even read.
fn fill(
    room: RoomName,
    found: impl Iterator<Item = QueryResult<Row>>,
) -> QueryResult<Result<Vec<std::sync::Arc<chat_protocol::Message>>, HistoryError>> {
    let mut rows = Rows::of(room);
    let mut messages = Vec::new();
    let mut bytes = 0;
    for row in found {
        let message = match rows.message(row?) {
            Ok(message) => message,
            Err(error) => return Ok(Err(error)),
        };
        bytes += message.encoded_size();
        if bytes > PAGE_BYTES && !messages.is_empty() {
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
