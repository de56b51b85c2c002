//! The ids that authors have chosen, to recognise duplicates.

use std::hash::{BuildHasher, RandomState};

use chat_protocol::Timestamp;
use diesel::connection::DefaultLoadingMode;
use diesel::prelude::*;

use super::id_index::IdIndex;
use super::schema::message_ids;
use crate::NewMessage;

/// How long an id is recognised, in milliseconds.
const KEPT_FOR: i64 = 24 * 60 * 60 * 1_000;

/// The maximum number of ids that are kept.
const MAX_IDS: i64 = 1_000_000;

const _: () = assert!(MAX_IDS <= IdIndex::KEPT);

/// Finds the row of an id. The table has no index except its order of insertion: an index over
/// random ids would change a page at a random position for nearly each message, which was measured
/// to cost three times as much as the rest. Therefore the position of each row is kept in memory,
/// about 5 MB for a million ids; the content of a row is always read from the table.
///
/// Only the writer's thread uses this.
pub(super) struct Ids {
    /// The row numbers (`n`) by the hash of the id. An entry may be wrong: its row may never have
    /// been committed, may have been removed, or may belong to another id.
    rows: IdIndex,
    hasher: RandomState,
    /// The hashes of the newest entries: those that were added since the last known commit.
    uncommitted: Vec<u64>,
    /// A transaction failed: the table may contain none, some or all of the uncommitted ids.
    in_doubt: bool,
}

/// Room, author and id.
type Key<'a> = (i64, &'a str, &'a str);

/// The first message with an id.
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
    /// Loads the index from the table.
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
        Ok(Self { rows, hasher, uncommitted: Vec::new(), in_doubt: false })
    }

    /// Records the id of a message together with the number that the message is about to get,
    /// unless the same user has used the id in the same room before; then returns the first
    /// message.
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
                return Ok(Some(First { seq: row.seq, sent_at: Timestamp::from_millis(row.sent_at) }));
            }
        }
        let n = self.rows.newest() + 1;
        let (room_id, username, message_id) = key;
        let row = NewRow { n, room_id, username, message_id, seq, sent_at: now.as_millis() };
        diesel::insert_into(message_ids::table).values(&row).execute(connection)?;
        self.rows.push(hash, n);
        self.uncommitted.push(hash);
        Ok(None)
    }

    /// Removes up to `max` expired ids, and returns whether more are left.
    pub(super) fn expire(
        &mut self,
        connection: &mut SqliteConnection,
        now: Timestamp,
        max: usize,
    ) -> QueryResult<bool> {
        let Some(newest) = newest(connection)? else { return Ok(false) };
        let goes = |row: &Row| row.n <= newest - MAX_IDS || is_old(row.sent_at, now);
        // usually nothing has expired, and one row shows that
        if !oldest(connection, 1)?.iter().any(goes) {
            return Ok(false);
        }
        let found = oldest(connection, max.saturating_add(1))?;
        let count = found.iter().take_while(|row| goes(row)).count();
        let gone = &found[..count.min(max)];
        if let Some(last) = gone.last() {
            diesel::delete(message_ids::table.filter(message_ids::n.le(last.n))).execute(connection)?;
            self.rows.remove_through(last.n);
        }
        Ok(count > max)
    }

    /// The recorded ids are in the database.
    pub(super) fn committed(&mut self) {
        self.uncommitted.clear();
    }

    /// A transaction failed.
    pub(super) fn failed(&mut self) {
        self.in_doubt = true;
    }

    /// Removes the entries of failed transactions, unless they reached the disk. If they were kept,
    /// a long period of failures would displace older ids that still have to be recognised.
    pub(super) fn resolve(&mut self, connection: &mut SqliteConnection) -> QueryResult<()> {
        if self.in_doubt {
            let stored = newest(connection)?.unwrap_or_default();
            while self.rows.newest() > stored
                && let Some(hash) = self.uncommitted.pop()
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
    sent_at < now.as_millis().saturating_sub(KEPT_FOR)
}
