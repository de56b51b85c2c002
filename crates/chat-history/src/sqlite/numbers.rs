//! The next number of each room.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use chat_protocol::RoomName;
use diesel::prelude::*;

use super::durable::room::Room;

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
pub(super) type Known = HashMap<RoomName, Cached>;

/// A room in the cache.
pub(super) struct Cached {
    pub(super) room: Room,
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
        let cached = match known.entry(name.clone()) {
            Entry::Occupied(cached) => cached.into_mut(),
            Entry::Vacant(entry) => {
                entry.insert(Cached { room: Room::load(connection, name)?, touched_by: 0 })
            }
        };
        if cached.touched_by != self.flush {
            cached.touched_by = self.flush;
            touched.push(name.clone());
        }
        Ok(&mut cached.room)
    }

    /// A transaction failed.
    pub(super) fn failed(&mut self) {
        self.known.clear();
    }
}
