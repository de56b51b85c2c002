//! The ids that senders gave, so that a message that comes again is recognised.

use std::hash::{BuildHasher, RandomState};

use chat_protocol::Timestamp;
use diesel::connection::DefaultLoadingMode;
use diesel::prelude::*;

use super::id_index::IdIndex;
use super::schema::message_ids;
use crate::NewMessage;

/// How long an id is recognised, in milliseconds.
const KEPT_FOR: i64 = 24 * 60 * 60 * 1_000;

/// How many ids are kept at most.
const MOST_IDS: i64 = 1_000_000;

const _: () = assert!(MOST_IDS <= IdIndex::KEPT);

/// Finds the row of an id. The table has no index but its order of insertion: one over random ids would have to change a page
/// at a random place for nearly every message, which was measured to cost three times as much as the rest. So where a row is
/// stands in memory, some 5 MB for a million of them; what the row says is always asked of the table.
///
/// Only the writer's thread uses this.
pub(super) struct Ids {
    /// `n` of the row of an id, by the hash of the id. An entry may be wrong: its row may never have been committed, or
    /// may have gone, or it may be that of another id.
    rows: IdIndex,
    hasher: RandomState,
    /// The hashes of the newest entries, those that were made since the last commit that was told.
    unsettled: Vec<u64>,
    /// A transaction failed: of the unsettled ones the table may have none, or some.
    in_doubt: bool,
}

/// Whose id it is.
type Key<'a> = (i64, &'a str, &'a str);

/// Where the message is that had the id first.
pub(super) struct First {
    pub(super) seq: i64,
    pub(super) sent_at: Timestamp,
}

#[derive(Insertable)]
#[diesel(table_name = message_ids)]
struct NewRow<'a> {
    n: i64,
    room_id: i64,
    username: &'a str,
    message_id: &'a str,
    seq: i64,
    sent_at: i64,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = message_ids, check_for_backend(diesel::sqlite::Sqlite))]
struct Row {
    n: i64,
    room_id: i64,
    username: String,
    message_id: String,
    seq: i64,
    sent_at: i64,
}

impl Row {
    fn key(&self) -> Key<'_> {
        (self.room_id, &self.username, &self.message_id)
    }
}

impl Ids {
    /// Those that the table has.
    pub(super) fn load(connection: &mut SqliteConnection) -> QueryResult<Self> {
        let hasher = RandomState::new();
        let mut rows = IdIndex::new();
        let found = message_ids::table
            .order(message_ids::n)
            .select(Row::as_select())
            .load_iter::<Row, DefaultLoadingMode>(connection)?;
        for row in found {
            let row = row?;
            rows.push(hasher.hash_one(row.key()), row.n);
        }
        Ok(Self { rows, hasher, unsettled: Vec::new(), in_doubt: false })
    }

    /// Notes a message's id with the place that the message is about to get, unless the same user has given it to a message
    /// in the same room before: then says to which.
    pub(super) fn claim(
        &mut self,
        connection: &mut SqliteConnection,
        room_id: i64,
        message: &NewMessage,
        seq: i64,
        now: Timestamp,
    ) -> QueryResult<Option<First>> {
        let key = (room_id, message.from.as_str(), message.id.as_str());
        let hash = self.hasher.hash_one(key);
        for n in self.rows.find(hash) {
            if let Some(row) = find(connection, n)?
                && row.key() == key
                && !is_old(row.sent_at, now)
            {
                return Ok(Some(First { seq: row.seq, sent_at: Timestamp(row.sent_at) }));
            }
        }
        let n = self.rows.newest() + 1;
        let (room_id, username, message_id) = key;
        let row = NewRow { n, room_id, username, message_id, seq, sent_at: now.0 };
        diesel::insert_into(message_ids::table).values(&row).execute(connection)?;
        self.rows.push(hash, n);
        self.unsettled.push(hash);
        Ok(None)
    }

    /// Removes ids that need not be kept, at most so many, and says whether more of them are left.
    pub(super) fn expire(
        &mut self,
        connection: &mut SqliteConnection,
        now: Timestamp,
        most: usize,
    ) -> QueryResult<bool> {
        let Some(newest) = newest(connection)? else { return Ok(false) };
        let goes = |row: &Row| row.n <= newest - MOST_IDS || is_old(row.sent_at, now);
        // most of the time there is nothing to do, and one row says so
        if !oldest(connection, 1)?.iter().any(goes) {
            return Ok(false);
        }
        let found = oldest(connection, most.saturating_add(1))?;
        let count = found.iter().take_while(|row| goes(row)).count();
        let gone = &found[..count.min(most)];
        if let Some(last) = gone.last() {
            diesel::delete(message_ids::table.filter(message_ids::n.le(last.n))).execute(connection)?;
            self.rows.forget_through(last.n);
        }
        Ok(count > most)
    }

    /// What was noted is in the database.
    pub(super) fn committed(&mut self) {
        self.unsettled.clear();
    }

    /// A transaction failed.
    pub(super) fn failed(&mut self) {
        self.in_doubt = true;
    }

    /// Forgets what failed transactions noted, unless it reached the disk. Left where they are, entries of a long time of failures would
    /// take the places of older ids, which are still to be recognised.
    pub(super) fn settle(&mut self, connection: &mut SqliteConnection) -> QueryResult<()> {
        if self.in_doubt {
            let stored = newest(connection)?.unwrap_or_default();
            while self.rows.newest() > stored
                && let Some(hash) = self.unsettled.pop()
            {
                self.rows.pop(hash);
            }
            self.in_doubt = false;
        }
        Ok(())
    }
}

fn find(connection: &mut SqliteConnection, n: i64) -> QueryResult<Option<Row>> {
    message_ids::table.find(n).select(Row::as_select()).first(connection).optional()
}

fn newest(connection: &mut SqliteConnection) -> QueryResult<Option<i64>> {
    message_ids::table.select(message_ids::n).order(message_ids::n.desc()).first(connection).optional()
}

fn oldest(connection: &mut SqliteConnection, count: usize) -> QueryResult<Vec<Row>> {
    message_ids::table
        .order(message_ids::n)
        .limit(i64::try_from(count).unwrap_or(i64::MAX))
        .select(Row::as_select())
        .load(connection)
}

fn is_old(sent_at: i64, now: Timestamp) -> bool {
    sent_at < now.0.saturating_sub(KEPT_FOR)
}
