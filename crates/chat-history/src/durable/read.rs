//! Reads messages.

use std::collections::HashMap;
use std::sync::Arc;

use chat_protocol::{Mention, Message, ReplyTo, RoomName, Timestamp, UserId};
use diesel::connection::DefaultLoadingMode;
use diesel::prelude::*;

use super::reactions;
use super::schema::{Row, Rows, mentions, messages, rooms, row_key, seq_of, signed, unsigned};
use super::{DbConnection, snapshot};
use crate::{
    Changed, Count, Extent, HistoryError, HistoryErrorKind, MAX_PAGE_BYTES, Messages, Page, Retention,
    RoomVersion,
};

/// For how many messages a page has room from the start.
const TYPICAL_PAGE: usize = 50;

/// What the database knows about a room.
#[derive(Queryable, Selectable)]
#[diesel(table_name = rooms, check_for_backend(super::Backend))]
struct Room {
    id: i64,
    next_seq: i64,
    /// Messages before this number were pruned.
    first_seq: i64,
    message_count: i64,
}

/// The numbers that are kept of a room, both inclusive.
struct Kept {
    room_id: i64,
    oldest: i64,
    newest: i64,
}

/// The numbers of a room.
pub(crate) fn extent(
    connection: &mut DbConnection,
    room: &RoomName,
    retention: Retention,
) -> QueryResult<Extent> {
    snapshot(connection, |connection| {
        Ok(kept(connection, room, retention)?.map_or_else(|| Extent::new(1, 0), |kept| kept.extent()))
    })
}

/// How many rooms one query asks for.
const ROOMS_AT_ONCE: usize = 500;

/// The states of the rooms that are newer than these.
pub(crate) fn newer(connection: &mut DbConnection, known: &[RoomVersion]) -> QueryResult<Vec<RoomVersion>> {
    let mut newer = Vec::new();
    for known in known.chunks(ROOMS_AT_ONCE) {
        let names = known.iter().map(|known| known.room.as_str());
        let found: Vec<(String, i64, i64)> = rooms::table
            .filter(rooms::name.eq_any(names))
            .select((rooms::name, rooms::next_seq, rooms::policy_version))
            .load(connection)?;
        let found: HashMap<_, _> =
            found.into_iter().map(|(name, next, policy)| (name, (next, policy))).collect();
        let states = known.iter().filter_map(|known| {
            let (next, policy) = found.get(known.room.as_str())?;
            let now = RoomVersion::new(known.room.clone(), unsigned(*next - 1), unsigned(*policy));
            now.is_newer_than(known).then_some(now)
        });
        newer.extend(states);
    }
    Ok(newer)
}

impl Kept {
    fn extent(&self) -> Extent {
        Extent::new(unsigned(self.oldest), unsigned(self.newest))
    }

    /// The row keys of a range of numbers, as far as it is kept.
    fn row_keys(&self, from: i64, to: i64) -> (i64, i64) {
        let from = from.max(self.oldest).min(self.newest + 1);
        (row_key(self.room_id, from), row_key(self.room_id, to.min(self.newest)))
    }
}

fn find(connection: &mut DbConnection, room: &RoomName) -> QueryResult<Option<Room>> {
    rooms::table.filter(rooms::name.eq(room.as_str())).select(Room::as_select()).first(connection).optional()
}

/// The numbers of a room that retention keeps; `None` if there is no such room.
fn kept(connection: &mut DbConnection, name: &RoomName, retention: Retention) -> QueryResult<Option<Kept>> {
    let Some(room) = find(connection, name)? else { return Ok(None) };
    let mut oldest = room.first_seq;
    if let Some(count) = retention.max_count {
        oldest = room.first_of_newest(connection, signed(count))?.max(oldest);
    }
    if let Some(earliest) = retention.sent_after(Timestamp::now()) {
        oldest = room.first_sent_after(connection, oldest, earliest)?;
    }
    Ok(Some(Kept { room_id: room.id, oldest, newest: room.next_seq - 1 }))
}

impl Room {
    /// The first of the newest `count` messages. Pruning removes the others step by step, so there
    /// are usually few of them.
    fn first_of_newest(&self, connection: &mut DbConnection, count: i64) -> QueryResult<i64> {
        let excess = self.message_count - count;
        if excess <= 0 {
            return Ok(self.first_seq);
        }
        if count == 0 {
            return Ok(self.next_seq);
        }
        let numbers = messages::table
            .filter(messages::row_key.between(row_key(self.id, self.first_seq), self.last_key()))
            .select(messages::row_key)
            .limit(1);
        // whichever end is closer
        let found = if excess < count {
            numbers.order(messages::row_key).offset(excess).first(connection).optional()?
        } else {
            numbers.order(messages::row_key.desc()).offset(count - 1).first(connection).optional()?
        };
        Ok(found.map_or(self.next_seq, seq_of))
    }

