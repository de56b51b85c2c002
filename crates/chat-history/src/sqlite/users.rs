//! What one user said in any room: to be given to that user, or to be erased. Messages have no index by user, which every message would pay
//! for; so all of them are looked at, a stretch at a time.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use chat_db::{Database, Durability};
use chat_protocol::v2::PAGE_BYTES;
use chat_protocol::{Message, RoomName, Username};
use diesel::connection::{DefaultLoadingMode, SimpleConnection};
use diesel::prelude::*;

use super::schema::{Row, Rows, messages, room_at, rooms, seq_at, unsigned};
use crate::HistoryError;

/// How many messages are looked at in one step: some 10 ms where they are in memory.
const STRETCH: i64 = 20_000;

/// How many are erased in one: the writer keeps everybody waiting for a few milliseconds.
const ERASED: usize = 200;

/// The messages of a database, by who said them. Beside the [`SqliteHistory`](crate::SqliteHistory) of the same database, which goes on
/// meanwhile.
#[derive(Debug, Clone)]
pub struct UserMessages {
    database: Database,
}

/// How far a walk through all messages has come: a text for whoever goes on with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor(i64);

/// It is no cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a valid position to continue from")]
pub struct NoCursor;

/// One step of a walk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step<T> {
    /// What it brought; a step may bring nothing although there is more.
    pub found: T,
    /// Where the next begins; none where all is done.
    pub next: Option<Cursor>,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

impl FromStr for Cursor {
    type Err = NoCursor;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        i64::from_str_radix(text, 16).ok().filter(|place| *place >= 0).map(Self).ok_or(NoCursor)
    }
}

impl UserMessages {
    /// Those of this database.
    pub fn new(database: Database) -> Self {
        Self { database }
    }

    /// The next of a user's messages, room by room and within a room in order; from the beginning where `after` is none. A page ends at
    /// 1 MiB or so, as pages of history do. What is said while the walk goes on is in it, or not.
    ///
    /// # Errors
    /// [`HistoryError`] when the database does not answer. Cancel-safe.
    pub async fn page(
        &self,
        user: Username,
        after: Option<Cursor>,
    ) -> Result<Step<Vec<Arc<Message>>>, HistoryError> {
        self.database
            .read(move |connection| connection.transaction(|connection| page(connection, &user, after)))
            .await?
    }

    /// Erases the next of a user's messages: text, sender and the sender's id for it are gone, and overwritten in the file; place and
    /// time stay. Gives rooms and numbers, for `Engine::forget` of `chat-rooms`, or whoever else still has them in memory. On
    /// the disk when it answers. Messages that are said while the walk goes on may stay. For up to 24 hours the database knows which
    /// ids the user gave to messages, so that one that comes again is not stored anew.
    ///
    /// # Errors
    /// [`HistoryError`] when the database does not answer; it is safe to ask again. Not cancel-safe: it may be done although the future is
    /// dropped.
    pub async fn erase(
        &self,
        user: Username,
        after: Option<Cursor>,
    ) -> Result<Step<Vec<(RoomName, u64)>>, HistoryError> {
        let from = user.clone();
        let Step { found, next } =
            self.database.read(move |connection| places(connection, &from, after)).await?;
        if found.is_empty() {
            return Ok(Step { found: Vec::new(), next });
        }
        let work = move |connection: &mut SqliteConnection| {
            erase(connection, &user, &found)?;
            Ok((names(connection, &found)?, found))
        };
        let (names, places) = self.database.write_as(Durability::Disk, work).await?;
        let named = |place: &i64| Ok((name(&names, room_at(*place))?, unsigned(seq_at(*place))));
        Ok(Step { found: places.iter().map(named).collect::<Result<_, HistoryError>>()?, next })
    }
}

/// Until where a step looks, itself included; none where nothing is left.
fn stretch(connection: &mut SqliteConnection, after: i64) -> QueryResult<Option<(i64, bool)>> {
    let behind = || messages::table.filter(messages::place.gt(after)).select(messages::place);
    let full =
        behind().order(messages::place).offset(STRETCH - 1).limit(1).first::<i64>(connection).optional()?;
    match full {
        Some(last) => Ok(Some((last, true))),
        None => {
            Ok(behind().order(messages::place.desc()).first(connection).optional()?.map(|last| (last, false)))
        }
    }
}

