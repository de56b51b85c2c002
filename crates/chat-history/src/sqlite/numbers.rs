//! The next number of each room, and the numbers that may not have been announced.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use chat_protocol::{Message, RoomName};
use diesel::prelude::*;

use super::schema::{Row, Rows, messages, rooms, row_key};

/// The maximum number of cached rooms. Beyond it the cache is emptied, and rooms are read again
/// when they are needed.
const MAX_KNOWN: usize = 65_536;

/// The maximum number of rooms in doubt. A room beyond it may miss a message in its live stream if
/// the failed commit did reach the disk; the message is in its history.
const MAX_IN_DOUBT: usize = 65_536;

/// The rooms as they are in the database. Only the writer's thread uses this.
#[derive(Default)]
pub(super) struct Numbers {
    pub(super) known: Known,
    /// Rooms that were written to since their last known commit, with their last number before
    /// that. If the database has later numbers, those were never announced.
    in_doubt: HashMap<RoomName, i64>,
    /// Counts flushes. Two flushes may share a transaction, and each lists the rooms that it writes
    /// to.
    flush: u64,
}

/// Rooms by name. The cache is emptied when a transaction fails, because the database may differ
/// then.
pub(super) type Known = HashMap<RoomName, Room>;

/// A room.
pub(super) struct Room {
    pub(super) id: i64,
    /// The number of the next message.
    pub(super) next_seq: i64,
    /// The next number as it is in the database.
    written: i64,
    /// The last flush that wrote to the room.
    touched_by: u64,
    /// Messages that are stored and were never announced, until a result includes them.
    pub(super) recovered: Vec<Arc<Message>>,
}

impl Numbers {
    /// Begins a flush. Takes the cache out, so that it is dropped unless it is put back: after an
    /// error or a panic it is not valid.
    pub(super) fn begin(&mut self) -> Known {
        self.flush += 1;
        let known = std::mem::take(&mut self.known);
        if known.len() < MAX_KNOWN { known } else { Known::new() }
    }

    /// The room, from the cache or the database, created if there is none. `touched` lists it once
    /// per flush.
    pub(super) fn touch<'a>(
        &mut self,
        connection: &mut SqliteConnection,
        known: &'a mut Known,
        name: &RoomName,
        touched: &mut Vec<RoomName>,
    ) -> QueryResult<&'a mut Room> {
        let room = match known.entry(name.clone()) {
            Entry::Occupied(room) => room.into_mut(),
            Entry::Vacant(entry) => entry.insert(load(connection, name, self.in_doubt.get(name).copied())?),
        };
        if room.touched_by != self.flush {
            room.touched_by = self.flush;
            touched.push(name.clone());
            if self.in_doubt.len() < MAX_IN_DOUBT {
                // an existing entry is older, and still the last announced number
                self.in_doubt.entry(name.clone()).or_insert(room.next_seq - 1);
            }
        }
        Ok(room)
    }

    /// A flush was committed, and its results are about to be delivered.
    pub(super) fn committed(&mut self, touched: &[RoomName]) {
        for name in touched {
            if self.known.get(name).is_some_and(|room| room.recovered.is_empty()) {
                self.in_doubt.remove(name);
            }
        }
    }

    /// A transaction failed.
    pub(super) fn failed(&mut self) {
        self.known.clear();
    }
}

fn load(connection: &mut SqliteConnection, name: &RoomName, announced: Option<i64>) -> QueryResult<Room> {
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
    let recovered = match announced {
        Some(announced) if announced < next_seq - 1 => {
            between(connection, name, row_key(id, announced), row_key(id, next_seq))?
        }
        _ => Vec::new(),
    };
    Ok(Room { id, next_seq, written: next_seq, touched_by: 0, recovered })
}

/// The messages between two row keys, both exclusive.
fn between(
    connection: &mut SqliteConnection,
    room: &RoomName,
    after: i64,
    before: i64,
) -> QueryResult<Vec<Arc<Message>>> {
    let found = messages::table
        .filter(messages::row_key.gt(after))
        .filter(messages::row_key.lt(before))
        .order(messages::row_key)
        .select(Row::as_select())
        .load(connection)?;
    let mut rows = Rows::of_room(room.clone());
    let mut recovered = Vec::with_capacity(found.len());
    for row in found {
        match rows.message(row) {
            Ok(message) => recovered.push(message),
            // an error would block all further writes to the room
            Err(error) => tracing::error!(%error, "a stored message can't be read"),
        }
    }
    Ok(recovered)
}

impl Room {
    /// Writes the next number to the database.
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
