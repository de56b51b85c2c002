//! The table `room_usage`.

use chat_protocol::RoomName;
use chat_rooms::RoomUsage;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

use crate::Day;

/// Which usage to read.
#[derive(Debug, Clone)]
pub struct Query {
    /// The first day.
    pub from: Day,
    /// The last day.
    pub to: Day,
    /// Only the usage of this room.
    pub room: Option<RoomName>,
    /// Only rows after this one: the last row of the previous page.
    pub after: Option<(Day, RoomName)>,
    /// The maximum number of rows.
    pub limit: usize,
}

/// A page of usage statistics, ordered by day and room.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Page {
    /// At most [`Query::limit`] rows.
    pub rows: Vec<Row>,
    /// Whether there are more rows after these.
    pub more: bool,
}

/// The usage of a room on a day.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Row {
    /// The day.
    pub day: Day,
    /// The name of the room, as it was stored.
    pub room: String,
    /// The usage.
    pub usage: RoomUsage,
}

#[derive(QueryableByName)]
struct StoredRow {
    #[diesel(sql_type = BigInt)]
    day: i64,
    #[diesel(sql_type = Text)]
    room: String,
    #[diesel(sql_type = BigInt)]
    peak_members: i64,
    #[diesel(sql_type = BigInt)]
    messages: i64,
    #[diesel(sql_type = BigInt)]
    bytes: i64,
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

/// Adds usage to the stored rows. A room without messages gets no row; it only raises the peak of a
/// row that exists.
pub(crate) fn add(connection: &mut SqliteConnection, rows: &[(Day, RoomName, RoomUsage)]) -> QueryResult<()> {
    for (day, room, usage) in rows {
        if usage.messages == 0 {
            diesel::sql_query(
                "UPDATE room_usage SET peak_members = max(peak_members, ?) WHERE day = ? AND room = ?",
            )
            .bind::<BigInt, _>(signed(usage.peak_members))
            .bind::<BigInt, _>(day.number())
            .bind::<Text, _>(room.as_str())
            .execute(connection)?;
            continue;
        }
        diesel::sql_query(
            "INSERT INTO room_usage (day, room, peak_members, messages, bytes) VALUES (?, ?, ?, ?, ?)
             ON CONFLICT (day, room) DO UPDATE SET peak_members = max(peak_members, excluded.peak_members),
                 messages = messages + excluded.messages, bytes = bytes + excluded.bytes",
        )
        .bind::<BigInt, _>(day.number())
        .bind::<Text, _>(room.as_str())
        .bind::<BigInt, _>(signed(usage.peak_members))
        .bind::<BigInt, _>(signed(usage.messages))
        .bind::<BigInt, _>(signed(usage.bytes))
        .execute(connection)?;
    }
    Ok(())
}

pub(crate) fn page(connection: &mut SqliteConnection, query: &Query) -> QueryResult<Page> {
    let Query { from, to, room, after, limit } = query;
    let (after_day, after_room) =
        after.as_ref().map_or((Day::FIRST, ""), |(day, room)| (*day, room.as_str()));
    let found: Vec<StoredRow> = diesel::sql_query(
        "SELECT day, room, peak_members, messages, bytes FROM room_usage
         WHERE day BETWEEN ? AND ? AND (day, room) > (?, ?) AND (? = '' OR room = ?) ORDER BY day, room LIMIT ?",
    )
    .bind::<BigInt, _>(from.number())
    .bind::<BigInt, _>(to.number())
    .bind::<BigInt, _>(after_day.number())
    .bind::<Text, _>(after_room)
    .bind::<Text, _>(room.as_ref().map_or("", |room| room.as_str()))
    .bind::<Text, _>(room.as_ref().map_or("", |room| room.as_str()))
    .bind::<BigInt, _>(signed(*limit as u64).saturating_add(1))
    .load(connection)?;
    let more = found.len() > *limit;
    let row = |found: StoredRow| Row {
        day: Day::from_number(found.day),
        room: found.room,
        usage: RoomUsage {
            peak_members: unsigned(found.peak_members),
            messages: unsigned(found.messages),
            bytes: unsigned(found.bytes),
        },
    };
    Ok(Page { rows: found.into_iter().take(*limit).map(row).collect(), more })
}

/// Removes at most `max` rows of earlier days. Returns whether there may be more of them.
pub(crate) fn remove_before(connection: &mut SqliteConnection, day: Day, max: usize) -> QueryResult<bool> {
    let removed = diesel::sql_query(
        "DELETE FROM room_usage WHERE (day, room) IN (SELECT day, room FROM room_usage WHERE day < ? ORDER BY day LIMIT ?)",
    )
    .bind::<BigInt, _>(day.number())
    .bind::<BigInt, _>(signed(max as u64))
    .execute(connection)?;
    Ok(removed == max)
}
