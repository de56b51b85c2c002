//! The next number of each room.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use chat_protocol::RoomName;
use diesel::prelude::*;

use super::schema::rooms;

/// The maximum number of cached rooms. Beyond it the cache is emptied, and rooms are read again
/// when they are needed.
const MAX_KNOWN: usize = 65_536;

/// The rooms as they are in the database. Only the writer's thread uses this.
#[derive(Default)]
pub(super) struct Numbers {
    pub(super) known: Known,
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
    /// The number of the next event.
    pub(super) next_seq: i64,
    /// The version of the room's policy.
    pub(super) policy_version: i64,
    /// How many messages were inserted since the room was written.
    pub(super) inserted: i64,
    /// The next number as it is in the database.
    written: i64,
    /// The last flush that wrote to the room.
    touched_by: u64,
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
            Entry::Vacant(entry) => entry.insert(load(connection, name)?),
        };
        if room.touched_by != self.flush {
            room.touched_by = self.flush;
            touched.push(name.clone());
        }
        Ok(room)
    }

    /// A transaction failed.
    pub(super) fn failed(&mut self) {
        self.known.clear();
    }
}

fn load(connection: &mut SqliteConnection, name: &RoomName) -> QueryResult<Room> {
    let found = rooms::table
        .filter(rooms::name.eq(name.as_str()))
        .select((rooms::id, rooms::next_seq, rooms::policy_version))
        .first::<(i64, i64, i64)>(connection)
        .optional()?;
    let (id, next_seq, policy_version) = match found {
        Some(room) => room,
        None => {
            let new = (rooms::name.eq(name.as_str()), rooms::next_seq.eq(1), rooms::first_seq.eq(1));
            (diesel::insert_into(rooms::table).values(new).returning(rooms::id).get_result(connection)?, 1, 0)
        }
    };
    Ok(Room { id, next_seq, policy_version, inserted: 0, written: next_seq, touched_by: 0 })
}

impl Room {
    /// Writes the next number to the database, and counts the messages that were inserted.
    pub(super) fn write(&mut self, connection: &mut SqliteConnection) -> QueryResult<()> {
        if self.written != self.next_seq {
            // pruning changes the count in the database, too, so it is not cached
            let count = rooms::message_count + std::mem::take(&mut self.inserted);
            diesel::update(rooms::table.find(self.id))
                .set((rooms::next_seq.eq(self.next_seq), rooms::message_count.eq(count)))
                .execute(connection)?;
            self.written = self.next_seq;
        }
        Ok(())
    }
}