/// A page. The outer error is the database's, the inner one that of a row.
fn page(
    connection: &mut SqliteConnection,
    user: &Username,
    after: Option<Cursor>,
) -> QueryResult<Result<Step<Vec<Arc<Message>>>, HistoryError>> {
    let after = after.map_or(0, |Cursor(place)| place);
    let Some((last, more)) = stretch(connection, after)? else {
        return Ok(Ok(Step { found: Vec::new(), next: None }));
    };
    let rows = messages::table
        .filter(messages::place.gt(after).and(messages::place.le(last)))
        .filter(messages::username.eq(user.as_str()).and(messages::body.is_not_null()))
        .order(messages::place)
        .select(Row::as_select())
        .load_iter::<Row, DefaultLoadingMode>(connection)?;
    let (mut found, mut places, mut bytes) = (Vec::new(), Vec::new(), 0);
    let mut next = more.then_some(Cursor(last));
    for row in rows {
        let row = row?;
        bytes += row.size();
        if bytes > PAGE_BYTES && !places.is_empty() {
            next = places.last().map(|place| Cursor(*place));
            break;
        }
        places.push(row.place());
        found.push(row);
    }
    let names = names(connection, &places)?;
    let mut known: HashMap<i64, Rows> = HashMap::new();
    let message = |row: Row| {
        let room = room_at(row.place());
        let rows = match known.entry(room) {
            Entry::Occupied(rows) => rows.into_mut(),
            Entry::Vacant(place) => place.insert(Rows::of(name(&names, room)?)),
        };
        rows.message(row)
    };
    Ok(found.into_iter().map(message).collect::<Result<_, _>>().map(|found| Step { found, next }))
}

/// The names of the rooms in which these places are.
fn names(connection: &mut SqliteConnection, places: &[i64]) -> QueryResult<HashMap<i64, String>> {
    let mut ids: Vec<_> = places.iter().map(|place| room_at(*place)).collect();
    ids.dedup();
    let mut names = HashMap::new();
    for some in ids.chunks(500) {
        let found = rooms::table.filter(rooms::id.eq_any(some)).select((rooms::id, rooms::name));
        names.extend(found.load::<(i64, String)>(connection)?);
    }
    Ok(names)
}

/// A room's name. Names in the database were validated when they were written.
fn name(names: &HashMap<i64, String>, room: i64) -> Result<RoomName, HistoryError> {
    let name = names.get(&room).ok_or_else(|| HistoryError(format!("there is no room {room}")))?;
    RoomName::parse(name).map_err(|error| HistoryError(format!("the room {room}: {error}")))
}

/// Where the next of a user's messages are that can be erased.
fn places(
    connection: &mut SqliteConnection,
    user: &Username,
    after: Option<Cursor>,
) -> QueryResult<Step<Vec<i64>>> {
    let after = after.map_or(0, |Cursor(place)| place);
    let Some((last, more)) = stretch(connection, after)? else {
        return Ok(Step { found: Vec::new(), next: None });
    };
    let found: Vec<i64> = messages::table
        .filter(messages::place.gt(after).and(messages::place.le(last)))
        .filter(messages::username.eq(user.as_str()).and(messages::body.is_not_null()))
        .order(messages::place)
        .limit(i64::try_from(ERASED).unwrap_or(i64::MAX))
        .select(messages::place)
        .load(connection)?;
    let next = match found.last() {
        Some(place) if found.len() == ERASED => Some(Cursor(*place)),
        _ => more.then_some(Cursor(last)),
    };
    Ok(Step { found, next })
}

fn erase(connection: &mut SqliteConnection, user: &Username, places: &[i64]) -> QueryResult<usize> {
    // what is not needed any more is overwritten with zeros (https://sqlite.org/pragma.html#pragma_secure_delete)
    connection.batch_execute("PRAGMA secure_delete = ON")?;
    let theirs = messages::table
        .filter(messages::place.eq_any(places))
        .filter(messages::username.eq(user.as_str()).and(messages::body.is_not_null()));
    let nothing = (messages::body.eq(None::<String>), messages::username.eq(""), messages::id.eq(""));
    let erased = diesel::update(theirs).set(nothing).execute(connection);
    connection.batch_execute("PRAGMA secure_delete = OFF")?;
    erased
}
