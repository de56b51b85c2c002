//! Changes of the index. The updates of a transaction are combined first, so that each kind of
//! change is one statement, whatever the number of rooms and messages.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chat_db::postgres::DbConnection;
use chat_protocol::Epoch;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Text};

use super::schema::{search_meta, search_rooms};
use super::stretches;
use crate::key::{Key, TIE_BITS, first_key, signed};
use crate::tokens::tokens;
use crate::{Document, Position, Update, analysis};

/// How many messages one statement writes.
const MAX_ROWS: usize = 2_000;

/// How many messages a step of [`purge`] removes.
const MAX_PURGED: i64 = 1_000;

/// How many KiB of new tokens GIN collects before it merges them into the index. Every search reads
/// what was collected; merging more at once is several times as fast for each message.
const COLLECTED: u32 = 256;
const COLLECTED_BY_LARGE: u32 = 4_096;

/// From how many messages on an update is large.
const LARGE: usize = 1_000;

/// The maximum size of the tokens of a message, in bytes: a `tsvector` is smaller than a MiB. What
/// comes after that in a text is not found.
const MAX_TOKENS: usize = 1_000_000;

/// What the updates of a room come to.
struct Change {
    /// Whether everything is removed first.
    restart: bool,
    position: Position,
    /// New versions of messages by number; `None` for those that are removed.
    documents: BTreeMap<u64, Option<New>>,
}

/// A message to be indexed.
struct New {
    first_key: Key,
    author: String,
    terms: String,
}

/// A message that is in the index.
#[derive(QueryableByName)]
struct Known {
    #[diesel(sql_type = BigInt)]
    key: i64,
    #[diesel(sql_type = BigInt)]
    room: i64,
    #[diesel(sql_type = BigInt)]
    seq: i64,
    #[diesel(sql_type = Text)]
    author: String,
    #[diesel(sql_type = Text)]
    terms: String,
}

#[derive(QueryableByName)]
struct KeyRow {
    #[diesel(sql_type = BigInt)]
    key: i64,
}

/// Rows for a statement, by column.
#[derive(Default)]
struct Rows {
    keys: Vec<i64>,
    rooms: Vec<i64>,
    seqs: Vec<i64>,
    authors: Vec<String>,
    terms: Vec<String>,
    tokens: Vec<String>,
}

impl Rows {
    fn push(&mut self, key: Key, room: i64, seq: i64, new: New) {
        self.tokens.push(all_tokens(key, room, &new.author, &new.terms));
        self.keys.push(key);
        self.rooms.push(room);
        self.seqs.push(seq);
        self.authors.push(new.author);
        self.terms.push(new.terms);
    }

    fn len(&self) -> usize {
        self.keys.len()
    }

    fn insert(&mut self, connection: &mut DbConnection) -> QueryResult<()> {
        let rows = std::mem::take(self);
        diesel::sql_query(
            "INSERT INTO search_documents (key, room, seq, author, terms, tokens) \
             SELECT u.key, u.room, u.seq, u.author, u.terms, array_to_tsvector(string_to_array(u.tokens, ' ')) \
             FROM unnest($1, $2, $3, $4, $5, $6) AS u (key, room, seq, author, terms, tokens)",
        )
        .bind::<Array<BigInt>, _>(rows.keys)
        .bind::<Array<BigInt>, _>(rows.rooms)
        .bind::<Array<BigInt>, _>(rows.seqs)
        .bind::<Array<Text>, _>(rows.authors)
        .bind::<Array<Text>, _>(rows.terms)
        .bind::<Array<Text>, _>(rows.tokens)
        .execute(connection)?;
        Ok(())
    }

    fn replace(&mut self, connection: &mut DbConnection) -> QueryResult<()> {
        let rows = std::mem::take(self);
        diesel::sql_query(
            "UPDATE search_documents d SET author = u.author, terms = u.terms, \
             tokens = array_to_tsvector(string_to_array(u.tokens, ' ')) \
             FROM unnest($1, $2, $3, $4) AS u (key, author, terms, tokens) WHERE d.key = u.key",
        )
        .bind::<Array<BigInt>, _>(rows.keys)
        .bind::<Array<Text>, _>(rows.authors)
        .bind::<Array<Text>, _>(rows.terms)
        .bind::<Array<Text>, _>(rows.tokens)
        .execute(connection)?;
        Ok(())
    }
}

