//! Stores appended events.
//!
//! A room always has the same connection, so its events are stored in the order in which they were
//! appended. Each connection stores all its queued events at once. Messages take one exchange with
//! the server; other events, and replies, take a transaction with several.

use std::collections::HashSet;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use chat_db::DbError;
use chat_db::postgres::{Database, Fence};
use chat_protocol::{ReplyTo, RoomName, Timestamp};
use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error};
use parking_lot::Mutex;

use super::batch::{self, Posted, Verdict};
use super::durable::claim::{self, Claim};
use super::durable::room::Room;
use super::durable::schema::{is_valid, unsigned};
use super::durable::{change, reactions, read, settings};
use super::known::Known;
use super::{DbConnection, ids, lock_rooms};
use crate::queue::{AppendQueue, Queued};
use crate::{
    AppendError, Appended, HistoryError, HistoryErrorKind, NewEvent, NewMessage, OnAppended, Permission,
    StoredEvent,
};

/// After how many new ids of a connection it looks for expired ones.
const EXPIRE_INTERVAL: usize = 2_048;

/// How often a transaction is tried that the server has ended to break a deadlock.
const MAX_TRIES: usize = 3;

type Outcome = Result<Appended, AppendError>;

/// Queues events and has the connections store them.
pub(super) struct Appender {
    slots: Box<[Slot]>,
}

/// What belongs to one connection.
#[derive(Default)]
struct Slot {
    queue: AppendQueue,
    /// Only the connection's thread takes this lock, so it is never contended.
    known: Mutex<Known>,
    /// New ids since expired ones were removed.
    new_ids: AtomicUsize,
}

impl Appender {
    #[allow(clippy::unused_async)] // on SQLite it reads
    pub(super) async fn open(database: &Database) -> Result<Self, DbError> {
        Ok(Self { slots: (0..database.appenders()).map(|_| Slot::default()).collect() })
    }

    pub(super) fn append(self: &Arc<Self>, database: &Database, event: NewEvent, on_appended: OnAppended) {
        let n = slot_of(event.room(), self.slots.len());
        let Some(slot) = self.slots.get(n) else { return };
        if !slot.queue.push(event, on_appended) {
            return;
        }
        // keeps the callbacks while the events are being written
        let callbacks: Arc<Mutex<Option<Vec<OnAppended>>>> = Arc::default();
        let (appender, taken) = (Arc::clone(self), Arc::clone(&callbacks));
        let fence = database.fence();
        let work = move |connection: &mut DbConnection| {
            let Some(slot) = appender.slots.get(n) else { return Ok(Vec::new()) };
            let group = slot.queue.pop().unwrap_or_default();
            *taken.lock() = Some(group.callbacks);
            let fence = fence.map_err(|error| Error::QueryBuilderError(error.into()))?;
            slot.flush(connection, &fence, &group.events)
        };
        let appender = Arc::clone(self);
        let done = move |result: Result<Vec<Outcome>, DbError>| {
            let Some(slot) = appender.slots.get(n) else { return };
            let callbacks = callbacks.lock().take();
            // `None` if the work never ran; then its group is still queued
            let callbacks = callbacks.or_else(|| slot.queue.pop().map(|group| group.callbacks));
            slot.finish(callbacks.unwrap_or_default(), result);
        };
        database.append(n, work, done);
    }

    /// Removes up to `max` expired ids, and returns whether more are left.
    #[allow(clippy::unused_self)] // on SQLite there is an index of the ids
    pub(super) fn expire_ids(
        &self,
        connection: &mut DbConnection,
        fence: &Fence,
        now: Timestamp,
        max: usize,
    ) -> QueryResult<bool> {
        connection.transaction(|connection| {
            fence.check(connection)?;
            ids::expire(connection, now, max)
        })
    }
}

/// The connection of a room.
fn slot_of(room: &RoomName, slots: usize) -> usize {
    let mut hasher = DefaultHasher::new();
    room.as_str().hash(&mut hasher);
    usize::try_from(hasher.finish() % slots.max(1) as u64).unwrap_or_default()
}