    /// The first message from the number `from` on that was sent at this time or later, by binary
    /// search: there may be many that are older and not pruned yet.
    fn first_sent_after(
        &self,
        connection: &mut DbConnection,
        mut from: i64,
        earliest: Timestamp,
    ) -> QueryResult<i64> {
        let mut next = |from: i64| {
            messages::table
                .filter(messages::row_key.between(row_key(self.id, from), self.last_key()))
                .order(messages::row_key)
                .select((messages::row_key, messages::sent_at))
                .first::<(i64, i64)>(connection)
                .optional()
        };
        let is_young = |found: &(i64, i64)| found.1 >= earliest.as_millis();
        if next(from)?.is_none_or(|found| is_young(&found)) {
            return Ok(from);
        }
        // the message that follows `from` is too old, and the one that follows `end` is not
        let mut end = self.next_seq;
        while from + 1 < end {
            let middle = from + (end - from) / 2;
            match next(middle)? {
                Some(found) if !is_young(&found) => from = seq_of(found.0),
                _ => end = middle,
            }
        }
        Ok(next(end)?.map_or(self.next_seq, |(key, _)| seq_of(key)))
    }

    fn last_key(&self) -> i64 {
        row_key(self.id, self.next_seq - 1)
    }
}

/// How many messages are after a number, and not from one of these users.
pub(crate) fn count_after(
    connection: &mut DbConnection,
    room: &RoomName,
    after: u64,
    except: &[UserId],
    max: usize,
    retention: Retention,
) -> QueryResult<Count> {
    snapshot(connection, |connection| {
        let Some(kept) = kept(connection, room, retention)? else { return Ok(Count::default()) };
        let (from, to) = kept.row_keys(signed(after.saturating_add(1)), i64::MAX);
        let except: Vec<_> = except.iter().map(UserId::as_str).collect();
        // the rows themselves, up to the maximum: to count all of them may take long
        let found: Vec<i64> = messages::table
            .filter(messages::row_key.between(from, to))
            .filter(messages::body.is_not_null())
            .filter(messages::user.ne_all(except))
            .limit(i64::try_from(max).unwrap_or(i64::MAX))
            .select(messages::row_key)
            .load(connection)?;
        Ok(Count::new(found.len(), unsigned(kept.newest)))
    })
}

/// How many messages after a number address one of these users, or everyone, and are not from one
/// of them.
pub(crate) fn mentions_after(
    connection: &mut DbConnection,
    room: &RoomName,
    after: u64,
    [users, except]: [&[UserId]; 2],
    max: usize,
    retention: Retention,
) -> QueryResult<Count> {
    snapshot(connection, |connection| {
        let Some(kept) = kept(connection, room, retention)? else { return Ok(Count::default()) };
        let (from, to) = kept.row_keys(signed(after.saturating_add(1)), i64::MAX);
        let authors: Vec<_> = users.iter().chain(except).map(UserId::as_str).collect();
        let addressed = users.iter().map(UserId::as_str).chain([Mention::Room.as_str()]);
        let found: Vec<i64> = mentions::table
            .inner_join(messages::table.on(messages::row_key.eq(mentions::row_key)))
            .filter(mentions::user.eq_any(addressed))
            .filter(mentions::row_key.between(from, to))
            .filter(messages::user.ne_all(authors))
            .select(mentions::row_key)
            .distinct()
            .limit(i64::try_from(max).unwrap_or(i64::MAX))
            .load(connection)?;
        Ok(Count::new(found.len(), unsigned(kept.newest)))
    })
}

/// One message; `None` if it does not exist. The outer error is that of the database, the inner one
/// that of the row.
pub(crate) fn message(
    connection: &mut DbConnection,
    room: &RoomName,
    row_key: i64,
) -> QueryResult<Result<Option<Message>, HistoryError>> {
    let row: Option<Row> =
        messages::table.find(row_key).select(Row::as_select()).first(connection).optional()?;
    let Some(row) = row else { return Ok(Ok(None)) };
    let may_have_reactions = row.may_have_reactions();
    let mut message = match Rows::of_room(room.clone()).message(row) {
        Ok(message) => message,
        Err(error) => return Ok(Err(error)),
    };
    if may_have_reactions {
        match reactions::of_message(connection, room, row_key)? {
            Ok(reactions) => message.set_reactions(reactions),
            Err(error) => return Ok(Err(error)),
        };
    }
    Ok(Ok(Some(message)))
}