/// The tokens of a message, separated by spaces. None of them contains U+0000, which PostgreSQL
/// does not store: it separates words.
fn all_tokens(key: Key, room: i64, author: &str, terms: &str) -> String {
    let mut all = tokens(room, author, terms);
    if all.len() > MAX_TOKENS {
        let is_end = |index: &usize| all.as_bytes().get(*index) == Some(&b' ');
        let end = (0..MAX_TOKENS).rev().find(is_end).unwrap_or_default();
        all.truncate(end);
    }
    stretches::push_tokens(&mut all, key);
    all
}

/// Applies updates.
pub(super) fn apply(connection: &mut DbConnection, updates: Vec<Update>) -> QueryResult<()> {
    let changes = combine(updates);
    let size: usize = changes.values().map(|change| change.documents.len()).sum();
    let collected = if size < LARGE { COLLECTED } else { COLLECTED_BY_LARGE };
    connection.batch_execute(&format!("SET LOCAL gin_pending_list_limit = {collected}"))?;

    let (ids, begun) = rooms(connection, &changes)?;
    let mut known = known(connection, &changes, &ids, &begun)?;
    let mut added: HashMap<i64, i64> = HashMap::new();
    let (mut removed, mut replaced, mut new) = (Vec::new(), Rows::default(), Vec::new());
    let mut positions = Vec::new();
    for (name, change) in changes {
        let Some(id) = ids.get(&name).copied() else { continue };
        let count = added.entry(id).or_default();
        for (seq, document) in change.documents {
            let seq = signed(seq);
            match (known.remove(&(id, seq)), document) {
                (None, None) => {}
                (Some(old), None) => {
                    removed.push(old.key);
                    *count -= 1;
                }
                (Some(old), Some(document)) => {
                    if old.author != document.author || old.terms != document.terms {
                        replaced.push(old.key, id, seq, document);
                        if replaced.len() == MAX_ROWS {
                            replaced.replace(connection)?;
                        }
                    }
                }
                (None, Some(document)) => {
                    new.push((id, seq, document));
                    *count += 1;
                }
            }
        }
        positions.push((id, change.position));
    }
    if !removed.is_empty() {
        diesel::sql_query("DELETE FROM search_documents WHERE key = ANY ($1)")
            .bind::<Array<BigInt>, _>(removed)
            .execute(connection)?;
    }
    if replaced.len() > 0 {
        replaced.replace(connection)?;
    }
    insert(connection, new)?;
    save(connection, &positions, &added)
}

/// What the updates come to, by the name of the room.
fn combine(updates: Vec<Update>) -> BTreeMap<String, Change> {
    let mut changes: BTreeMap<String, Change> = BTreeMap::new();
    for Update { room, position, restart, removed, documents } in updates {
        let change = changes.entry(room.as_str().to_owned()).or_insert_with(|| Change {
            restart: false,
            position: position.clone(),
            documents: BTreeMap::new(),
        });
        if restart || change.position.epoch != position.epoch {
            change.restart = true;
            change.documents.clear();
        }
        change.documents.extend(removed.into_iter().map(|seq| (seq, None)));
        for Document { seq, from, body, sent_at } in documents {
            let terms = analysis::terms(&body);
            let new = New { first_key: first_key(sent_at), author: from.as_str().to_owned(), terms };
            // one below the oldest number is not found, and would not be purged
            let is_kept = !new.terms.is_empty() && seq >= position.oldest;
            change.documents.insert(seq, is_kept.then_some(new));
        }
        change.position = position;
    }
    for change in changes.values_mut() {
        for (_, document) in change.documents.range_mut(..change.position.oldest) {
            *document = None;
        }
    }
    changes
}