impl Slot {
    fn flush(
        &self,
        connection: &mut DbConnection,
        fence: &Fence,
        events: &[Queued],
    ) -> QueryResult<Vec<Outcome>> {
        let mut known = self.known.lock();
        known.load(connection, events.iter().map(|queued| queued.event.room()))?;
        let mut tries = 1;
        let outcomes = loop {
            let mut flush = Flush { connection, fence, known: &known, now: Timestamp::now() };
            match flush.write(events) {
                Err(error) if tries < MAX_TRIES && is_transient(&error) => tries += 1,
                outcomes => break outcomes?,
            }
        };
        drop(known);
        let with_ids = events.iter().filter(|queued| queued.digest.is_some()).count();
        if self.new_ids.fetch_add(with_ids, Ordering::Relaxed) + with_ids >= EXPIRE_INTERVAL {
            self.new_ids.store(0, Ordering::Relaxed);
            if let Err(error) = ids::expire(connection, Timestamp::now(), 2 * EXPIRE_INTERVAL) {
                // the events are stored, and their senders have to know that
                tracing::warn!(%error, "could not remove expired ids of messages");
            }
        }
        Ok(outcomes)
    }

    fn finish(&self, callbacks: Vec<OnAppended>, result: Result<Vec<Outcome>, DbError>) {
        match result {
            Ok(outcomes) => {
                callbacks.into_iter().zip(outcomes).for_each(|(callback, outcome)| callback(outcome));
            }
            Err(error) => {
                self.known.lock().clear();
                let error = HistoryError::from(error);
                callbacks.into_iter().for_each(|callback| callback(Err(error.clone().into())));
            }
        }
    }
}

/// Whether the server has undone a transaction that may succeed when it is tried again.
fn is_transient(error: &Error) -> bool {
    match error {
        Error::DatabaseError(DatabaseErrorKind::SerializationFailure, _) => true,
        Error::DatabaseError(_, information) => information.message().contains("deadlock detected"),
        _ => false,
    }
}

/// One group of events that is being written.
struct Flush<'a> {
    connection: &'a mut DbConnection,
    fence: &'a Fence,
    known: &'a Known,
    now: Timestamp,
}

/// Whether an event is a message that needs nothing but its place.
fn is_plain(queued: &Queued) -> bool {
    matches!(&queued.event, NewEvent::Message(message) if message.reply_to().is_none())
}

/// How many of the events, from the first one, are plain messages without repeated ids.
fn plain_count(events: &[Queued]) -> usize {
    let mut seen = HashSet::new();
    for (count, queued) in events.iter().enumerate() {
        let NewEvent::Message(message) = &queued.event else { return count };
        let is_repeated = queued.digest.is_some()
            && !seen.insert((message.room.as_str(), message.user.as_str(), message.id.as_str()));
        if is_repeated || message.reply_to().is_some() {
            return count;
        }
    }
    events.len()
}

