//! The durable store: diesel, through the group commit of `chat-db`. It is compiled once for each
//! kind of database.

use std::collections::{BTreeMap, HashSet};

use chat_protocol::RoomName;
use chat_rooms::RoomUsage;
use diesel::dsl::{case_when, sql};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Text};
use diesel::upsert::excluded;
use futures::future::{BoxFuture, FutureExt};

use super::{Backend, Database, DbConnection};
use crate::{Day, Page, Query, Row, UsageError, UsageStore};

diesel::table! {
    room_usage (day, room) {
        day -> BigInt,
        room -> Text,
        peak_members -> BigInt,
        messages -> BigInt,
        bytes -> BigInt,
    }
}

#[derive(Insertable, Queryable, Selectable)]
#[diesel(table_name = room_usage, check_for_backend(Backend), treat_none_as_default_value = false)]
struct StoredRow {
    day: i64,
    room: String,
    peak_members: i64,
    messages: i64,
    bytes: i64,
}

impl StoredRow {
    fn new(day: Day, room: &RoomName, usage: &RoomUsage) -> Self {
        Self {
            day: day.number(),
            room: room.as_str().to_owned(),
            peak_members: signed(usage.peak_members),
            messages: signed(usage.messages),
            bytes: signed(usage.bytes),
        }
    }

    fn row(self) -> Row {
        let usage = RoomUsage {
            peak_members: unsigned(self.peak_members),
            messages: unsigned(self.messages),
            bytes: unsigned(self.bytes),
        };
        Row::new(Day::from_number(self.day), self.room, usage)
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

fn add(connection: &mut DbConnection, usage: &[(Day, RoomName, RoomUsage)]) -> QueryResult<()> {
    let mut silent: BTreeMap<Day, Vec<&str>> = BTreeMap::new();
    for (day, room, _) in usage.iter().filter(|(_, _, usage)| usage.messages == 0) {
        silent.entry(*day).or_default().push(room.as_str());
    }
    let mut stored = HashSet::new();
    for (day, rooms) in silent {
        let of_rooms = room_usage::table
            .filter(room_usage::day.eq(day.number()).and(room_usage::room.eq_any(rooms)))
            .select((room_usage::day, room_usage::room));
        stored.extend(of_rooms.load::<(i64, String)>(connection)?);
    }
    let rows: Vec<_> = usage
        .iter()
        .map(|(day, room, usage)| StoredRow::new(*day, room, usage))
        .filter(|row| row.messages > 0 || stored.contains(&(row.day, row.room.clone())))
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    let (before, new) = (room_usage::peak_members, excluded(room_usage::peak_members));
    diesel::insert_into(room_usage::table)
        .values(&rows)
        .on_conflict((room_usage::day, room_usage::room))
        .do_update()
        .set((
            room_usage::peak_members.eq(case_when(new.gt(before), new).otherwise(before)),
            room_usage::messages.eq(room_usage::messages + excluded(room_usage::messages)),
            room_usage::bytes.eq(room_usage::bytes + excluded(room_usage::bytes)),
        ))
        .execute(connection)?;
    Ok(())
}

fn page(connection: &mut DbConnection, query: &Query) -> QueryResult<Page> {
    let Query { from, to, room, after, limit } = query;
    let mut found = room_usage::table
        .filter(room_usage::day.between(from.number(), to.number()))
        .order((room_usage::day, room_usage::room))
        .limit(signed(*limit as u64).saturating_add(1))
        .select(StoredRow::as_select())
        .into_boxed();
    if let Some((day, room)) = after {
        let is_after = sql::<Bool>("(day, room) > (").bind::<BigInt, _>(day.number());
        found = found.filter(is_after.sql(", ").bind::<Text, _>(room.as_str()).sql(")"));
    }
    if let Some(room) = room {
        found = found.filter(room_usage::room.eq(room.as_str()));
    }
    let mut rows: Vec<StoredRow> = found.load(connection)?;
    let more = rows.len() > *limit;
    rows.truncate(*limit);
    Ok(Page::new(rows.into_iter().map(StoredRow::row).collect(), more))
}

fn remove_before(connection: &mut DbConnection, day: Day, limit: usize) -> QueryResult<bool> {
    let oldest = sql::<Bool>("(day, room) IN (SELECT day, room FROM room_usage WHERE day < ")
        .bind::<BigInt, _>(day.number())
        .sql(" ORDER BY day LIMIT ")
        .bind::<BigInt, _>(signed(limit as u64))
        .sql(")");
    let removed = diesel::delete(room_usage::table.filter(oldest)).execute(connection)?;
    Ok(removed == limit)
}

/// Usage in a database.
#[derive(Debug)]
pub struct DurableUsage {
    database: Database,
}

impl DurableUsage {
    /// The store on an open database.
    pub fn new(database: Database) -> Self {
        Self { database }
    }
}

impl UsageStore for DurableUsage {
    fn add(&self, usage: Vec<(Day, RoomName, RoomUsage)>) -> BoxFuture<'_, Result<(), UsageError>> {
        let work = move |connection: &mut DbConnection| add(connection, &usage);
        async move { self.database.write(work).await.map_err(UsageError::from) }.boxed()
    }

    fn page(&self, query: Query) -> BoxFuture<'_, Result<Page, UsageError>> {
        let work = move |connection: &mut DbConnection| page(connection, &query);
        async move { self.database.read(work).await.map_err(UsageError::from) }.boxed()
    }

    fn remove_before(&self, day: Day, limit: usize) -> BoxFuture<'_, Result<bool, UsageError>> {
        let work = move |connection: &mut DbConnection| remove_before(connection, day, limit);
        async move { self.database.write(work).await.map_err(UsageError::from) }.boxed()
    }
}