/// The ids of the rooms, and those that begin now. A room begins if it is not known in this epoch,
/// or has to begin again.
fn rooms(
    connection: &mut DbConnection,
    changes: &BTreeMap<String, Change>,
) -> QueryResult<(HashMap<String, i64>, HashSet<i64>)> {
    let names: Vec<&str> = changes.keys().map(String::as_str).collect();
    let known: Vec<(i64, Option<String>, String)> = search_rooms::table
        .filter(search_rooms::name.eq_any(&names))
        .select((search_rooms::id, search_rooms::name, search_rooms::epoch))
        .load(connection)?;
    let (mut ids, mut ended) = (HashMap::new(), Vec::new());
    for (id, name, epoch) in known {
        let Some(name) = name else { continue };
        match changes.get(&name) {
            Some(change) if !change.restart && change.position.epoch.as_str() == epoch => {
                ids.insert(name, id);
            }
            _ => ended.push(id),
        }
    }
    if !ended.is_empty() {
        diesel::update(search_rooms::table.filter(search_rooms::id.eq_any(ended)))
            .set(search_rooms::name.eq(None::<String>))
            .execute(connection)?;
    }
    let new: Vec<_> = changes
        .iter()
        .filter(|(name, _)| !ids.contains_key(*name))
        .map(|(name, change)| {
            (
                search_rooms::name.eq(name),
                search_rooms::epoch.eq(change.position.epoch.as_str()),
                search_rooms::seq.eq(0),
                search_rooms::changed_seq.eq(0),
                search_rooms::oldest.eq(0),
                search_rooms::purged.eq(0),
                search_rooms::documents.eq(0),
            )
        })
        .collect();
    let mut begun = HashSet::new();
    for new in new.chunks(MAX_ROWS) {
        let rows: Vec<(i64, Option<String>)> = diesel::insert_into(search_rooms::table)
            .values(new)
            .returning((search_rooms::id, search_rooms::name))
            .get_results(connection)?;
        begun.extend(rows.iter().map(|(id, _)| *id));
        ids.extend(rows.into_iter().filter_map(|(id, name)| Some((name?, id))));
    }
    Ok((ids, begun))
}

/// What the index has of the messages that change, by room and number.
fn known(
    connection: &mut DbConnection,
    changes: &BTreeMap<String, Change>,
    ids: &HashMap<String, i64>,
    begun: &HashSet<i64>,
) -> QueryResult<HashMap<(i64, i64), Known>> {
    let (mut rooms, mut seqs) = (Vec::new(), Vec::new());
    for (name, change) in changes {
        let Some(id) = ids.get(name).filter(|id| !begun.contains(id)) else { continue };
        rooms.extend(change.documents.keys().map(|_| *id));
        seqs.extend(change.documents.keys().map(|seq| signed(*seq)));
    }
    if rooms.is_empty() {
        return Ok(HashMap::new());
    }
    let found: Vec<Known> = diesel::sql_query(
        "SELECT d.key, d.room, d.seq, d.author, d.terms FROM unnest($1, $2) AS u (room, seq) \
         JOIN search_documents d ON d.room = u.room AND d.seq = u.seq",
    )
    .bind::<Array<BigInt>, _>(rooms)
    .bind::<Array<BigInt>, _>(seqs)
    .load(connection)?;
    Ok(found.into_iter().map(|known| ((known.room, known.seq), known)).collect())
}

/// Adds messages, each with a key of its own.
fn insert(connection: &mut DbConnection, new: Vec<(i64, i64, New)>) -> QueryResult<()> {
    let mut taken = Taken::default();
    let firsts: BTreeSet<Key> = new.iter().map(|(_, _, new)| new.first_key).collect();
    taken.read(connection, firsts.into_iter().collect())?;
    let mut rows = Rows::default();
    for (room, seq, document) in new {
        let key = taken.free(connection, document.first_key)?;
        rows.push(key, room, seq, document);
        if rows.len() == MAX_ROWS {
            rows.insert(connection)?;
        }
    }
    if rows.len() > 0 { rows.insert(connection) } else { Ok(()) }
}

/// How many keys a millisecond has.
const TIES: i64 = 1 << TIE_BITS;

/// Which keys are taken, of the milliseconds that were read.
#[derive(Default)]
struct Taken {
    keys: HashSet<Key>,
    /// The first keys of milliseconds that were read.
    read: HashSet<Key>,
    /// Where the search for a free key begins, by the first key of a time. Many messages may have
    /// the same time.
    free: HashMap<Key, Key>,
}

impl Taken {
    /// Reads the keys of milliseconds that begin with these keys.
    fn read(&mut self, connection: &mut DbConnection, firsts: Vec<Key>) -> QueryResult<()> {
        // ordered and limited, so that the planner has no other way than the primary key
        let found: Vec<KeyRow> = diesel::sql_query(
            "SELECT d.key FROM unnest($1) AS u (first) CROSS JOIN LATERAL (SELECT key FROM search_documents \
             WHERE key >= u.first AND key < u.first + $2 ORDER BY key LIMIT $2) d",
        )
        .bind::<Array<BigInt>, _>(&firsts)
        .bind::<BigInt, _>(TIES)
        .load(connection)?;
        self.keys.extend(found.into_iter().map(|row| row.key));
        self.read.extend(firsts);
        Ok(())
    }

