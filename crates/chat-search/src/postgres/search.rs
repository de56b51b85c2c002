//! Searches of the index.
//!
//! A search covers stretches of time, the newest first, each in a step of a bounded size:
//!
//! - With the GIN index: the messages of the stretch that have all tokens. That is fast unless very
//!   many have them.
//! - By reading all messages of the stretch: for rooms with few messages, for words that most
//!   messages of other rooms have, and for a time with very many messages.
//!
//! The planner has no say in this: it takes words to be equally frequent at all times, and would
//! read the whole table for a word that was frequent a year ago.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use chat_db::postgres::{Backend, DbConnection};
use chat_history::MessageKey;
use chat_protocol::{RoomName, Username};
use diesel::connection::{Connection, SimpleConnection};
use diesel::prelude::*;
use diesel::result::Error;
use diesel::sql_types::{Array, BigInt, Nullable, Text};

use super::schema::{search_meta, search_rooms};
use super::stretches::{self, SHORTEST};
use crate::key::{Key, unsigned};
use crate::query::Term;
use crate::tokens::expression;
use crate::{Cursor, Found, Query};

/// How much a search does.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// A search that takes longer ends with what it has found so far.
    pub(super) max_duration: Duration,
    /// How many messages a step reads.
    pub(super) max_candidates: i64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { max_duration: Duration::from_millis(40), max_candidates: 4_000 }
    }
}

/// Settings of a search. A plan that reads the whole table is never right here, and one for each
/// candidate again is not either. To compile a plan, or to start processes, takes longer than a
/// search. A statement that takes a second was too much at once, and is tried with less.
const SETTINGS: &str = "SET LOCAL enable_seqscan = off; SET LOCAL enable_nestloop = off; SET LOCAL jit = off; \
    SET LOCAL max_parallel_workers_per_gather = 0; SET LOCAL work_mem = '16MB'; \
    SET LOCAL statement_timeout = 1000";

/// How many rooms a query of GIN names at most. Each one makes it slower.
const MAX_NAMED: usize = 8;

/// A stretch is large if it is longer than this many first ones: more messages may have the words
/// than can be read in time.
const LARGE: Key = 64;

/// The rooms of a search have many messages if they have this part of all.
const MANY: i64 = 4;

/// A step that took less than this is followed by one that covers 64 times as much, or 8 times if
/// that would be too many messages. One that took less than three times this is followed by one
/// that covers twice as much, and one that took longer than six times this by one that covers half
/// of it.
const STEP_DURATION: Duration = Duration::from_millis(4);

/// The rooms that are searched.
struct Scope {
    rooms: HashMap<i64, Room>,
    kind: Kind,
    /// How many messages they have.
    documents: i64,
    /// How many messages all rooms have.
    total: i64,
}

struct Room {
    name: RoomName,
    /// Messages with a smaller number are not found.
    oldest: i64,
}

/// How the messages of the rooms are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// There is one room.
    One(i64),
    /// They have a large part of all messages: the others are left out.
    Many,
    /// They are several, with a small part of all messages.
    Few,
}

/// Which messages a step looks at.
enum Step {
    /// Those from the key `start` on that have the tokens.
    Index { start: Key, tokens: String },
    /// The newest ones.
    Newest,
    /// All from this key on.
    All(Key),
}

/// What a step has found.
struct Candidates {
    /// Keys, rooms and numbers, the newest first.
    found: Vec<(Key, i64, i64)>,
    /// How many messages the step has looked at.
    count: i64,
    /// The oldest of them.
    oldest: Option<Key>,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Nullable<BigInt>)]
    key: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    room: Option<i64>,
    #[diesel(sql_type = BigInt)]
    seq: i64,
}

#[derive(QueryableByName)]
struct Ends {
    #[diesel(sql_type = Nullable<BigInt>)]
    oldest: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    newest: Option<i64>,
}

