//! Changes of the index.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};

use chat_protocol::{Epoch, RoomName};
use diesel::connection::{DefaultLoadingMode, SimpleConnection};
use diesel::prelude::*;
use diesel::sql_types::BigInt;

use super::Hours;
use super::schema::{documents, fts, hours, rooms, texts};
use crate::key::{HOUR_KEYS, Key, first_key, signed};
use crate::tokens::tokens;
use crate::{Document, Update, analysis};

/// How many messages a step of [`purge`] removes. To take the tokens of one out of a large index
/// takes about 2 ms.
const MAX_PURGED: i64 = 50;

/// How many pages a step of [`merge`] writes.
const MERGED_PAGES: i64 = 1_000;

/// A change of the tokens of a key.
struct TokenChange {
    before: Option<String>,
    after: Option<String>,
}

/// The changes of a transaction that are made at its end.
struct Changes<'h> {
    hours: &'h mut Hours,
    /// How many messages each room has got.
    rooms: HashMap<i64, i64>,
    /// In the order of the keys: FTS5 writes out what it has collected whenever a key is smaller
    /// than the one before.
    tokens: BTreeMap<Key, TokenChange>,
    /// Where the search for a free key begins, by the first key of a time. Many messages may have
    /// the same time.
    free: HashMap<Key, Key>,
}

impl<'h> Changes<'h> {
    fn new(hours: &'h mut Hours) -> Self {
        Self { hours, rooms: HashMap::new(), tokens: BTreeMap::new(), free: HashMap::new() }
    }

    /// The tokens of a key change. If they have changed before, only the last ones count.
    fn tokens(&mut self, key: Key, before: Option<String>, after: Option<String>) {
        match self.tokens.entry(key) {
            Entry::Vacant(entry) => {
                entry.insert(TokenChange { before, after });
            }
            Entry::Occupied(mut entry) => entry.get_mut().after = after,
        }
    }

    fn count(&mut self, room: i64, key: Key, change: i64) {
        *self.rooms.entry(room).or_default() += change;
        *self.hours.entry(key / HOUR_KEYS).or_default() += change;
    }

    /// Returns whether text was removed.
    fn write(self, connection: &mut SqliteConnection) -> QueryResult<bool> {
        let mut has_deleted = false;
        for (key, change) in &self.tokens {
            if let Some(before) = change.before.as_ref().filter(|_| change.before != change.after) {
                let delete = (fts::command.eq("delete"), fts::rowid.eq(key), fts::tokens.eq(before));
                diesel::insert_into(fts::table).values(delete).execute(connection)?;
                has_deleted = true;
            }
        }
        if has_deleted {
            // SQLite 3.53 loses entries if a key is deleted and inserted in one go: with
            // `secure-delete` and `detail=none`, it drops what follows the key in the list of a
            // token that both have
            diesel::insert_into(fts::table).values(fts::command.eq("flush")).execute(connection)?;
        }
        for (key, change) in self.tokens {
            if let Some(after) = change.after.filter(|after| change.before.as_ref() != Some(after)) {
                let new = (fts::rowid.eq(key), fts::tokens.eq(after));
                diesel::insert_into(fts::table).values(new).execute(connection)?;
            }
        }
        for (id, change) in self.rooms {
            diesel::update(rooms::table.find(id))
                .set(rooms::documents.eq(rooms::documents + change))
                .execute(connection)?;
        }
        Ok(has_deleted)
    }
}

/// Applies updates. `hours` collects the changes of the numbers per hour. Returns whether text was
/// removed.
pub(super) fn apply(
    connection: &mut SqliteConnection,
    updates: Vec<Update>,
    hours: &mut Hours,
) -> QueryResult<bool> {
    let mut changes = Changes::new(hours);
    for Update { room: name, position, restart, removed, documents } in updates {
        let id = room(connection, &name, &position.epoch, restart)?;
        for seq in removed {
            if let Some(key) = key_of(connection, id, seq)? {
                remove(connection, id, key, &mut changes)?;
            }
        }
        // others are not found any longer, and would not be purged
        for document in documents.into_iter().filter(|document| document.seq >= position.oldest) {
            put(connection, id, document, &mut changes)?;
        }
        let oldest = signed(position.oldest);
        diesel::update(rooms::table.find(id))
            .set((
                rooms::seq.eq(signed(position.seq)),
                rooms::changed_seq.eq(signed(position.changed_seq)),
                rooms::oldest.eq(oldest),
            ))
            .execute(connection)?;
    }
    changes.write(connection)
}

