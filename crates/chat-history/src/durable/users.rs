//! The messages of one user in the durable store. Messages have no index by user, because each
//! append would pay for it; a walk scans all messages, a range of row keys per step.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use chat_protocol::{Emoji, Message, RoomName, Username};
use diesel::connection::DefaultLoadingMode;
use diesel::dsl::min;
use diesel::prelude::*;
use diesel::sql_types::Bool;
use futures::future::{BoxFuture, FutureExt};

use super::schema::{Row, Rows, messages, reactions as stored_reactions, room_of, rooms, seq_of, unsigned};
use super::{Backend, Database, DbConnection, snapshot};
use crate::{
    Cursor, HistoryError, HistoryErrorKind, MAX_PAGE_BYTES, MessageKey, Step, UserMessages, UserQuery,
    UserReaction,
};

/// How many messages a step scans: about 10 ms if they are in memory.
const MAX_SCANNED: i64 = 20_000;

/// How many messages a step finds. They are deleted together: the writer delays other work by a few
/// milliseconds.
const MAX_FOUND: usize = 200;

/// The messages of one user in a database. It may be used at the same time as the
/// history store of the same database.
#[derive(Debug, Clone)]
pub struct DurableUserMessages {
    database: Database,
}

impl DurableUserMessages {
    /// The messages in this database.
    pub fn new(database: Database) -> Self {
        Self { database }
    }
}

impl UserMessages for DurableUserMessages {
    fn page(
        &self,
        query: UserQuery,
        after: Option<Cursor>,
    ) -> BoxFuture<'_, Result<Step<Vec<Arc<Message>>>, HistoryError>> {
        let read = move |connection: &mut DbConnection| {
            snapshot(connection, |connection| page(connection, &query, after))
        };
        async move { self.database.read(read).await? }.boxed()
    }

    fn find(
        &self,
        query: UserQuery,
        after: Option<Cursor>,
    ) -> BoxFuture<'_, Result<Step<Vec<MessageKey>>, HistoryError>> {
        let read = move |connection: &mut DbConnection| {
            snapshot(connection, |connection| {
                let Step { found, next } = row_keys(connection, &query, after)?;
                Ok((names(connection, &found)?, found, next))
            })
        };
        async move {
            let (names, found, next) = self.database.read(read).await?;
            let named = |key: &i64| Ok(MessageKey::new(name(&names, room_of(*key))?, unsigned(seq_of(*key))));
            Ok(Step::new(found.iter().map(named).collect::<Result<_, HistoryError>>()?, next))
        }
        .boxed()
    }

    fn reactions(
        &self,
        query: UserQuery,
        after: Option<Cursor>,
    ) -> BoxFuture<'_, Result<Step<Vec<UserReaction>>, HistoryError>> {
        let read = move |connection: &mut DbConnection| {
            snapshot(connection, |connection| reactions(connection, &query, after))
        };
        async move { self.database.read(read).await? }.boxed()
    }
}

/// The next reactions. The outer error is that of the database, the inner one that of a row.
fn reactions(
    connection: &mut DbConnection,
    query: &UserQuery,
    after: Option<Cursor>,
) -> QueryResult<Result<Step<Vec<UserReaction>>, HistoryError>> {
    let after = start(after);
    let rest = || stored_reactions::table.filter(stored_reactions::row_key.gt(after));
    let full = rest()
        .order((stored_reactions::row_key, stored_reactions::user, stored_reactions::emoji))
        .offset(MAX_SCANNED)
        .select(stored_reactions::row_key)
        .first::<i64>(connection)
        .optional()?;
    // whole messages only, at least one: a cursor is the row key of a message
    let first: Option<i64> = rest().select(min(stored_reactions::row_key)).first(connection)?;
    let last = full.zip(first).map(|(full, first)| (full - 1).max(first));
    let user = stored_reactions::user.eq(query.user.as_str());
    let found: Vec<(i64, String, String)> = rest()
        .filter(stored_reactions::row_key.le(last.unwrap_or(i64::MAX)))
        .filter(user)
        .order((stored_reactions::row_key, stored_reactions::emoji))
        .select((stored_reactions::row_key, stored_reactions::username, stored_reactions::emoji))
        .load(connection)?;
    let row_keys: Vec<_> = found.iter().map(|(row_key, ..)| *row_key).collect();
    let names = names(connection, &row_keys)?;
    let reaction = |(row_key, username, emoji): (i64, String, String)| {
        let message = MessageKey::new(name(&names, room_of(row_key))?, unsigned(seq_of(row_key)));
        let username = Username::parse(&username).map_err(|error| {
            HistoryError::new(HistoryErrorKind::Damaged, format!("the name {username:?}: {error}"))
        })?;
        Ok(UserReaction::new(message, username, Emoji::from_parsed(emoji)))
    };
    let found = found.into_iter().map(reaction).collect::<Result<Vec<_>, HistoryError>>();
    Ok(found.map(|mut found| {
        found.retain(|reaction| query.name.as_ref().is_none_or(|name| *name == reaction.username));
        Step::new(found, last.and_then(cursor))
    }))
}