/// Searches until the query's limit is reached, or the time is over.
pub(super) fn search(connection: &mut DbConnection, query: &Query, bounds: Bounds) -> QueryResult<Found> {
    let begun = Instant::now();
    let scope = scope(connection, query)?;
    if scope.documents == 0 {
        return Ok(Found::default());
    }
    connection.batch_execute(SETTINGS)?;
    let before = query.before.map_or(Key::MAX, Cursor::position);
    let (Some(oldest), Some(newest)) = ends(connection, before)? else { return Ok(Found::default()) };
    // a search of many rooms leaves out messages of other rooms after it has read them
    let named: Vec<i64> = match scope.kind {
        Kind::One(id) => vec![id],
        Kind::Few if scope.rooms.len() <= MAX_NAMED => scope.rooms.keys().copied().collect(),
        Kind::Few | Kind::Many => Vec::new(),
    };
    let tokens = expression(query, &named).all;
    let is_read = scope.documents <= bounds.max_candidates;
    let mut search = Search { query, scope, bounds, tokens, end: newest + 1, is_read };
    let mut length = if search.is_read { Key::MAX } else { search.first_length(connection)? };
    let large = length.saturating_mul(LARGE);
    let mut keys: Vec<MessageKey> = Vec::new();
    let mut steps = 0;
    loop {
        // one at least, so that a client that continues gets on
        if steps > 0 && begun.elapsed() >= bounds.max_duration {
            return Ok(Found::new(keys, Cursor::new(search.end).ok()));
        }
        let step_begun = Instant::now();
        let start = search.end.checked_sub(length).filter(|start| *start > oldest).unwrap_or_default();
        let step = search.step(start, length);
        let limit = query.limit + 1 - keys.len();
        let found = match step {
            Step::Index { .. } if length > large => search.attempt(connection, &step, limit)?,
            _ => Some(search.candidates(connection, &step, limit)?),
        };
        let covered = match (&step, &found) {
            (Step::Newest, Some(found)) if found.count == bounds.max_candidates => found.oldest,
            (Step::Newest, Some(_)) => Some(0),
            (Step::Index { start, .. } | Step::All(start), Some(found))
                if found.count <= bounds.max_candidates =>
            {
                Some(*start)
            }
            _ => None,
        };
        let (Some(start), Some(found)) = (covered, found) else {
            // too many messages: of a shorter stretch, or of these rooms only
            let is_index = matches!(step, Step::Index { .. });
            search.is_read = search.is_read || (is_index && search.scope.kind == Kind::Few);
            length = (length.min(search.end - oldest) / 8).max(1);
            continue;
        };
        let is_rare = found.count * LARGE <= bounds.max_candidates;
        length = next_length(length.max(search.end - start), step_begun.elapsed(), is_rare);
        for (key, room, seq) in found.found {
            if keys.len() == query.limit {
                return Ok(Found::new(keys, Cursor::new(search.end).ok()));
            }
            if let Some(room) = search.scope.rooms.get(&room) {
                keys.push(MessageKey::new(room.name.clone(), unsigned(seq)));
            }
            search.end = key;
        }
        if start == 0 {
            return Ok(Found::new(keys, None));
        }
        search.end = start;
        steps += 1;
    }
}

/// The length of the stretch after one of this length that took so long.
fn next_length(length: Key, elapsed: Duration, is_rare: bool) -> Key {
    match elapsed {
        elapsed if elapsed < STEP_DURATION && is_rare => length.saturating_mul(LARGE),
        elapsed if elapsed < STEP_DURATION => length.saturating_mul(8),
        elapsed if elapsed < STEP_DURATION * 3 => length.saturating_mul(2),
        elapsed if elapsed > STEP_DURATION * 6 => (length / 2).max(1),
        _ => length,
    }
}

