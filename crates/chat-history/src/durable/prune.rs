//! Removes old messages in small steps.

use std::collections::VecDeque;

use chat_protocol::Timestamp;
use diesel::connection::DefaultLoadingMode;
use diesel::prelude::*;

use super::schema::{mentions, messages, reaction_counts, reactions, rooms, row_key, seq_of};
use super::{DbConnection, Fence, octet_length, room_transaction};
use crate::Retention;

/// How many messages, and how many ids, one step removes.
pub(crate) const MAX_ROWS: usize = 500;
/// How many bytes of text one step removes. Long texts have pages of their own, and each is
/// visited.
const MAX_BYTES: i64 = 2 << 20;
/// How many messages of one room a step removes while other rooms may need pruning.
const MAX_ROWS_PER_ROOM: usize = 100;
/// How many rooms one step looks at.
const MAX_ROOMS: usize = 256;
/// How many unfinished rooms come first in a step.
const MAX_UNFINISHED: usize = 3;

/// The progress of a walk through all rooms.
#[derive(Debug, Default)]
pub(crate) struct Pass {
    /// The id of the last room that was looked at.
    last_room: i64,
    /// Whether it was the last room of all.
    is_through: bool,
    /// Rooms with more to remove than their share, in turn: a large room does not delay the others.
    unfinished: VecDeque<i64>,
}

/// What is left of a step's limits.
struct Budget {
    rows: usize,
    bytes: i64,
}

/// The numbers of a room: `first_seq` is inclusive, `next_seq` exclusive.
#[derive(Queryable, Selectable)]
#[diesel(table_name = rooms, check_for_backend(super::Backend))]
struct Room {
    id: i64,
    first_seq: i64,
    next_seq: i64,
    message_count: i64,
}

/// The messages that a step removes from a room.
struct Cut {
    /// The first number that is kept for now.
    first_kept: i64,
    /// How many messages are before it.
    count: i64,
    /// Whether more have to be removed later.
    more: bool,
}

/// The limits of a pass.
#[derive(Clone, Copy)]
struct Limits {
    /// Messages that were sent before this are removed.
    sent_before: i64,
    /// The number of messages that each room keeps.
    count: i64,
}

/// Performs one step, and returns whether there is more to do. `pass` is updated for the next step.
pub(crate) fn step(
    connection: &mut DbConnection,
    fence: &Fence,
    retention: Retention,
    now: Timestamp,
    pass: &mut Pass,
) -> QueryResult<bool> {
    if retention.is_unlimited() {
        *pass = Pass::default();
        return Ok(false);
    }
    let limits = Limits::of(retention, now);
    let mut budget = Budget { rows: MAX_ROWS, bytes: MAX_BYTES };
    for _ in 0..pass.unfinished.len().min(MAX_UNFINISHED) {
        let Some(id) = pass.unfinished.pop_front() else { break };
        resume(connection, fence, id, limits, &mut budget, pass)?;
    }
    if !pass.is_through {
        let found = rooms::table
            .filter(rooms::id.gt(pass.last_room))
            .order(rooms::id)
            .limit(i64::try_from(MAX_ROOMS).unwrap_or(i64::MAX))
            .select(Room::as_select())
            .load(connection)?;
        pass.is_through = found.len() < MAX_ROOMS;
        for room in found {
            if budget.is_spent() {
                pass.is_through = false;
                break;
            }
            pass.last_room = room.id;
            if room.prune(connection, fence, limits, &mut budget)? {
                pass.unfinished.push_back(room.id);
            }
        }
    }
    // if few rooms have something to remove, they get the rest of the step
    while !budget.is_spent()
        && let Some(id) = pass.unfinished.pop_front()
    {
        resume(connection, fence, id, limits, &mut budget, pass)?;
    }
    if pass.is_through && pass.unfinished.is_empty() {
        *pass = Pass::default();
        return Ok(false);
    }
    Ok(true)
}