impl Flush<'_> {
    fn write(&mut self, events: &[Queued]) -> QueryResult<Vec<Outcome>> {
        if plain_count(events) == events.len() {
            return self.plain(events);
        }
        let mut rooms = Vec::new();
        for queued in events {
            rooms.push(self.known.id(queued.event.room())?);
        }
        rooms.sort_unstable();
        rooms.dedup();
        let Self { connection, fence, known, now } = self;
        connection.transaction(|connection| {
            fence.check(connection)?;
            lock_rooms(connection, &rooms)?;
            let mut flush = Flush { connection, fence, known, now: *now };
            flush.mixed(events)
        })
    }

    /// Stores plain messages.
    fn plain(&mut self, events: &[Queued]) -> QueryResult<Vec<Outcome>> {
        let mut posted = Vec::with_capacity(events.len());
        for queued in events {
            let NewEvent::Message(message) = &queued.event else { continue };
            let room_id = self.known.id(&message.room)?;
            posted.push(Posted {
                room_id,
                message,
                digest: queued.digest,
                reply_to: None,
                is_refused: false,
            });
        }
        let verdicts = batch::append(self.connection, self.fence, self.now, &posted)?;
        posted.iter().zip(verdicts).map(|(posted, verdict)| self.outcome(posted, &verdict)).collect()
    }

    fn outcome(&mut self, posted: &Posted<'_>, verdict: &Verdict) -> QueryResult<Outcome> {
        let message = posted.message;
        if let Some(seq) = verdict.seq {
            let reply_to = posted.reply_to.cloned();
            let stored = message.clone().numbered(unsigned(seq), self.now, reply_to);
            return Ok(Ok(Appended::Stored(StoredEvent::Message(Arc::new(stored)))));
        }
        if let (Some(first), Some(digest)) = (verdict.first(), posted.digest) {
            return claim::duplicate(self.connection, posted.room_id, message, digest, &first);
        }
        match Permission::check(message.permission, unsigned(verdict.policy_version)) {
            Err(reason) if !posted.is_refused => Ok(Err(reason.into_error(message.clone()))),
            _ => Ok(Err(AppendError::NotFound)),
        }
    }

    /// Stores events in a transaction that has locked their rooms.
    fn mixed(&mut self, mut events: &[Queued]) -> QueryResult<Vec<Outcome>> {
        let mut outcomes = Vec::with_capacity(events.len());
        while !events.is_empty() {
            let (plain, rest) = events.split_at(plain_count(events));
            events = rest;
            if !plain.is_empty() {
                outcomes.extend(self.plain(plain)?);
            }
            if let Some((queued, rest)) = events.split_first()
                && !is_plain(queued)
            {
                events = rest;
                outcomes.push(self.one(queued)?);
            }
        }
        Ok(outcomes)
    }

    /// Stores an event that is not a plain message.
    fn one(&mut self, Queued { event, digest }: &Queued) -> QueryResult<Outcome> {
        let (connection, now) = (&mut *self.connection, self.now);
        let mut room = Room::load(connection, event.room())?;
        if !is_valid(room.id, room.next_seq) {
            let text = "the room has reached its maximum number of events";
            return Ok(Err(HistoryError::new(HistoryErrorKind::Full, text).into()));
        }
        let outcome = match event {
            NewEvent::Message(message) => return self.reply(&room, message, *digest),
            NewEvent::Edit(edit) => {
                let claim = Claim::of_edit(edit).zip(*digest);
                if let Some((claim, digest)) = claim
                    && let Some(first) = ids::first(connection, room.id, claim, now)?
                {
                    return Ok(claim::repeated_edit(digest, &first));
                }
                let seq = room.next_seq;
                let outcome = change::edit(connection, &mut room, edit, now)?;
                if let (Ok(Appended::Stored(_)), Some((claim, digest))) = (&outcome, claim) {
                    ids::claim(connection, room.id, claim, digest, seq, now)?;
                }
                outcome
            }
            NewEvent::Deletion(deletion) => change::delete(connection, &mut room, deletion.clone())?,
            NewEvent::Reaction(reaction) => reactions::react(connection, &mut room, reaction)?,
            NewEvent::RoomChange(change) => settings::change(connection, &mut room, change.clone())?,
            NewEvent::NewRules(_) => Ok(settings::raise_version(connection, &mut room)?),
        };
        room.write(connection)?;
        Ok(outcome)
    }

    /// Stores a message that replies to another one.
    fn reply(&mut self, room: &Room, message: &NewMessage, digest: Option<i64>) -> QueryResult<Outcome> {
        let found: Option<ReplyTo> = match message.reply_to() {
            Some(target) => match read::reply_to(self.connection, room, &message.room, target)? {
                Ok(found) => found,
                Err(error) => return Ok(Err(error.into())),
            },
            None => None,
        };
        let is_refused = found.is_none();
        let posted = Posted { room_id: room.id, message, digest, reply_to: found.as_ref(), is_refused };
        let verdicts = batch::append(self.connection, self.fence, self.now, std::slice::from_ref(&posted))?;
        match verdicts.first() {
            Some(verdict) => self.outcome(&posted, verdict),
            None => Err(Error::NotFound),
        }
    }
}
