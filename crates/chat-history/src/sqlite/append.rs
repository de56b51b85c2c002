//! A message's way into the database.

use std::sync::Arc;

use chat_db::{Database, DbError, Durability};
use chat_protocol::{Content, Message, RoomName, Timestamp};
use diesel::prelude::*;
use parking_lot::Mutex;

use super::ids::{First, Ids};
use super::numbers::{Known, Numbers, Room};
use super::queue::Intake;
use super::schema::{NewRow, Row, Rows, has_place, messages, place, unsigned};
use crate::{AppendError, Appended, HistoryError, NewMessage, Told};

/// How many ids that need not be kept are removed for each that is noted: more than one, so that they become fewer.
const EXPIRED_FOR_EACH: usize = 2;

type Outcome = Result<Appended, AppendError>;

/// Takes messages in and has the writer store them, everything that waits at once.
pub(super) struct Appender {
    intake: Intake,
    /// Only the writer's thread takes this, so nobody waits for it.
    books: Mutex<Books>,
}

/// What is known of the database without asking it.
struct Books {
    numbers: Numbers,
    ids: Ids,
}

/// What a flush did, to be told once it is committed.
struct Flushed {
    outcomes: Vec<Outcome>,
    /// The rooms it was about, each once.
    touched: Vec<RoomName>,
}

impl Appender {
    pub(super) fn new(ids: Ids) -> Self {
        Self { intake: Intake::default(), books: Mutex::new(Books { numbers: Numbers::default(), ids }) }
    }

    pub(super) fn append(self: &Arc<Self>, database: &Database, message: NewMessage, told: Told) {
        if !self.intake.push(message, told) {
            return;
        }
        // who is to be told waits here while the messages are being written
        let waiting: Arc<Mutex<Option<Vec<Told>>>> = Arc::default();
        let (appender, waits) = (Arc::clone(self), Arc::clone(&waiting));
        let work = move |connection: &mut SqliteConnection| {
            let group = appender.intake.pop().unwrap_or_default();
            *waits.lock() = Some(group.tolds);
            appender.flush(connection, group.messages)
        };
        let appender = Arc::clone(self);
        let done = move |result| {
            let tolds = waiting.lock().take();
            // none: the work never ran, and its group is still there
            let tolds = tolds.or_else(|| appender.intake.pop().map(|group| group.tolds)).unwrap_or_default();
            appender.tell(tolds, result);
        };
        database.submit(Durability::Disk, work, done);
    }

    fn flush(&self, connection: &mut SqliteConnection, messages: Vec<NewMessage>) -> QueryResult<Flushed> {
        let mut books = self.books.lock();
        let Books { numbers, ids } = &mut *books;
        ids.settle(connection)?;
        let mut known = numbers.begin();
        let with_ids = messages.iter().filter(|message| message.once).count();
        let now = Timestamp::now();
        let mut flush = Flush { connection, numbers, ids, known: &mut known, touched: Vec::new(), now };
        let outcomes =
            messages.into_iter().map(|message| flush.append(message)).collect::<QueryResult<_>>()?;
        let touched = flush.finish(with_ids)?;
        numbers.known = known;
        Ok(Flushed { outcomes, touched })
    }

    /// Removes ids that need not be kept, at most so many, and says whether more of them are left.
    pub(super) fn expire_ids(
        &self,
        connection: &mut SqliteConnection,
        now: Timestamp,
        most: usize,
    ) -> QueryResult<bool> {
        self.books.lock().ids.expire(connection, now, most)
    }

    fn tell(&self, tolds: Vec<Told>, result: Result<Flushed, DbError>) {
        match result {
            Ok(Flushed { outcomes, touched }) => {
                let mut books = self.books.lock();
                books.numbers.committed(&touched);
                books.ids.committed();
                drop(books);
                tolds.into_iter().zip(outcomes).for_each(|(told, outcome)| told(outcome));
            }
            Err(error) => {
                let mut books = self.books.lock();
                books.numbers.failed();
                books.ids.failed();
                drop(books);
                let error = HistoryError::from(error);
                tolds.into_iter().for_each(|told| told(Err(error.clone().into())));
            }
        }
    }
}

/// One group on its way into the open transaction.
struct Flush<'a> {
    connection: &'a mut SqliteConnection,
    numbers: &'a mut Numbers,
    ids: &'a mut Ids,
    known: &'a mut Known,
    touched: Vec<RoomName>,
    now: Timestamp,
}

impl Flush<'_> {
    fn append(&mut self, message: NewMessage) -> QueryResult<Outcome> {
        let Self { connection, numbers, ids, known, touched, now } = self;
        let room = numbers.touch(connection, known, &message.room, touched)?;
        if !has_place(room.id, room.next_seq) {
            return Ok(
                Err(HistoryError("the room has reached its maximum number of messages".into()).into()),
            );
        }
        if message.once
            && let Some(first) = ids.claim(connection, room.id, &message, room.next_seq, *now)?
        {
            return again(connection, room, &message, &first);
        }
        let row = NewRow {
            place: place(room.id, room.next_seq),
            username: message.from.as_str(),
            id: message.id.as_str(),
            body: &message.body,
            sent_at: now.0,
        };
        diesel::insert_into(messages::table).values(&row).execute(*connection)?;
        let message = in_place(message, room.next_seq, *now);
        room.next_seq += 1;
        Ok(Ok(Appended { message, again: false, missed: std::mem::take(&mut room.missed) }))
    }

    /// What is done once for all messages.
    fn finish(self, with_ids: usize) -> QueryResult<Vec<RoomName>> {
        for name in &self.touched {
            if let Some(room) = self.known.get_mut(name) {
                room.write(self.connection)?;
            }
        }
        if with_ids > 0 {
            self.ids.expire(self.connection, self.now, EXPIRED_FOR_EACH * with_ids)?;
        }
        Ok(self.touched)
    }
}

/// The answer to a message whose id was there before.
fn again(
    connection: &mut SqliteConnection,
    room: &mut Room,
    message: &NewMessage,
    first: &First,
) -> QueryResult<Outcome> {
    let stored = messages::table
        .find(place(room.id, first.seq))
        .select(Row::as_select())
        .first(connection)
        .optional()?;
    let stored = match stored.map(|row| Rows::of(message.room.clone()).message(row)) {
        Some(Ok(stored)) => stored,
        Some(Err(error)) => return Ok(Err(error.into())),
        // it was pruned; what it said is not known any more
        None => in_place(message.clone(), first.seq, first.sent_at),
    };
    Ok(match &stored.content {
        Content::Said { body, .. } if *body != message.body => Err(AppendError::IdReused),
        _ => Ok(Appended { message: stored, again: true, missed: std::mem::take(&mut room.missed) }),
    })
}

fn in_place(message: NewMessage, seq: i64, sent_at: Timestamp) -> Arc<Message> {
    let NewMessage { room, from, body, id, .. } = message;
    Arc::new(Message { room, seq: unsigned(seq), sent_at, content: Content::Said { id, from, body } })
}