/// A message, for one that replies to it; `None` if it does not exist, or was deleted. The outer
/// error is that of the database, the inner one that of the row.
pub(crate) fn reply_to(
    connection: &mut DbConnection,
    room: &super::room::Room,
    name: &RoomName,
    target: u64,
) -> QueryResult<Result<Option<ReplyTo>, HistoryError>> {
    if signed(target) >= room.next_seq {
        return Ok(Ok(None));
    }
    let found = messages::table
        .find(row_key(room.id, signed(target)))
        .filter(messages::body.is_not_null())
        .select((messages::user, messages::username))
        .first::<(String, String)>(connection)
        .optional()?;
    let Some((user, from)) = found else { return Ok(Ok(None)) };
    let fault = |error: &dyn std::fmt::Display| {
        let text = format!("message {target} of the room {name}: {error}");
        HistoryError::new(HistoryErrorKind::Damaged, text)
    };
    let user = user.parse().map_err(|error| fault(&error));
    let from = from.parse().map_err(|error| fault(&error));
    Ok(user.and_then(|user| Ok(Some(ReplyTo { seq: target, from: from?, user }))))
}

/// A page of a room. The outer error is that of the database, the inner one that of a row.
pub(crate) fn page(
    connection: &mut DbConnection,
    room: &RoomName,
    page: Page,
    retention: Retention,
) -> QueryResult<Result<Messages, HistoryError>> {
    // one snapshot: messages that are pruned meanwhile are all there or all gone
    snapshot(connection, |connection| {
        let Some(kept) = kept(connection, room, retention)? else {
            return Ok(Ok(Messages::new(page, Extent::new(1, 0), Vec::new(), false)));
        };
        match page {
            Page::After { seq, limit } => after(connection, room, &kept, seq, limit),
            Page::Before { seq, limit } => before(connection, room, &kept, seq, limit),
        }
    })
}

fn after(
    connection: &mut DbConnection,
    room: &RoomName,
    kept: &Kept,
    seq: u64,
    limit: usize,
) -> QueryResult<Result<Messages, HistoryError>> {
    let (from, to) = kept.row_keys(signed(seq).saturating_add(1), kept.newest);
    let rows = messages::table
        .filter(messages::row_key.ge(from))
        .filter(messages::row_key.le(to))
        .order(messages::row_key)
        .limit(rows(limit))
        .select(Row::as_select())
        .load_iter::<Row, DefaultLoadingMode>(connection)?;
    let filled = fill(room, rows, limit)?;
    let Filled { messages, more } = match complete(connection, room, filled)? {
        Ok(filled) => filled,
        Err(error) => return Ok(Err(error)),
    };
    Ok(Ok(Messages::new(Page::After { seq, limit }, kept.extent(), messages, more)))
}

fn before(
    connection: &mut DbConnection,
    room: &RoomName,
    kept: &Kept,
    seq: u64,
    limit: usize,
) -> QueryResult<Result<Messages, HistoryError>> {
    let (from, to) = kept.row_keys(kept.oldest, signed(seq).saturating_sub(1));
    let rows = messages::table
        .filter(messages::row_key.ge(from))
        .filter(messages::row_key.le(to))
        .order(messages::row_key.desc())
        .limit(rows(limit))
        .select(Row::as_select())
        .load_iter::<Row, DefaultLoadingMode>(connection)?;
    let filled = fill(room, rows, limit)?;
    let Filled { mut messages, more } = match complete(connection, room, filled)? {
        Ok(filled) => filled,
        Err(error) => return Ok(Err(error)),
    };
    messages.reverse();
    Ok(Ok(Messages::new(Page::Before { seq, limit }, kept.extent(), messages, more)))
}

/// The messages of a page, in the order in which they were read.
struct Filled {
    messages: Vec<Arc<Message>>,
    more: bool,
}

/// The messages of a page before their reactions are known, in the order in which they were read.
struct Unreacted {
    messages: Vec<Arc<Message>>,
    /// The row keys of those that may have reactions.
    changed: Vec<i64>,
    more: bool,
}