/// The rooms of the query.
fn scope(connection: &mut DbConnection, query: &Query) -> QueryResult<Scope> {
    let mut names: HashMap<&str, &RoomName> = query.rooms.iter().map(|name| (name.as_str(), name)).collect();
    let wanted: Vec<&str> = names.keys().copied().collect();
    let found: Vec<(i64, Option<String>, i64, i64)> = search_rooms::table
        .filter(search_rooms::name.eq_any(wanted))
        .select((search_rooms::id, search_rooms::name, search_rooms::oldest, search_rooms::documents))
        .load(connection)?;
    let total: i64 = search_meta::table.select(search_meta::documents).first(connection)?;
    let (mut rooms, mut documents) = (HashMap::new(), 0);
    for (id, name, oldest, count) in found {
        let Some(name) = name.and_then(|name| names.remove(name.as_str())) else { continue };
        documents += count;
        rooms.insert(id, Room { name: name.clone(), oldest });
    }
    let kind = match rooms.keys().next() {
        Some(id) if rooms.len() == 1 => Kind::One(*id),
        _ if documents >= total / MANY => Kind::Many,
        _ => Kind::Few,
    };
    Ok(Scope { rooms, kind, documents, total: total.max(documents) })
}

/// The first key, and the last one before this one.
fn ends(connection: &mut DbConnection, before: Key) -> QueryResult<(Option<Key>, Option<Key>)> {
    let Ends { oldest, newest } = diesel::sql_query(
        "SELECT (SELECT min(key) FROM search_documents) AS oldest, \
         (SELECT max(key) FROM search_documents WHERE key < $1) AS newest",
    )
    .bind::<BigInt, _>(before)
    .get_result(connection)?;
    Ok((oldest, newest))
}

struct Search<'q> {
    query: &'q Query,
    scope: Scope,
    bounds: Bounds,
    /// What a message has to have, of the query and its rooms.
    tokens: Vec<Vec<String>>,
    /// All messages from this key on were searched.
    end: Key,
    /// Whether all messages of a stretch are read, instead of GIN.
    is_read: bool,
}

