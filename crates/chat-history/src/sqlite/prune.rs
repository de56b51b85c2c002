//! Removing what need not be kept, in small steps.

use std::collections::VecDeque;
use std::time::Duration;

use chat_protocol::Timestamp;
use diesel::connection::DefaultLoadingMode;
use diesel::prelude::*;
use diesel::sql_types::{Nullable, Text};

use super::schema::{messages, place, rooms, seq_at};
use crate::Retention;

/// How much one step removes of messages, and of ids.
pub(super) const ROWS: usize = 500;
/// How many bytes of text. Long texts lie in pages of their own, each of which is visited.
const BYTES: i64 = 2 << 20;
/// How much of it one room may have, as long as it is not known whether others need it.
const ROWS_OF_A_ROOM: usize = 100;
/// How many rooms one step looks at.
const ROOMS: usize = 256;
/// How many of those that are known to have more to remove come first.
const UNFINISHED: usize = 3;

diesel::define_sql_function! {
    /// The size of a text in bytes, which is known without reading it (<https://sqlite.org/lang_corefunc.html#octet_length>).
    fn octet_length(text: Nullable<Text>) -> Nullable<BigInt>;
}

/// How far a walk through all rooms has come.
#[derive(Debug, Default)]
pub(super) struct Pass {
    /// The last room that was looked at, by id.
    last_room: i64,
    /// Whether it was the last of all.
    is_through: bool,
    /// Rooms in which more has to go than they were given, each in its turn: a large one keeps no other waiting.
    unfinished: VecDeque<i64>,
}

/// What is left of a step.
struct Budget {
    rows: usize,
    bytes: i64,
}

/// A room's numbers: what is there begins at the first and ends before the next.
#[derive(Queryable, Selectable)]
#[diesel(table_name = rooms, check_for_backend(diesel::sqlite::Sqlite))]
struct Room {
    id: i64,
    first_seq: i64,
    next_seq: i64,
}

/// What does not stay.
#[derive(Clone, Copy)]
struct Limits {
    /// What was sent before this.
    sent_before: i64,
    /// All but so many of each room.
    count: i64,
}

/// Does one step, and says whether there is more to do. `pass` is left where the next step goes on.
pub(super) fn step(
    connection: &mut SqliteConnection,
    retention: Retention,
    now: Timestamp,
    pass: &mut Pass,
) -> QueryResult<bool> {
    if retention.keeps_all() {
        *pass = Pass::default();
        return Ok(false);
    }
    let limits = Limits::of(retention, now);
    let mut budget = Budget { rows: ROWS, bytes: BYTES };
    for _ in 0..pass.unfinished.len().min(UNFINISHED) {
        let Some(id) = pass.unfinished.pop_front() else { break };
        prune_again(connection, id, limits, &mut budget, pass)?;
    }
    if !pass.is_through {
        let found = rooms::table
            .filter(rooms::id.gt(pass.last_room))
            .order(rooms::id)
            .limit(i64::try_from(ROOMS).unwrap_or(i64::MAX))
            .select(Room::as_select())
            .load(connection)?;
        pass.is_through = found.len() < ROOMS;
        for room in found {
            if budget.is_spent() {
                pass.is_through = false;
                break;
            }
            pass.last_room = room.id;
            if room.prune(connection, limits, &mut budget)? {
                pass.unfinished.push_back(room.id);
            }
        }
    }
    // where few rooms have something to go the step is theirs
    while !budget.is_spent()
        && let Some(id) = pass.unfinished.pop_front()
    {
        prune_again(connection, id, limits, &mut budget, pass)?;
    }
    if pass.is_through && pass.unfinished.is_empty() {
        *pass = Pass::default();
        return Ok(false);
    }
    Ok(true)
}

/// Goes on with a room in which more had to go.
fn prune_again(
    connection: &mut SqliteConnection,
    id: i64,
    limits: Limits,
    budget: &mut Budget,
    pass: &mut Pass,
) -> QueryResult<()> {
    let room = rooms::table.find(id).select(Room::as_select()).first(connection).optional()?;
    if let Some(room) = room
        && room.prune(connection, limits, budget)?
    {
        pass.unfinished.push_back(id);
    }
    Ok(())
}

impl Budget {
    fn is_spent(&self) -> bool {
        self.rows == 0 || self.bytes <= 0
    }
}

impl Limits {
    fn of(retention: Retention, now: Timestamp) -> Self {
        let millis = |age: Duration| i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
        Self {
            sent_before: retention.max_age.map_or(i64::MIN, |age| now.0.saturating_sub(millis(age))),
            count: retention.max_count.map_or(i64::MAX, |count| i64::try_from(count).unwrap_or(i64::MAX)),
        }
    }
}

impl Room {
    /// Removes the oldest of what has to go, and says whether more of it is left.
    fn prune(
        &self,
        connection: &mut SqliteConnection,
        limits: Limits,
        budget: &mut Budget,
    ) -> QueryResult<bool> {
        let first_kept = self.next_seq.saturating_sub(limits.count);
        let keeps_by_count = first_kept <= self.first_seq;
        if self.first_seq >= self.next_seq || (keeps_by_count && limits.sent_before == i64::MIN) {
            return Ok(false);
        }
        let (cut, more) = self.cut(connection, first_kept, limits.sent_before, budget)?;
        if cut > self.first_seq {
            let gone = messages::table
                .filter(messages::place.ge(place(self.id, self.first_seq)))
                .filter(messages::place.lt(place(self.id, cut)));
            diesel::delete(gone).execute(connection)?;
            diesel::update(rooms::table.find(self.id)).set(rooms::first_seq.eq(cut)).execute(connection)?;
        }
        Ok(more)
    }

    /// The first number that stays for now, and whether it has to go, too.
    fn cut(
        &self,
        connection: &mut SqliteConnection,
        first_kept: i64,
        sent_before: i64,
        budget: &mut Budget,
    ) -> QueryResult<(i64, bool)> {
        let mut most = ROWS_OF_A_ROOM.min(budget.rows);
        // read row by row: where nothing has to go one row says so
        let rows = messages::table
            .filter(messages::place.ge(place(self.id, self.first_seq)))
            .filter(messages::place.lt(place(self.id, self.next_seq)))
            .order(messages::place)
            .select((messages::place, messages::sent_at, octet_length(messages::body)))
            .load_iter::<(i64, i64, Option<i64>), DefaultLoadingMode>(connection)?;
        for row in rows {
            let (place, sent_at, size) = row?;
            let seq = seq_at(place);
            if seq >= first_kept && sent_at >= sent_before {
                return Ok((seq, false));
            }
            if most == 0 || budget.bytes <= 0 {
                return Ok((seq, true));
            }
            most -= 1;
            budget.rows -= 1;
            budget.bytes -= size.unwrap_or_default();
        }
        Ok((self.next_seq, false))
    }
}