/// The id of a room. It is a new one if the room is not known in this epoch, or begins again.
fn room(
    connection: &mut SqliteConnection,
    name: &RoomName,
    epoch: &Epoch,
    restart: bool,
) -> QueryResult<i64> {
    let named = rooms::table.filter(rooms::name.eq(name.as_str()));
    let known = named.select((rooms::id, rooms::epoch)).first::<(i64, String)>(connection).optional()?;
    if let Some((id, known_epoch)) = known {
        if !restart && known_epoch == epoch.as_str() {
            return Ok(id);
        }
        diesel::update(rooms::table.find(id)).set(rooms::name.eq(None::<String>)).execute(connection)?;
    }
    let new = (
        rooms::name.eq(name.as_str()),
        rooms::epoch.eq(epoch.as_str()),
        rooms::seq.eq(0),
        rooms::changed_seq.eq(0),
        rooms::oldest.eq(0),
        rooms::purged.eq(0),
        rooms::documents.eq(0),
    );
    diesel::insert_into(rooms::table).values(new).returning(rooms::id).get_result(connection)
}

fn key_of(connection: &mut SqliteConnection, room: i64, seq: u64) -> QueryResult<Option<Key>> {
    documents::table
        .filter(documents::room.eq(room).and(documents::seq.eq(signed(seq))))
        .select(documents::key)
        .first(connection)
        .optional()
}

/// Adds a message, or replaces what is known of it.
fn put(
    connection: &mut SqliteConnection,
    room: i64,
    document: Document,
    changes: &mut Changes<'_>,
) -> QueryResult<()> {
    let Document { seq, from, body, sent_at } = document;
    let terms = analysis::terms(&body);
    let known = key_of(connection, room, seq)?;
    match known {
        Some(key) if terms.is_empty() => remove(connection, room, key, changes),
        None if terms.is_empty() => Ok(()),
        Some(key) => {
            let before: (String, String) =
                texts::table.find(key).select((texts::author, texts::terms)).first(connection)?;
            if before.0 == from.as_str() && before.1 == terms {
                return Ok(());
            }
            let after = tokens(room, from.as_str(), &terms);
            let before = tokens(room, &before.0, &before.1);
            changes.tokens(key, Some(before), Some(after));
            diesel::update(texts::table.find(key))
                .set((texts::author.eq(from.as_str()), texts::terms.eq(terms)))
                .execute(connection)?;
            Ok(())
        }
        None => {
            let first = first_key(sent_at);
            let key = free_key(connection, changes.free.get(&first).copied().unwrap_or(first))?;
            changes.free.insert(first, key + 1);
            diesel::insert_into(documents::table)
                .values((documents::key.eq(key), documents::room.eq(room), documents::seq.eq(signed(seq))))
                .execute(connection)?;
            let after = tokens(room, from.as_str(), &terms);
            diesel::insert_into(texts::table)
                .values((texts::key.eq(key), texts::author.eq(from.as_str()), texts::terms.eq(terms)))
                .execute(connection)?;
            changes.tokens(key, None, Some(after));
            changes.count(room, key, 1);
            Ok(())
        }
    }
}

/// The first key from this one on that is free.
fn free_key(connection: &mut SqliteConnection, first: Key) -> QueryResult<Key> {
    let mut free = first;
    let taken = documents::table
        .filter(documents::key.ge(first))
        .order(documents::key)
        .select(documents::key)
        .load_iter::<Key, DefaultLoadingMode>(connection)?;
    for key in taken {
        if key? != free {
            break;
        }
        free += 1;
    }
    Ok(free)
}