impl Search<'_> {
    /// How long the first stretch is, so that the rooms have about half as many messages in it as a
    /// step may read.
    fn first_length(&self, connection: &mut DbConnection) -> QueryResult<Key> {
        let offset = self.bounds.max_candidates / 2;
        let (condition, room) = match self.scope.kind {
            Kind::One(id) => ("room = $1 AND", id),
            Kind::Many | Kind::Few => ("$1 = 0 AND", 0),
        };
        let sql = format!(
            "SELECT (SELECT key FROM search_documents WHERE {condition} key < $2 \
             ORDER BY key DESC OFFSET $3 LIMIT 1) AS oldest, NULL::BIGINT AS newest"
        );
        let Ends { oldest, .. } = diesel::sql_query(sql)
            .bind::<BigInt, _>(room)
            .bind::<BigInt, _>(self.end)
            .bind::<BigInt, _>(offset)
            .get_result(connection)?;
        let Some(oldest) = oldest else { return Ok(Key::MAX) };
        let times = match self.scope.kind {
            Kind::One(_) => 1,
            Kind::Many | Kind::Few => self.scope.total / self.scope.documents.max(1),
        };
        Ok((self.end - oldest).saturating_mul(times.max(1)))
    }

    /// How to search the stretch from `start` on, of about this length.
    fn step(&self, start: Key, length: Key) -> Step {
        if self.is_read && self.scope.kind == Kind::Few {
            return Step::All(start);
        }
        // GIN would read the whole of a short stretch
        if self.is_read || (start > 0 && length < SHORTEST / 8) {
            return Step::Newest;
        }
        let covering = if start == 0 { None } else { stretches::covering(start, self.end) };
        let (start, stretches) = covering.unwrap_or_default();
        let quoted = |token: &String| format!("'{}'", token.replace('\\', "\\\\").replace('\'', "''"));
        let any = |any: &Vec<String>| format!("({})", any.iter().map(quoted).collect::<Vec<_>>().join(" | "));
        let mut all: Vec<_> = self.tokens.iter().map(any).collect();
        if !stretches.is_empty() {
            all.push(any(&stretches));
        }
        Step::Index { start, tokens: all.join(" & ") }
    }

    /// Carries out a step. `None` if it takes too long. It runs in a savepoint, because a statement
    /// that is cancelled ends the transaction.
    fn attempt(
        &self,
        connection: &mut DbConnection,
        step: &Step,
        limit: usize,
    ) -> QueryResult<Option<Candidates>> {
        match connection.transaction(|connection| self.candidates(connection, step, limit)) {
            Ok(found) => Ok(Some(found)),
            Err(Error::DatabaseError(_, info)) if info.message().contains("statement timeout") => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Carries out a step.
    fn candidates(
        &self,
        connection: &mut DbConnection,
        step: &Step,
        limit: usize,
    ) -> QueryResult<Candidates> {
        let max = self.bounds.max_candidates;
        // "key + 0" keeps the planner from reading the keys of the stretch instead of GIN
        let (source, start, max) = match (step, self.scope.kind) {
            (Step::Index { start, .. }, _) => (
                "search_documents WHERE tokens @@ $1::tsquery AND key + 0 >= $2 AND key + 0 < $3",
                *start,
                max + 1,
            ),
            (Step::All(start), _) => (
                "unnest($5) AS s (id) CROSS JOIN LATERAL (SELECT * FROM search_documents \
                 WHERE room = s.id AND key >= $2 AND key < $3 ORDER BY key DESC LIMIT $4) d WHERE $1 = ''",
                *start,
                max + 1,
            ),
            (Step::Newest, Kind::One(_)) => (
                "search_documents WHERE room = ($5::BIGINT[])[1] AND key >= $2 AND key < $3 AND $1 = '' \
                 ORDER BY key DESC",
                0,
                max,
            ),
            (Step::Newest, _) => {
                ("search_documents WHERE key >= $2 AND key < $3 AND $1 = '' ORDER BY key DESC", 0, max)
            }
        };
        let mut sql = format!(
            "WITH candidates AS MATERIALIZED (SELECT key, room, seq, author, terms FROM {source} LIMIT $4) \
             SELECT * FROM (SELECT c.key, c.room, c.seq FROM candidates c \
             JOIN unnest($5, $6) AS s (room, oldest) ON s.room = c.room AND c.seq >= s.oldest \
             WHERE ($7 IS NULL OR c.author = $7)"
        );
        let first = 9;
        for n in first..first + self.query.terms.len() {
            sql.push_str(&format!(" AND strpos(c.terms, ${n}) > 0"));
        }
        sql.push_str(
            " ORDER BY c.key DESC LIMIT $8) AS found \
             UNION ALL SELECT min(key), NULL::BIGINT, count(*) FROM candidates",
        );
        let tokens = if let Step::Index { tokens, .. } = step { tokens } else { "" };
        let (rooms, oldest): (Vec<i64>, Vec<i64>) =
            self.scope.rooms.iter().map(|(id, room)| (*id, room.oldest)).unzip();
        let mut statement = diesel::sql_query(sql)
            .into_boxed::<Backend>()
            .bind::<Text, _>(tokens)
            .bind::<BigInt, _>(start)
            .bind::<BigInt, _>(self.end)
            .bind::<BigInt, _>(max)
            .bind::<Array<BigInt>, _>(rooms)
            .bind::<Array<BigInt>, _>(oldest)
            .bind::<Nullable<Text>, _>(self.query.from.as_ref().map(Username::as_str))
            .bind::<BigInt, _>(i64::try_from(limit).unwrap_or(i64::MAX));
        for wanted in self.query.terms.iter().map(Term::wanted) {
            statement = statement.bind::<Text, _>(wanted);
        }
        let rows: Vec<Row> = statement.load(connection)?;
        let mut candidates = Candidates { found: Vec::new(), count: 0, oldest: None };
        for Row { key, room, seq } in rows {
            match (key, room) {
                (Some(key), Some(room)) => candidates.found.push((key, room, seq)),
                _ => (candidates.count, candidates.oldest) = (seq, key),
            }
        }
        candidates.found.sort_unstable_by(|a, b| b.cmp(a));
        Ok(candidates)
    }
}
