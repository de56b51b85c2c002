//! The ids of rooms, which never change.

use std::collections::HashMap;

use chat_protocol::RoomName;
use diesel::prelude::*;

use super::DbConnection;
use super::durable::schema::rooms;

/// The maximum number of cached rooms. Beyond it the cache is emptied, and rooms are read again
/// when they are needed.
const MAX_KNOWN: usize = 65_536;

/// Rooms by name. The cache is emptied after a failure: the database may be another one then.
#[derive(Default)]
pub(super) struct Known {
    ids: HashMap<RoomName, i64>,
}

impl Known {
    /// Looks these rooms up, and creates those that do not exist, in transactions of their own.
    pub(super) fn load<'a>(
        &mut self,
        connection: &mut DbConnection,
        names: impl Iterator<Item = &'a RoomName>,
    ) -> QueryResult<()> {
        if self.ids.len() >= MAX_KNOWN {
            self.ids.clear();
        }
        let mut missing: Vec<_> = names.filter(|name| !self.ids.contains_key(*name)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        missing.sort_unstable_by_key(|name| name.as_str());
        missing.dedup();
        self.find(connection, &missing)?;
        missing.retain(|name| !self.ids.contains_key(*name));
        if missing.is_empty() {
            return Ok(());
        }
        let new: Vec<_> = missing
            .iter()
            .map(|name| (rooms::name.eq(name.as_str()), rooms::next_seq.eq(1), rooms::first_seq.eq(1)))
            .collect();
        diesel::insert_into(rooms::table).values(new).on_conflict_do_nothing().execute(connection)?;
        self.find(connection, &missing)
    }

    fn find(&mut self, connection: &mut DbConnection, names: &[&RoomName]) -> QueryResult<()> {
        let texts: Vec<_> = names.iter().map(|name| name.as_str()).collect();
        let found: Vec<(i64, String)> = rooms::table
            .filter(rooms::name.eq_any(texts))
            .select((rooms::id, rooms::name))
            .load(connection)?;
        for (id, name) in found {
            if let Some(known) = names.iter().find(|known| known.as_str() == name) {
                self.ids.insert((*known).clone(), id);
            }
        }
        Ok(())
    }

    /// The id of a room that was looked up.
    pub(super) fn id(&self, name: &RoomName) -> QueryResult<i64> {
        self.ids.get(name).copied().ok_or(diesel::result::Error::NotFound)
    }

    /// A transaction has failed.
    pub(super) fn clear(&mut self) {
        self.ids.clear();
    }
}