/// Takes rows until the page is full. Rows that do not fit are not read.
fn fill(
    room: &RoomName,
    found: impl Iterator<Item = QueryResult<Row>>,
    limit: usize,
) -> QueryResult<Result<Unreacted, HistoryError>> {
    let mut rows = Rows::of_room(room.clone());
    let mut messages = Vec::with_capacity(limit.min(TYPICAL_PAGE));
    let (mut changed, mut more, mut bytes) = (Vec::new(), false, 0);
    for row in found {
        let row = row?;
        if messages.len() == limit {
            more = true;
            break;
        }
        let reacted = row.may_have_reactions().then(|| row.row_key());
        let message = match rows.message(row) {
            Ok(message) => message,
            Err(error) => return Ok(Err(error)),
        };
        bytes += message.encoded_size();
        if bytes > MAX_PAGE_BYTES && !messages.is_empty() {
            more = true;
            break;
        }
        changed.extend(reacted);
        messages.push(Arc::new(message));
    }
    Ok(Ok(Unreacted { messages, changed, more }))
}

/// Adds the reactions, as far as they fit into the page.
fn complete(
    connection: &mut DbConnection,
    room: &RoomName,
    filled: Result<Unreacted, HistoryError>,
) -> QueryResult<Result<Filled, HistoryError>> {
    let Unreacted { mut messages, changed, mut more } = match filled {
        Ok(unreacted) => unreacted,
        Err(error) => return Ok(Err(error)),
    };
    if !changed.is_empty() {
        if let Err(error) = add_reactions(connection, room, &mut messages, &changed)? {
            return Ok(Err(error));
        }
        let mut bytes = 0;
        let fits = |message: &&Arc<Message>| {
            bytes += message.encoded_size();
            bytes <= MAX_PAGE_BYTES || bytes == message.encoded_size()
        };
        let count = messages.iter().take_while(fits).count();
        more |= count < messages.len();
        messages.truncate(count);
    }
    Ok(Ok(Filled { messages, more }))
}

/// Adds the reactions to those messages that may have any, which have these row keys. The outer
/// error is that of the database, the inner one that of a row.
fn add_reactions(
    connection: &mut DbConnection,
    room: &RoomName,
    messages: &mut [Arc<Message>],
    row_keys: &[i64],
) -> QueryResult<Result<(), HistoryError>> {
    let mut reactions = match reactions::of_messages(connection, room, row_keys)? {
        Ok(reactions) => reactions,
        Err(error) => return Ok(Err(error)),
    };
    for message in messages {
        if let Some(reactions) = reactions.remove(&message.seq) {
            // nobody else has the message yet, so it is not cloned
            Arc::make_mut(message).set_reactions(reactions);
        }
    }
    Ok(Ok(()))
}

/// The messages in these rows. The outer error is that of the database, the inner one that of a
/// row.
pub(crate) fn in_rows(
    connection: &mut DbConnection,
    room: &RoomName,
    found: Vec<Row>,
) -> QueryResult<Result<Vec<Arc<Message>>, HistoryError>> {
    let changed: Vec<_> = found.iter().filter(|row| row.may_have_reactions()).map(Row::row_key).collect();
    let mut rows = Rows::of_room(room.clone());
    let messages: Result<Vec<_>, _> = found.into_iter().map(|row| rows.message(row).map(Arc::new)).collect();
    let mut messages = match messages {
        Ok(messages) => messages,
        Err(error) => return Ok(Err(error)),
    };
    Ok(add_reactions(connection, room, &mut messages, &changed)?.map(|()| messages))
}

/// The messages that events after `after` have changed. The outer error is that of the database,
/// the inner one that of a row.
pub(crate) fn changed(
    connection: &mut DbConnection,
    name: &RoomName,
    after: u64,
    limit: usize,
) -> QueryResult<Result<Changed, HistoryError>> {
    snapshot(connection, |connection| {
        let Some(room) = find(connection, name)? else {
            return Ok(Ok(Changed::new(Some(Vec::new()), 0)));
        };
        let newest = unsigned(room.next_seq - 1);
        if after >= newest {
            return Ok(Ok(Changed::new(Some(Vec::new()), newest)));
        }
        let rows = messages::table
            .filter(messages::change_key.gt(row_key(room.id, signed(after))))
            .filter(messages::change_key.le(room.last_key()))
            .order(messages::change_key)
            .limit(rows(limit))
            .select(Row::as_select())
            .load_iter::<Row, DefaultLoadingMode>(connection)?;
        let filled = fill(name, rows, limit)?;
        Ok(complete(connection, name, filled)?.map(|Filled { mut messages, more }| {
            messages.sort_unstable_by_key(|message| message.seq);
            Changed::new((!more).then_some(messages), newest)
        }))
    })
}

/// One row more than the limit shows whether there are more.
fn rows(limit: usize) -> i64 {
    i64::try_from(limit).map_or(i64::MAX, |limit| limit.saturating_add(1))
}
