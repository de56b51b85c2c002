//! Where each room's numbers stand, and which of them nobody may have heard of.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use chat_protocol::{Message, RoomName};
use diesel::prelude::*;

use super::schema::{Row, Rows, messages, place, rooms};

/// How many rooms are known at most; beyond that all are forgotten, and read again when they are needed.
const MOST_KNOWN: usize = 65_536;

/// How many rooms are in doubt at most. A room beyond that may miss a message in its live stream, if the commit that failed
/// did reach the disk; its history has it.
const MOST_IN_DOUBT: usize = 65_536;

/// The rooms as the database has them. Only the writer's thread uses this.
#[derive(Default)]
pub(super) struct Numbers {
    pub(super) known: Known,
    /// Rooms that were written to and of which no commit has been told since, with their last number before that. What
    /// lies beyond it was never told, should the database turn out to have it.
    in_doubt: HashMap<RoomName, i64>,
    /// Counts flushes. Two may share a transaction, and each lists the rooms it is about.
    flush: u64,
}

/// Rooms by name. Forgotten whenever a transaction fails: the database may say something else then.
pub(super) type Known = HashMap<RoomName, Room>;

/// One room.
pub(super) struct Room {
    pub(super) id: i64,
    /// The number of the message that comes next.
    pub(super) next_seq: i64,
    /// The same as the database has it.
    written: i64,
    /// The last flush that was about it.
    touched_by: u64,
    /// Messages that are stored and were never told, until an answer takes them along.
    pub(super) missed: Vec<Arc<Message>>,
}

impl Numbers {
    /// Begins a flush. Takes what is known, so that it is gone unless it is put back: after an error, or a panic, it does
    /// not hold.
    pub(super) fn begin(&mut self) -> Known {
        self.flush += 1;
        let known = std::mem::take(&mut self.known);
        if known.len() < MOST_KNOWN { known } else { Known::new() }
    }

    /// The room, from the database if it is not known, made if there is none. `touched` lists it, once for a flush.
    pub(super) fn touch<'a>(
        &mut self,
        connection: &mut SqliteConnection,
        known: &'a mut Known,
        name: &RoomName,
        touched: &mut Vec<RoomName>,
    ) -> QueryResult<&'a mut Room> {
        let room = match known.entry(name.clone()) {
            Entry::Occupied(room) => room.into_mut(),
            Entry::Vacant(place) => place.insert(load(connection, name, self.in_doubt.get(name).copied())?),
        };
        if room.touched_by != self.flush {
            room.touched_by = self.flush;
            touched.push(name.clone());
            if self.in_doubt.len() < MOST_IN_DOUBT {
                // one that stands there already is older, and still the last that was told
                self.in_doubt.entry(name.clone()).or_insert(room.next_seq - 1);
            }
        }
        Ok(room)
    }

    /// A flush was committed, and is about to be told.
    pub(super) fn committed(&mut self, touched: &[RoomName]) {
        for name in touched {
            if self.known.get(name).is_some_and(|room| room.missed.is_empty()) {
                self.in_doubt.remove(name);
            }
        }
    }

    /// A transaction failed.
    pub(super) fn failed(&mut self) {
        self.known.clear();
    }
}

fn load(connection: &mut SqliteConnection, name: &RoomName, told: Option<i64>) -> QueryResult<Room> {
    let found = rooms::table
        .filter(rooms::name.eq(name.as_str()))
        .select((rooms::id, rooms::next_seq))
        .first::<(i64, i64)>(connection)
        .optional()?;
    let (id, next_seq) = match found {
        Some(room) => room,
        None => {
            let new = (rooms::name.eq(name.as_str()), rooms::next_seq.eq(1), rooms::first_seq.eq(1));
            (diesel::insert_into(rooms::table).values(new).returning(rooms::id).get_result(connection)?, 1)
        }
    };
    let missed = match told {
        Some(told) if told < next_seq - 1 => missed(connection, name, place(id, told), place(id, next_seq))?,
        _ => Vec::new(),
    };
    Ok(Room { id, next_seq, written: next_seq, touched_by: 0, missed })
}

/// The messages between two places.
fn missed(
    connection: &mut SqliteConnection,
    room: &RoomName,
    after: i64,
    before: i64,
) -> QueryResult<Vec<Arc<Message>>> {
    let found = messages::table
        .filter(messages::place.gt(after))
        .filter(messages::place.lt(before))
        .order(messages::place)
        .select(Row::as_select())
        .load(connection)?;
    let mut rows = Rows::of(room.clone());
    let mut missed = Vec::with_capacity(found.len());
    for row in found {
        match rows.message(row) {
            Ok(message) => missed.push(message),
            // it would keep the room from being written to for ever
            Err(error) => tracing::error!(%error, "a stored message can't be read"),
        }
    }
    Ok(missed)
}

impl Room {
    /// Brings the database's number up to date.
    pub(super) fn write(&mut self, connection: &mut SqliteConnection) -> QueryResult<()> {
        if self.written != self.next_seq {
            diesel::update(rooms::table.find(self.id))
                .set(rooms::next_seq.eq(self.next_seq))
                .execute(connection)?;
            self.written = self.next_seq;
        }
        Ok(())
    }
}
