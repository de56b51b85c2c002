#![doc = include_str!("../README.md")]

mod day;
mod table;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chat_db::{Database, DbError};
use chat_protocol::{RoomName, Timestamp};
use chat_rooms::{Engine, RoomUsage};
use parking_lot::Mutex;

pub use day::{Day, NoDay};
pub use table::{Page, Query, Row};

/// How often what was counted is written down.
const EVERY: Duration = Duration::from_secs(60);

/// How many rooms one transaction writes, or days' rows it removes: a few milliseconds of the writer.
const AT_ONCE: usize = 500;

/// The usage of an engine's rooms. Clones are the same one.
#[derive(Debug, Clone)]
pub struct Usage {
    database: Database,
    engine: Engine,
    unsaved: Arc<Mutex<Unsaved>>,
}

/// What the database does not have yet. It is bounded by the database itself: while that does not answer nobody comes into a room.
#[derive(Debug)]
struct Unsaved {
    /// The day that what the engine counts belongs to.
    day: Day,
    rooms: HashMap<(Day, RoomName), RoomUsage>,
    /// The most members of the rooms that somebody is in and in which nothing was said yet on this day. A room has a row only once something is
    /// said in it: what a client only enters costs no storage.
    quiet: HashMap<RoomName, u64>,
}

impl Usage {
    /// Of an engine that [counts](chat_rooms::EngineBuilder::count_usage), in this database.
    pub fn new(database: Database, engine: Engine) -> Self {
        let unsaved =
            Unsaved { day: Day::of(Timestamp::now()), rooms: HashMap::new(), quiet: HashMap::new() };
        Self { database, engine, unsaved: Arc::new(Mutex::new(unsaved)) }
    }

    /// Writes it down every minute and at the end of each day, and removes what is older than so many days; for ever.
    pub async fn keep(self, most_days: Option<u32>) {
        loop {
            let millis = u64::try_from(Timestamp::now().0).unwrap_or_default();
            let every = u64::try_from(EVERY.as_millis()).unwrap_or(u64::MAX);
            // by the clock's minutes, so that each belongs to one day
            tokio::time::sleep(Duration::from_millis(every - millis % every)).await;
            let kept = async {
                self.save().await?;
                match most_days {
                    Some(days) => self.forget_before(Day::of(Timestamp::now()).before(days)).await,
                    None => Ok(()),
                }
            };
            if let Err(error) = kept.await {
                tracing::warn!(%error, "room usage could not be written; it will be retried");
            }
        }
    }

    /// Writes down what was counted until now.
    ///
    /// Not cancel-safe: dropped in the middle, some of it may be lost.
    ///
    /// # Errors
    /// [`DbError`]; it is kept, and written down the next time.
    pub async fn save(&self) -> Result<(), DbError> {
        self.save_at(Day::of(Timestamp::now())).await
    }

    async fn save_at(&self, today: Day) -> Result<(), DbError> {
        let mut rows = self.take(today);
        while !rows.is_empty() {
            let rest = rows.split_off(rows.len().min(AT_ONCE));
            let written = rows.clone();
            if let Err(error) = self.database.write(move |connection| table::add(connection, &written)).await
            {
                rows.extend(rest);
                let mut unsaved = self.unsaved.lock();
                for (day, room, usage) in rows {
                    unsaved.rooms.entry((day, room)).or_default().add(usage);
                }
                return Err(error);
            }
            rows = rest;
        }
        Ok(())
    }

    /// What is to be written. When the day is another one than the last time, what the engine has counted is still of that one, and in the
    /// new one those are in who have stayed.
    fn take(&self, today: Day) -> Vec<(Day, RoomName, RoomUsage)> {
        let counted = self.engine.take_usage();
        let rooms = self.engine.rooms().into_iter();
        let now: HashMap<_, _> = rooms.map(|(room, members)| (room, members as u64)).collect();
        let mut unsaved = self.unsaved.lock();
        let day = std::mem::replace(&mut unsaved.day, today);
        for (room, mut usage) in counted {
            let before = if usage.messages > 0 {
                // whoever said something was in
                let members = now.get(&room).copied().unwrap_or(1);
                unsaved.quiet.remove(&room).unwrap_or_default().max(members)
            } else {
                let peak = unsaved.quiet.entry(room.clone()).or_default();
                *peak = usage.peak_members.max(*peak);
                *peak
            };
            usage.peak_members = usage.peak_members.max(before);
            unsaved.rooms.entry((day, room)).or_default().add(usage);
        }
        if day == today {
            unsaved.quiet.retain(|room, _| now.contains_key(room));
        } else {
            unsaved.quiet = now;
        }
        std::mem::take(&mut unsaved.rooms)
            .into_iter()
            .map(|((day, room), usage)| (day, room, usage))
            .collect()
    }

    /// A part of what is written down, after what was counted until now is.
    ///
    /// # Errors
    /// [`DbError`] when the database does not answer. Cancel-safe but for what [`save`](Self::save) says.
    pub async fn page(&self, query: Query) -> Result<Page, DbError> {
        self.save().await?;
        self.database.read(move |connection| table::page(connection, &query)).await
    }

    async fn forget_before(&self, day: Day) -> Result<(), DbError> {
        while self.database.write(move |connection| table::forget_before(connection, day, AT_ONCE)).await? {}
        Ok(())
    }
}

#[cfg(test)]
mod tests;
