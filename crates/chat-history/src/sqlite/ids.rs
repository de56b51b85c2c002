//! The ids that authors have chosen, to recognise duplicates.

use std::hash::{BuildHasher, RandomState};

use chat_protocol::{MessageId, Timestamp, UserId, Username};
use diesel::connection::DefaultLoadingMode;
use diesel::prelude::*;
use diesel::query_builder::AstPass;
use diesel::sql_types::{BigInt, Text};
use diesel::sqlite::Sqlite;

use super::durable::claim::{Claim, First, KEPT_FOR};
use super::durable::schema::message_ids;
use super::id_index::IdIndex;
use super::rows::BatchRow;
use super::unwritten::{ROWS_PER_INSERT, insert};

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
    /// Ids that were claimed in this transaction, and are not in the table yet.
    unwritten: Vec<NewRow>,
    /// The hashes of the newest entries: those that were added since the last known commit.
    uncommitted: Vec<u64>,
    /// A transaction failed: the table may contain none, some or all of the uncommitted ids.
    in_doubt: bool,
    /// The number of the newest row that does not have an author; 0 if there is none left.
    newest_without_user: i64,
}

/// What an id is found by: room, author and id. Rows from before messages had the id of their
/// author have the author's name only.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Key<'a> {
    User(i64, &'a str, &'a str),
    Name(i64, &'a str, &'a str),
}

fn key(claim: Claim<'_>, room_id: i64) -> Key<'_> {
    Key::User(room_id, claim.user.as_str(), claim.id.as_str())
}

impl From<Row> for First {
    fn from(row: Row) -> Self {
        Self {
            seq: row.seq,
            digest: row.digest,
            has_user: row.user.is_some(),
            username: row.username,
            sent_at: Timestamp::from_millis(row.sent_at),
        }
    }
}

/// An id to be inserted.
struct NewRow {
    n: i64,
    room_id: i64,
    user: UserId,
    username: Username,
    message_id: MessageId,
    digest: i64,
    seq: i64,
    sent_at: i64,
}

impl BatchRow for NewRow {
    const INSERT: &str =
        "INSERT INTO message_ids (n, room_id, user, username, message_id, digest, seq, sent_at)";

    fn push_values<'b>(&'b self, out: &mut AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        out.push_bind_param::<BigInt, _>(&self.n)?;
        out.push_sql(", ");
        out.push_bind_param::<BigInt, _>(&self.room_id)?;
        out.push_sql(", ");
        out.push_bind_param::<Text, _>(self.user.as_str())?;
        out.push_sql(", ");
        out.push_bind_param::<Text, _>(self.username.as_str())?;
        out.push_sql(", ");
        out.push_bind_param::<Text, _>(self.message_id.as_str())?;
        out.push_sql(", ");
        out.push_bind_param::<BigInt, _>(&self.digest)?;
        out.push_sql(", ");
        out.push_bind_param::<BigInt, _>(&self.seq)?;
        out.push_sql(", ");
        out.push_bind_param::<BigInt, _>(&self.sent_at)
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = message_ids, check_for_backend(Sqlite))]
struct Row {
    n: i64,
    room_id: i64,
    user: Option<String>,
    username: String,
    message_id: String,
    digest: Option<i64>,
    seq: i64,
    sent_at: i64,
}

impl Row {
    fn key(&self) -> Key<'_> {
        match &self.user {
            Some(user) => Key::User(self.room_id, user, &self.message_id),
            None => Key::Name(self.room_id, &self.username, &self.message_id),
        }
    }
}

impl Ids {
    /// Loads the index from the table.
    pub(super) fn load(connection: &mut SqliteConnection) -> QueryResult<Self> {
        let hasher = RandomState::new();
        let (mut rows, mut newest_without_user) = (IdIndex::new(), 0);
        let found = message_ids::table
            .order(message_ids::n)
            .select(Row::as_select())
            .load_iter::<Row, DefaultLoadingMode>(connection)?;
        for row in found {
            let row = row?;
            rows.push(hasher.hash_one(row.key()), row.n);
            if row.user.is_none() {
                newest_without_user = row.n;
            }
        }
        Ok(Self {
            rows,
            hasher,
            unwritten: Vec::new(),
            uncommitted: Vec::new(),
            in_doubt: false,
            newest_without_user,
        })
    }

    /// The first message or edit with this id, if the same user has used the id in the same room
    /// before.
    pub(super) fn first(
        &mut self,
        connection: &mut SqliteConnection,
        room_id: i64,
        claim: Claim<'_>,
        now: Timestamp,
    ) -> QueryResult<Option<First>> {
        let hash = self.hasher.hash_one(key(claim, room_id));
        self.first_with(connection, room_id, claim, hash, now)
    }

    /// As [`first`](Self::first), with the hash of the id.
    fn first_with(
        &mut self,
        connection: &mut SqliteConnection,
        room_id: i64,
        claim: Claim<'_>,
        hash: u64,
        now: Timestamp,
    ) -> QueryResult<Option<First>> {
        if let Some(row) = self.find(connection, key(claim, room_id), hash, now)? {
            return Ok(Some(row.into()));
        }
        if self.newest_without_user > 0 {
            let key = Key::Name(room_id, claim.from.as_str(), claim.id.as_str());
            return Ok(self.find(connection, key, self.hasher.hash_one(key), now)?.map(First::from));
        }
        Ok(None)
    }

    /// Records the id of an event together with its number, unless the same user has used the id in
    /// the same room before; then returns the first use.
    pub(super) fn claim(
        &mut self,
        connection: &mut SqliteConnection,
        room_id: i64,
        claim: Claim<'_>,
        digest: i64,
        seq: i64,
        now: Timestamp,
    ) -> QueryResult<Option<First>> {
        let hash = self.hasher.hash_one(key(claim, room_id));
        if let Some(first) = self.first_with(connection, room_id, claim, hash, now)? {
            return Ok(Some(first));
        }
        if self.unwritten.len() >= ROWS_PER_INSERT {
            self.write(connection)?;
        }
        let n = self.rows.newest() + 1;
        self.unwritten.push(NewRow {
            n,
            room_id,
            user: claim.user.clone(),
            username: claim.from.clone(),
            message_id: claim.id.clone(),
            digest,
            seq,
            sent_at: now.as_millis(),
        });
        self.rows.push(hash, n);
        self.uncommitted.push(hash);
        Ok(None)
    }

    /// Writes the ids that were claimed since the last call. Has to be called at the end of each
    /// transaction.
    pub(super) fn write(&mut self, connection: &mut SqliteConnection) -> QueryResult<()> {
        let written = insert(connection, &self.unwritten);
        self.unwritten.clear();
        written
    }

    /// The row of an id that has this hash.
    fn find(
        &mut self,
        connection: &mut SqliteConnection,
        key: Key<'_>,
        hash: u64,
        now: Timestamp,
    ) -> QueryResult<Option<Row>> {
        let found: Vec<_> = self.rows.find(hash).collect();
        if !found.is_empty() {
            // one of them may have been claimed in this transaction
            self.write(connection)?;
        }
        for n in found {
            if let Some(row) = find(connection, n)?
                && row.key() == key
                && !is_old(row.sent_at, now)
            {
                return Ok(Some(row));
            }
        }
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
            if last.n >= self.newest_without_user {
                self.newest_without_user = 0;
            }
        }
        Ok(count > max)
    }

    /// The recorded ids are in the database.
    pub(super) fn committed(&mut self) {
        self.uncommitted.clear();
    }

    /// A transaction failed.
    pub(super) fn failed(&mut self) {
        self.unwritten.clear();
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