fn remove(
    connection: &mut SqliteConnection,
    room: i64,
    key: Key,
    changes: &mut Changes<'_>,
) -> QueryResult<()> {
    let (author, terms): (String, String) =
        texts::table.find(key).select((texts::author, texts::terms)).first(connection)?;
    changes.tokens(key, Some(tokens(room, &author, &terms)), None);
    changes.count(room, key, -1);
    diesel::delete(texts::table.find(key)).execute(connection)?;
    diesel::delete(documents::table.find(key)).execute(connection)?;
    Ok(())
}

/// Adds these changes to the numbers per hour.
pub(super) fn save_hours(connection: &mut SqliteConnection, changes: &Hours) -> QueryResult<()> {
    for (hour, change) in changes {
        diesel::insert_into(hours::table)
            .values((hours::hour.eq(*hour), hours::documents.eq(*change)))
            .on_conflict(hours::hour)
            .do_update()
            .set(hours::documents.eq(hours::documents + *change))
            .execute(connection)?;
        if *change < 0 {
            diesel::delete(hours::table.find(*hour).filter(hours::documents.le(0))).execute(connection)?;
        }
    }
    Ok(())
}

/// Takes the names from the rooms of other epochs, so that they are not found any longer.
pub(super) fn keep_epoch(connection: &mut SqliteConnection, epoch: &Epoch) -> QueryResult<()> {
    diesel::update(rooms::table.filter(rooms::epoch.ne(epoch.as_str()).and(rooms::name.is_not_null())))
        .set(rooms::name.eq(None::<String>))
        .execute(connection)?;
    Ok(())
}

/// Removes some messages that are not found any longer. Returns whether there may be more.
pub(super) fn purge(connection: &mut SqliteConnection, hours: &mut Hours) -> QueryResult<bool> {
    let to_purge = rooms::table
        .filter(rooms::name.is_null().or(rooms::purged.lt(rooms::oldest)))
        .order(rooms::id)
        .select((rooms::id, rooms::name, rooms::oldest))
        .first::<(i64, Option<String>, i64)>(connection)
        .optional()?;
    let Some((id, name, oldest)) = to_purge else { return Ok(false) };
    let end = if name.is_some() { oldest } else { i64::MAX };
    let keys: Vec<Key> = documents::table
        .filter(documents::room.eq(id).and(documents::seq.lt(end)))
        .order(documents::seq)
        .limit(MAX_PURGED)
        .select(documents::key)
        .load(connection)?;
    let is_last = keys.len() < usize::try_from(MAX_PURGED).unwrap_or(usize::MAX);
    let mut changes = Changes::new(hours);
    for key in keys {
        remove(connection, id, key, &mut changes)?;
    }
    changes.write(connection)?;
    if is_last {
        let room = rooms::table.find(id);
        if name.is_some() {
            diesel::update(room).set(rooms::purged.eq(oldest)).execute(connection)?;
        } else {
            diesel::delete(room).execute(connection)?;
        }
    }
    Ok(true)
}

/// Copies the log of the database to the file and empties it, so that removed text is in neither.
/// Does only a part if a search is running.
pub(super) fn checkpoint(connection: &mut SqliteConnection) -> QueryResult<()> {
    connection.batch_execute("PRAGMA wal_checkpoint(TRUNCATE)")
}

/// Begins to merge the whole index of FTS5 into one piece.
pub(super) fn begin_merge(connection: &mut SqliteConnection) -> QueryResult<()> {
    command(connection, "merge", -MERGED_PAGES)
}

/// Continues the merge. Returns whether there is more to do.
pub(super) fn merge(connection: &mut SqliteConnection) -> QueryResult<bool> {
    let changes = diesel::dsl::sql::<BigInt>("total_changes()");
    let before: i64 = diesel::select(changes.clone()).get_result(connection)?;
    command(connection, "merge", MERGED_PAGES)?;
    let after: i64 = diesel::select(changes).get_result(connection)?;
    // as the documentation of FTS5 says
    Ok(after - before >= 2)
}

fn command(connection: &mut SqliteConnection, name: &str, value: i64) -> QueryResult<()> {
    diesel::insert_into(fts::table)
        .values((fts::command.eq(name), fts::rank.eq(value)))
        .execute(connection)?;
    Ok(())
}
