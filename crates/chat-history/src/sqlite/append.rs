//! Stores appended events.

use std::sync::Arc;

use chat_db::sqlite::{Database, Fence};
use chat_db::{DbError, SyncMode};
use chat_protocol::{RoomName, Timestamp};
use diesel::prelude::*;
use parking_lot::Mutex;

use super::durable::claim::{self, Claim};
use super::durable::schema::{is_valid, row_key, unsigned};
use super::durable::{change, reactions, read, settings};
use super::ids::Ids;
use super::numbers::{Known, Numbers};
use super::unwritten::Unwritten;
use crate::queue::{AppendQueue, Queued};
use crate::{
    AppendError, Appended, HistoryError, HistoryErrorKind, NewEvent, NewMessage, OnAppended, Permission,
    StoredEvent,
};

/// How many expired ids are removed for each new one: more than one, so that their number shrinks.
const EXPIRED_PER_ID: usize = 2;

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
    pub(super) async fn open(database: &Database) -> Result<Self, DbError> {
        let state = State { numbers: Numbers::default(), ids: database.read(Ids::load).await? };
        Ok(Self { queue: AppendQueue::default(), state: Mutex::new(state) })
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
            unwritten: Unwritten::default(),
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
        _: &Fence,
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
    unwritten: Unwritten,
    now: Timestamp,
}

impl Flush<'_> {
    fn append(&mut self, Queued { event, digest }: Queued) -> QueryResult<Outcome> {
        if self.unwritten.is_full() {
            self.unwritten.write(self.connection)?;
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
                unwritten.write(connection)?;
                let claim = Claim::of_edit(&edit).zip(digest);
                if let Some((claim, digest)) = claim
                    && let Some(first) = ids.first(connection, room.id, claim, *now)?
                {
                    return Ok(claim::repeated_edit(digest, &first));
                }
                let seq = room.next_seq;
                let outcome = change::edit(connection, room, &edit, *now)?;
                if let (Ok(Appended::Stored(_)), Some((claim, digest))) = (&outcome, claim) {
                    ids.claim(connection, room.id, claim, digest, seq, *now)?;
                }
                return Ok(outcome);
            }
            NewEvent::Deletion(deletion) => {
                unwritten.write(connection)?;
                return change::delete(connection, room, deletion);
            }
            NewEvent::Reaction(reaction) => {
                unwritten.write(connection)?;
                return reactions::react(connection, room, &reaction);
            }
            NewEvent::RoomChange(change) => {
                return settings::change(connection, room, change);
            }
            NewEvent::NewRules(_) => return Ok(Ok(settings::raise_version(connection, room)?)),
        };
        let reply_to = match message.reply_to() {
            None => Ok(None),
            Some(target) => {
                unwritten.write(connection)?;
                match read::reply_to(connection, room, &message.room, target)? {
                    Ok(found) => found.map(Some).ok_or(AppendError::NotFound),
                    Err(error) => return Ok(Err(error.into())),
                }
            }
        };
        let permitted = Permission::check(message.permission, unsigned(room.policy_version));
        let is_refused = reply_to.is_err() || permitted.is_err();
        let first = match digest {
            Some(_) if is_refused => ids.first(connection, room.id, of_message(&message), *now)?,
            Some(digest) => {
                ids.claim(connection, room.id, of_message(&message), digest, room.next_seq, *now)?
            }
            None => None,
        };
        if let (Some(first), Some(digest)) = (first, digest) {
            unwritten.write(connection)?;
            return claim::duplicate(connection, room.id, &message, digest, &first);
        }
        let reply_to = match reply_to {
            Ok(reply_to) => reply_to,
            Err(error) => return Ok(Err(error)),
        };
        if let Err(reason) = permitted {
            return Ok(Err(reason.into_error(message)));
        }
        let row_key = row_key(room.id, room.next_seq);
        if let Some(mentions) = message.mentions() {
            unwritten.address(row_key, mentions);
        }
        let message = Arc::new(message.numbered(unsigned(room.next_seq), *now, reply_to));
        unwritten.push(row_key, Arc::clone(&message));
        room.next_seq += 1;
        room.inserted += 1;
        Ok(Ok(Appended::Stored(StoredEvent::Message(message))))
    }

    /// The work that is done once for all events.
    fn finish(mut self, with_ids: usize) -> QueryResult<()> {
        self.unwritten.write(self.connection)?;
        self.ids.write(self.connection)?;
        for name in &self.touched {
            if let Some(cached) = self.known.get_mut(name) {
                cached.room.write(self.connection)?;
            }
        }
        if with_ids > 0 {
            self.ids.expire(self.connection, self.now, EXPIRED_PER_ID * with_ids)?;
        }
        Ok(())
    }
}

fn of_message(message: &NewMessage) -> Claim<'_> {
    Claim { user: &message.user, from: &message.from, id: &message.id }
}
