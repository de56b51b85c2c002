//! Stores appended events.

use std::mem;
use std::sync::Arc;

use chat_db::{Database, DbError, SyncMode};
use chat_protocol::{Message, RoomName, Timestamp};
use diesel::prelude::*;
use parking_lot::Mutex;

use super::change;
use super::ids::{Claim, First, Ids};
use super::numbers::{Known, Numbers, Room};
use super::queue::{AppendQueue, Queued};
use super::schema::{NewRow, Row, Rows, is_valid, messages, row_key, unsigned};
use super::settings;
use crate::{
    AppendError, Appended, HistoryError, HistoryErrorKind, NewEvent, NewMessage, OnAppended, Permission,
    StoredEvent,
};

/// How many expired ids are removed for each new one: more than one, so that their number shrinks.
const EXPIRED_PER_ID: usize = 2;

/// How many rows one statement inserts.
pub(super) const ROWS_PER_INSERT: usize = 16;

type Outcome = Result<Appended, AppendError>;

/// Queues events and has the writer store all queued events at once.
pub(super) struct Appender {
    queue: AppendQueue,
    /// Only the writer's thread takes this lock, so it is never contended.
    state: Mutex<State>,
}

/// What is known about the database without a query.
struct State {
    numbers: Numbers,
    ids: Ids,
}

impl Appender {
    pub(super) fn new(ids: Ids) -> Self {
        Self { queue: AppendQueue::default(), state: Mutex::new(State { numbers: Numbers::default(), ids }) }
    }

    pub(super) fn append(self: &Arc<Self>, database: &Database, event: NewEvent, on_appended: OnAppended) {
        if !self.queue.push(event, on_appended) {
            return;
        }
        // keeps the callbacks while the events are being written
        let callbacks: Arc<Mutex<Option<Vec<OnAppended>>>> = Arc::default();
        let (appender, taken) = (Arc::clone(self), Arc::clone(&callbacks));
        let work = move |connection: &mut SqliteConnection| {
            let group = appender.queue.pop().unwrap_or_default();
            *taken.lock() = Some(group.callbacks);
            appender.flush(connection, group.events)
        };
        let appender = Arc::clone(self);
        let done = move |result| {
            let callbacks = callbacks.lock().take();
            // `None` if the work never ran; then its group is still queued
            let callbacks = callbacks.or_else(|| appender.queue.pop().map(|group| group.callbacks));
            appender.finish(callbacks.unwrap_or_default(), result);
        };
        database.submit(SyncMode::Full, work, done);
    }

    fn flush(&self, connection: &mut SqliteConnection, events: Vec<Queued>) -> QueryResult<Vec<Outcome>> {
        let mut state = self.state.lock();
        let State { numbers, ids } = &mut *state;
        ids.resolve(connection)?;
        let mut known = numbers.begin();
        let with_ids = events.iter().filter(|queued| queued.digest.is_some()).count();
        let now = Timestamp::now();
        let mut flush = Flush {
            connection,
            numbers,
            ids,
            known: &mut known,
            touched: Vec::new(),
            unwritten: Vec::with_capacity(ROWS_PER_INSERT),
            now,
        };
        let outcomes = events.into_iter().map(|queued| flush.append(queued)).collect::<QueryResult<_>>()?;
        flush.finish(with_ids)?;
        numbers.known = known;
        Ok(outcomes)
    }

    /// Removes up to `max` expired ids, and returns whether more are left.
    pub(super) fn expire_ids(
        &self,
        connection: &mut SqliteConnection,
        now: Timestamp,
        max: usize,
    ) -> QueryResult<bool> {
        self.state.lock().ids.expire(connection, now, max)
    }

    fn finish(&self, callbacks: Vec<OnAppended>, result: Result<Vec<Outcome>, DbError>) {
        match result {
            Ok(outcomes) => {
                self.state.lock().ids.committed();
                callbacks.into_iter().zip(outcomes).for_each(|(callback, outcome)| callback(outcome));
            }
            Err(error) => {
                let mut state = self.state.lock();
                state.numbers.failed();
                state.ids.failed();
                drop(state);
                let error = HistoryError::from(error);
                callbacks.into_iter().for_each(|callback| callback(Err(error.clone().into())));
            }
        }
    }
}

/// One group that is written into the open transaction.
struct Flush<'a> {
    connection: &'a mut SqliteConnection,
    numbers: &'a mut Numbers,
    ids: &'a mut Ids,
    known: &'a mut Known,
    touched: Vec<RoomName>,
    /// Messages that have their numbers, and are not in the table yet.
    unwritten: Vec<(i64, Arc<Message>)>,
    now: Timestamp,
}

