//! The table.

use chat_protocol::RoomName;
use chat_rooms::RoomUsage;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

use crate::Day;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Query {
    /// From this day on.
    pub from: Day,
    /// Until this day, itself included.
    pub to: Day,
    /// Of this room alone.
    pub room: Option<RoomName>,
    /// Behind this one: where the page before ended.
    pub after: Option<(Day, RoomName)>,
    /// How many at most.
    pub limit: usize,
}

/// A part of the table, by day and within a day by room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// So many as were asked for, or fewer.
    pub rows: Vec<Row>,
    /// Whether there are more behind them.
    pub more: bool,
}

/// A room on a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// When.
    pub day: Day,
    /// Where: a name as it was written.
    pub room: String,
    /// How much.
    pub usage: RoomUsage,
}

#[derive(QueryableByName)]
struct Found {
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

/// Adds to what is there. Where nothing was said no row is made.
pub(crate) fn add(connection: &mut SqliteConnection, rows: &[(Day, RoomName, RoomUsage)]) -> QueryResult<()> {
    for (day, room, usage) in rows {
        if usage.messages == 0 {
            diesel::sql_query(
                "UPDATE room_usage SET peak_members = max(peak_members, ?) WHERE day = ? AND room = ?",
            )
            .bind::<BigInt, _>(signed(usage.peak_members))
            .bind::<BigInt, _>(day.0)
            .bind::<Text, _>(room.as_str())
            .execute(connection)?;
            continue;
        }
        diesel::sql_query(
            "INSERT INTO room_usage (day, room, peak_members, messages, bytes) VALUES (?, ?, ?, ?, ?)
             ON CONFLICT (day, room) DO UPDATE SET peak_members = max(peak_members, excluded.peak_members),
                 messages = messages + excluded.messages, bytes = bytes + excluded.bytes",
        )
        .bind::<BigInt, _>(day.0)
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
    let found: Vec<Found> = diesel::sql_query(
        "SELECT day, room, peak_members, messages, bytes FROM room_usage
         WHERE day BETWEEN ? AND ? AND (day, room) > (?, ?) AND (? = '' OR room = ?) ORDER BY day, room LIMIT ?",
    )
    .bind::<BigInt, _>(from.0)
    .bind::<BigInt, _>(to.0)
    .bind::<BigInt, _>(after_day.0)
    .bind::<Text, _>(after_room)
    .bind::<Text, _>(room.as_ref().map_or("", |room| room.as_str()))
    .bind::<Text, _>(room.as_ref().map_or("", |room| room.as_str()))
    .bind::<BigInt, _>(signed(*limit as u64).saturating_add(1))
    .load(connection)?;
    let more = found.len() > *limit;
    let row = |found: Found| Row {
        day: Day(found.day),
        room: found.room,
        usage: RoomUsage {
            peak_members: unsigned(found.peak_members),
            messages: unsigned(found.messages),
            bytes: unsigned(found.bytes),
        },
    };
    Ok(Page { rows: found.into_iter().take(*limit).map(row).collect(), more })
}

/// Removes some of what is older, and says whether there may be more of it.
pub(crate) fn forget_before(connection: &mut SqliteConnection, day: Day, most: usize) -> QueryResult<bool> {
    let removed = diesel::sql_query(
        "DELETE FROM room_usage WHERE (day, room) IN (SELECT day, room FROM room_usage WHERE day < ? ORDER BY day LIMIT ?)",
    )
    .bind::<BigInt, _>(day.0)
    .bind::<BigInt, _>(signed(most as u64))
    .execute(connection)?;
    Ok(removed == most)
}
