//! Stores appended messages.

use std::sync::Arc;

use chat_db::{Database, DbError, SyncMode};
use chat_protocol::{RoomName, Timestamp};
use diesel::prelude::*;
use parking_lot::Mutex;

use super::ids::{First, Ids};
use super::numbers::{Known, Numbers, Room};
use super::queue::{AppendQueue, Queued};
use super::schema::{NewRow, Row, Rows, is_valid, messages, row_key, unsigned};
use crate::{AppendError, Appended, HistoryError, HistoryErrorKind, NewMessage, OnAppended};

/// How many expired ids are removed for each new one: more than one, so that their number shrinks.
const EXPIRED_PER_ID: usize = 2;

type Outcome = Result<Appended, AppendError>;

/// Queues messages and has the writer store all queued messages at once.
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

/// The result of a flush, delivered after its commit.
struct Flushed {
    outcomes: Vec<Outcome>,
    /// The rooms that it has written to, each once.
    touched: Vec<RoomName>,
}

impl Appender {
    pub(super) fn new(ids: Ids) -> Self {
        Self { queue: AppendQueue::default(), state: Mutex::new(State { numbers: Numbers::default(), ids }) }
    }

    pub(super) fn append(
        self: &Arc<Self>,
        database: &Database,
        message: NewMessage,
        on_appended: OnAppended,
    ) {
        if !self.queue.push(message, on_appended) {
            return;
        }
        // keeps the callbacks while the messages are being written
        let callbacks: Arc<Mutex<Option<Vec<OnAppended>>>> = Arc::default();
        let (appender, taken) = (Arc::clone(self), Arc::clone(&callbacks));
        let work = move |connection: &mut SqliteConnection| {
            let group = appender.queue.pop().unwrap_or_default();
            *taken.lock() = Some(group.callbacks);
            appender.flush(connection, group.messages)
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

    fn flush(&self, connection: &mut SqliteConnection, messages: Vec<Queued>) -> QueryResult<Flushed> {
        let mut state = self.state.lock();
        let State { numbers, ids } = &mut *state;
        ids.resolve(connection)?;
        let mut known = numbers.begin();
        let with_ids = messages.iter().filter(|queued| queued.digest.is_some()).count();
        let now = Timestamp::now();
        let mut flush = Flush { connection, numbers, ids, known: &mut known, touched: Vec::new(), now };
        let outcomes = messages.into_iter().map(|queued| flush.append(queued)).collect::<QueryResult<_>>()?;
        let touched = flush.finish(with_ids)?;
        numbers.known = known;
        Ok(Flushed { outcomes, touched })
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

    fn finish(&self, callbacks: Vec<OnAppended>, result: Result<Flushed, DbError>) {
        match result {
            Ok(Flushed { outcomes, touched }) => {
                let mut state = self.state.lock();
                state.numbers.committed(&touched);
                state.ids.committed();
                drop(state);
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
    now: Timestamp,
}

impl Flush<'_> {
    fn append(&mut self, Queued { message, digest }: Queued) -> QueryResult<Outcome> {
        let Self { connection, numbers, ids, known, touched, now } = self;
        let room = numbers.touch(connection, known, &message.room, touched)?;
        if !is_valid(room.id, room.next_seq) {
            let text = "the room has reached its maximum number of messages";
            return Ok(Err(HistoryError::new(HistoryErrorKind::Full, text).into()));
        }
        if let Some(digest) = digest
            && let Some(first) = ids.claim(connection, room.id, &message, digest, room.next_seq, *now)?
        {
            return duplicate(connection, room, &message, digest, &first);
        }
        let row = NewRow {
            row_key: row_key(room.id, room.next_seq),
            user: message.user.as_str(),
            username: message.from.as_str(),
            id: message.id.as_str(),
            body: &message.body,
            sent_at: now.as_millis(),
        };
        diesel::insert_into(messages::table).values(&row).execute(*connection)?;
        let message = Arc::new(message.numbered(unsigned(room.next_seq), *now));
        room.next_seq += 1;
        Ok(Ok(Appended::new(message).with_recovered(std::mem::take(&mut room.recovered))))
    }

    /// The work that is done once for all messages.
    fn finish(self, with_ids: usize) -> QueryResult<Vec<RoomName>> {
        for name in &self.touched {
            if let Some(room) = self.known.get_mut(name) {
                room.write(self.connection)?;
            }
        }
        if with_ids > 0 {
            self.ids.expire(self.connection, self.now, EXPIRED_PER_ID * with_ids)?;
        }
        Ok(self.touched)
    }
}

/// The result for a message whose id was used before.
fn duplicate(
    connection: &mut SqliteConnection,
    room: &mut Room,
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
    Ok(Ok(Appended::duplicate(stored).with_recovered(std::mem::take(&mut room.recovered))))
}