/// A message that is meant and that is not deleted.
fn theirs(query: &UserQuery) -> Box<dyn BoxableExpression<messages::table, Backend, SqlType = Bool> + '_> {
    let of_user = messages::user.eq(query.user.as_str()).and(messages::body.is_not_null());
    match &query.name {
        None => Box::new(of_user),
        Some(name) => Box::new(of_user.and(messages::username.eq(name.as_str()))),
    }
}

/// The row key after which a walk continues.
fn start(after: Option<Cursor>) -> i64 {
    after.map_or(0, Cursor::position)
}

/// The cursor after a row.
fn cursor(row_key: i64) -> Option<Cursor> {
    Cursor::new(row_key).ok()
}

/// The last row key that a step scans, and whether there may be more rows; `None` if there are no
/// rows left.
fn scan_end(connection: &mut DbConnection, after: i64) -> QueryResult<Option<(i64, bool)>> {
    let rest = || messages::table.filter(messages::row_key.gt(after)).select(messages::row_key);
    let full = rest()
        .order(messages::row_key)
        .offset(MAX_SCANNED - 1)
        .limit(1)
        .first::<i64>(connection)
        .optional()?;
    match full {
        Some(last) => Ok(Some((last, true))),
        None => {
            Ok(rest().order(messages::row_key.desc()).first(connection).optional()?.map(|last| (last, false)))
        }
    }
}

/// A page. The outer error is that of the database, the inner one that of a row.
fn page(
    connection: &mut DbConnection,
    query: &UserQuery,
    after: Option<Cursor>,
) -> QueryResult<Result<Step<Vec<Arc<Message>>>, HistoryError>> {
    let after = start(after);
    let Some((last, more)) = scan_end(connection, after)? else {
        return Ok(Ok(Step::new(Vec::new(), None)));
    };
    let rows = messages::table
        .filter(messages::row_key.gt(after).and(messages::row_key.le(last)))
        .filter(theirs(query))
        .order(messages::row_key)
        .select(Row::as_select())
        .load_iter::<Row, DefaultLoadingMode>(connection)?;
    let (mut found, mut row_keys, mut bytes) = (Vec::new(), Vec::new(), 0);
    let mut next = cursor(last).filter(|_| more);
    for row in rows {
        let row = row?;
        bytes += row.size();
        if bytes > MAX_PAGE_BYTES && !row_keys.is_empty() {
            next = row_keys.last().and_then(|row_key| cursor(*row_key));
            break;
        }
        row_keys.push(row.row_key());
        found.push(row);
    }
    let names = names(connection, &row_keys)?;
    let mut known: HashMap<i64, Rows> = HashMap::new();
    let message = |row: Row| -> Result<_, HistoryError> {
        let room = room_of(row.row_key());
        let rows = match known.entry(room) {
            Entry::Occupied(rows) => rows.into_mut(),
            Entry::Vacant(entry) => entry.insert(Rows::of_room(name(&names, room)?)),
        };
        // without reactions: they are not what the user has written
        rows.message(row).map(Arc::new)
    };
    Ok(found.into_iter().map(message).collect::<Result<_, _>>().map(|found| Step::new(found, next)))
}

/// The names of the rooms of these rows.
fn names(connection: &mut DbConnection, row_keys: &[i64]) -> QueryResult<HashMap<i64, String>> {
    let mut ids: Vec<_> = row_keys.iter().map(|row_key| room_of(*row_key)).collect();
    ids.dedup();
    let mut names = HashMap::new();
    for some in ids.chunks(500) {
        let found = rooms::table.filter(rooms::id.eq_any(some)).select((rooms::id, rooms::name));
        names.extend(found.load::<(i64, String)>(connection)?);
    }
    Ok(names)
}

/// The name of a room. Names in the database were validated when they were written.
fn name(names: &HashMap<i64, String>, room: i64) -> Result<RoomName, HistoryError> {
    let damaged = |text: String| HistoryError::new(HistoryErrorKind::Damaged, text);
    let name = names.get(&room).ok_or_else(|| damaged(format!("there is no room {room}")))?;
    RoomName::parse(name).map_err(|error| damaged(format!("the room {room}: {error}")))
}

/// The row keys of the next messages that can be deleted.
fn row_keys(
    connection: &mut DbConnection,
    query: &UserQuery,
    after: Option<Cursor>,
) -> QueryResult<Step<Vec<i64>>> {
    let after = start(after);
    let Some((last, more)) = scan_end(connection, after)? else {
        return Ok(Step::new(Vec::new(), None));
    };
    let found: Vec<i64> = messages::table
        .filter(messages::row_key.gt(after).and(messages::row_key.le(last)))
        .filter(theirs(query))
        .order(messages::row_key)
        .limit(i64::try_from(MAX_FOUND).unwrap_or(i64::MAX))
        .select(messages::row_key)
        .load(connection)?;
    let next = match found.last() {
        Some(row_key) if found.len() == MAX_FOUND => cursor(*row_key),
        _ => cursor(last).filter(|_| more),
    };
    Ok(Step::new(found, next))
}