    /// Takes the first key from this one on that is free.
    fn free(&mut self, connection: &mut DbConnection, first: Key) -> QueryResult<Key> {
        let mut key = self.free.get(&first).copied().unwrap_or(first);
        loop {
            let of_millisecond = key & !(TIES - 1);
            if !self.read.contains(&of_millisecond) {
                self.read(connection, (0..16).map(|n| of_millisecond + n * TIES).collect())?;
            }
            if self.keys.insert(key) {
                self.free.insert(first, key + 1);
                return Ok(key);
            }
            key += 1;
        }
    }
}

/// Writes how far the index has followed these rooms, and how many messages they have got.
fn save(
    connection: &mut DbConnection,
    positions: &[(i64, Position)],
    added: &HashMap<i64, i64>,
) -> QueryResult<()> {
    let column = |of: fn(&Position) -> u64| -> Vec<i64> {
        positions.iter().map(|(_, position)| signed(of(position))).collect()
    };
    let count = |id: &i64| added.get(id).copied().unwrap_or_default();
    diesel::sql_query(
        "UPDATE search_rooms r SET seq = u.seq, changed_seq = u.changed_seq, oldest = u.oldest, \
         documents = r.documents + u.added \
         FROM unnest($1, $2, $3, $4, $5) AS u (id, seq, changed_seq, oldest, added) WHERE r.id = u.id",
    )
    .bind::<Array<BigInt>, _>(positions.iter().map(|(id, _)| *id).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(column(|position| position.seq))
    .bind::<Array<BigInt>, _>(column(|position| position.changed_seq))
    .bind::<Array<BigInt>, _>(column(|position| position.oldest))
    .bind::<Array<BigInt>, _>(positions.iter().map(|(id, _)| count(id)).collect::<Vec<_>>())
    .execute(connection)?;
    count_documents(connection, added.values().sum())
}

/// Changes the number of messages in the index.
fn count_documents(connection: &mut DbConnection, added: i64) -> QueryResult<()> {
    if added != 0 {
        diesel::update(search_meta::table)
            .set(search_meta::documents.eq(search_meta::documents + added))
            .execute(connection)?;
    }
    Ok(())
}

/// Takes the names from the rooms of other epochs, so that they are not found any longer.
pub(super) fn keep_epoch(connection: &mut DbConnection, epoch: &Epoch) -> QueryResult<()> {
    let others = search_rooms::epoch.ne(epoch.as_str()).and(search_rooms::name.is_not_null());
    diesel::update(search_rooms::table.filter(others))
        .set(search_rooms::name.eq(None::<String>))
        .execute(connection)?;
    Ok(())
}

/// Removes some messages that are not found any longer. Returns whether there may be more.
pub(super) fn purge(connection: &mut DbConnection) -> QueryResult<bool> {
    let to_purge = search_rooms::table
        .filter(search_rooms::name.is_null().or(search_rooms::purged.lt(search_rooms::oldest)))
        .order(search_rooms::id)
        .select((search_rooms::id, search_rooms::name, search_rooms::oldest))
        .first::<(i64, Option<String>, i64)>(connection)
        .optional()?;
    let Some((id, name, oldest)) = to_purge else { return Ok(false) };
    let end = if name.is_some() { oldest } else { i64::MAX };
    let removed = diesel::sql_query(
        "DELETE FROM search_documents WHERE key = ANY (ARRAY( \
             SELECT key FROM search_documents WHERE room = $1 AND seq < $2 ORDER BY seq LIMIT $3))",
    )
    .bind::<BigInt, _>(id)
    .bind::<BigInt, _>(end)
    .bind::<BigInt, _>(MAX_PURGED)
    .execute(connection)?;
    let removed = i64::try_from(removed).unwrap_or_default();
    count_documents(connection, -removed)?;
    let room = search_rooms::table.find(id);
    match (name, removed < MAX_PURGED) {
        (None, true) => diesel::delete(room).execute(connection)?,
        (Some(_), true) => diesel::update(room)
            .set((
                search_rooms::purged.eq(oldest),
                search_rooms::documents.eq(search_rooms::documents - removed),
            ))
            .execute(connection)?,
        (_, false) => diesel::update(room)
            .set(search_rooms::documents.eq(search_rooms::documents - removed))
            .execute(connection)?,
    };
    Ok(true)
}