impl Flush<'_> {
    fn append(&mut self, Queued { event, digest }: Queued) -> QueryResult<Outcome> {
        if self.unwritten.len() >= ROWS_PER_INSERT {
            self.write_messages()?;
        }
        let Self { connection, numbers, ids, known, touched, unwritten, now } = self;
        let room = numbers.touch(connection, known, event.room(), touched)?;
        if !is_valid(room.id, room.next_seq) {
            let text = "the room has reached its maximum number of events";
            return Ok(Err(HistoryError::new(HistoryErrorKind::Full, text).into()));
        }
        let message = match event {
            NewEvent::Message(message) => message,
            NewEvent::Edit(edit) => {
                write_messages(connection, unwritten)?;
                let claim = Claim::of_edit(&edit).zip(digest);
                if let Some((claim, digest)) = claim
                    && let Some(first) = ids.first(connection, room.id, claim, *now)?
                {
                    return Ok(change::repeated_edit(digest, &first));
                }
                let seq = room.next_seq;
                let outcome = change::edit(connection, room, &edit, *now)?;
                if let (Ok(Appended::Stored(_)), Some((claim, digest))) = (&outcome, claim) {
                    ids.claim(connection, room.id, claim, digest, seq, *now)?;
                }
                return Ok(outcome);
            }
            NewEvent::Deletion(deletion) => {
                write_messages(connection, unwritten)?;
                return change::delete(connection, room, deletion);
            }
            NewEvent::RoomChange(change) => {
                return Ok(settings::change(connection, room, change)?.map_err(Into::into));
            }
        };
        let permitted = Permission::check(message.permission, unsigned(room.policy_version));
        let first = match digest {
            Some(_) if permitted.is_err() => ids.first(connection, room.id, Claim::of(&message), *now)?,
            Some(digest) => {
                ids.claim(connection, room.id, Claim::of(&message), digest, room.next_seq, *now)?
            }
            None => None,
        };
        if let (Some(first), Some(digest)) = (first, digest) {
            write_messages(connection, unwritten)?;
            return duplicate(connection, room, &message, digest, &first);
        }
        if let Err(reason) = permitted {
            return Ok(Err(reason.into_error(message)));
        }
        let row_key = row_key(room.id, room.next_seq);
        let message = Arc::new(message.numbered(unsigned(room.next_seq), *now));
        unwritten.push((row_key, Arc::clone(&message)));
        room.next_seq += 1;
        room.inserted += 1;
        Ok(Ok(Appended::Stored(StoredEvent::Message(message))))
    }

    fn write_messages(&mut self) -> QueryResult<()> {
        write_messages(self.connection, &mut self.unwritten)
    }

    /// The work that is done once for all events.
    fn finish(mut self, with_ids: usize) -> QueryResult<()> {
        self.write_messages()?;
        self.ids.write(self.connection)?;
        for name in &self.touched {
            if let Some(room) = self.known.get_mut(name) {
                room.write(self.connection)?;
            }
        }
        if with_ids > 0 {
            self.ids.expire(self.connection, self.now, EXPIRED_PER_ID * with_ids)?;
        }
        Ok(())
    }
}

/// Writes messages that have their numbers.
fn write_messages(
    connection: &mut SqliteConnection,
    messages: &mut Vec<(i64, Arc<Message>)>,
) -> QueryResult<()> {
    let rows = messages.drain(..).filter_map(|(row_key, message)| NewRow::new(row_key, &message));
    insert::<_, ROWS_PER_INSERT>(
        connection,
        rows,
        |connection, rows| diesel::insert_into(messages::table).values(rows).execute(connection),
        |connection, row| diesel::insert_into(messages::table).values(row).execute(connection),
    )
}

/// Inserts rows, `N` in a statement as far as possible: a statement costs more than a row. Its text
/// is always the same, so it is prepared once.
pub(super) fn insert<T, const N: usize>(
    connection: &mut SqliteConnection,
    rows: impl Iterator<Item = T>,
    insert_many: impl Fn(&mut SqliteConnection, [T; N]) -> QueryResult<usize>,
    insert_one: impl Fn(&mut SqliteConnection, T) -> QueryResult<usize>,
) -> QueryResult<()> {
    let mut chunk = Vec::with_capacity(N);
    for row in rows {
        chunk.push(row);
        if chunk.len() == N {
            match <[T; N]>::try_from(mem::replace(&mut chunk, Vec::with_capacity(N))) {
                Ok(rows) => insert_many(connection, rows)?,
                Err(_) => 0,
            };
        }
    }
    chunk.into_iter().try_for_each(|row| insert_one(connection, row).map(drop))
}

/// The result for a message whose id was used before.
fn duplicate(
    connection: &mut SqliteConnection,
    room: &Room,
    message: &NewMessage,
    digest: i64,
    first: &First,
) -> QueryResult<Outcome> {
    if first.digest.is_some_and(|known| known != digest) {
        return Ok(Err(AppendError::IdReused));
    }
    let stored = messages::table
        .find(row_key(room.id, first.seq))
        .select(Row::as_select())
        .first(connection)
        .optional()?;
    let stored = match stored {
        Some(row) => Rows::of_room(message.room.clone()).message(row),
        None => first.pruned(message).map(Arc::new),
    };
    let stored = match stored {
        Ok(stored) => stored,
        Err(error) => return Ok(Err(error.into())),
    };
    // without a digest, only the text can tell
    if first.digest.is_none() && stored.text().is_some_and(|text| text.body != message.body) {
        return Ok(Err(AppendError::IdReused));
    }
    Ok(Ok(Appended::Duplicate(stored)))
}