/// Continues with an unfinished room.
fn resume(
    connection: &mut DbConnection,
    fence: &Fence,
    id: i64,
    limits: Limits,
    budget: &mut Budget,
    pass: &mut Pass,
) -> QueryResult<()> {
    let room = rooms::table.find(id).select(Room::as_select()).first(connection).optional()?;
    if let Some(room) = room
        && room.prune(connection, fence, limits, budget)?
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
        Self {
            sent_before: retention.sent_after(now).map_or(i64::MIN, Timestamp::as_millis),
            count: retention.max_count.map_or(i64::MAX, |count| i64::try_from(count).unwrap_or(i64::MAX)),
        }
    }
}

/// Deletes what is stored apart from the messages between two row keys.
fn delete_apart(connection: &mut DbConnection, from: i64, to: i64) -> QueryResult<()> {
    let range = mentions::row_key.ge(from).and(mentions::row_key.lt(to));
    diesel::delete(mentions::table.filter(range)).execute(connection)?;
    let range = reactions::row_key.ge(from).and(reactions::row_key.lt(to));
    diesel::delete(reactions::table.filter(range)).execute(connection)?;
    let range = reaction_counts::row_key.ge(from).and(reaction_counts::row_key.lt(to));
    diesel::delete(reaction_counts::table.filter(range)).execute(connection)?;
    Ok(())
}

impl Room {
    /// Removes the oldest messages, and returns whether more have to be removed.
    fn prune(
        &self,
        connection: &mut DbConnection,
        fence: &Fence,
        limits: Limits,
        budget: &mut Budget,
    ) -> QueryResult<bool> {
        let excess = self.message_count.saturating_sub(limits.count);
        if self.first_seq >= self.next_seq || (excess <= 0 && limits.sent_before == i64::MIN) {
            return Ok(false);
        }
        room_transaction(connection, fence, self.id, |connection| {
            let Cut { first_kept, count, more } = self.cut(connection, excess, limits.sent_before, budget)?;
            if first_kept > self.first_seq {
                let gone = messages::table
                    .filter(messages::row_key.ge(row_key(self.id, self.first_seq)))
                    .filter(messages::row_key.lt(row_key(self.id, first_kept)));
                diesel::delete(gone).execute(connection)?;
                delete_apart(connection, row_key(self.id, self.first_seq), row_key(self.id, first_kept))?;
                let left =
                    (rooms::first_seq.eq(first_kept), rooms::message_count.eq(rooms::message_count - count));
                diesel::update(rooms::table.find(self.id)).set(left).execute(connection)?;
            }
            Ok(more)
        })
    }

    /// What has to be removed, as far as the budget allows: at least `excess` messages, and those
    /// that are too old.
    fn cut(
        &self,
        connection: &mut DbConnection,
        excess: i64,
        sent_before: i64,
        budget: &mut Budget,
    ) -> QueryResult<Cut> {
        let mut max = MAX_ROWS_PER_ROOM.min(budget.rows);
        // read row by row: if nothing has to be removed, the first row shows that
        let rows = messages::table
            .filter(messages::row_key.ge(row_key(self.id, self.first_seq)))
            .filter(messages::row_key.lt(row_key(self.id, self.next_seq)))
            .order(messages::row_key)
            .select((messages::row_key, messages::sent_at, octet_length(messages::body)))
            .load_iter::<(i64, i64, Option<i64>), DefaultLoadingMode>(connection)?;
        let mut count = 0;
        for row in rows {
            let (row_key, sent_at, size) = row?;
            let first_kept = seq_of(row_key);
            if count >= excess && sent_at >= sent_before {
                return Ok(Cut { first_kept, count, more: false });
            }
            if max == 0 || budget.bytes <= 0 {
                return Ok(Cut { first_kept, count, more: true });
            }
            count += 1;
            max -= 1;
            budget.rows -= 1;
            budget.bytes -= size.unwrap_or_default();
        }
        Ok(Cut { first_kept: self.next_seq, count, more: false })
    }
}
