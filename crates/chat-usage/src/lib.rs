#![doc = include_str!("../README.md")]

mod day;
mod error;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;
mod store;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chat_protocol::{RoomName, Timestamp};
use chat_rooms::{Engine, RoomUsage};
use parking_lot::Mutex;

pub use day::{Day, ParseDayError};
pub use error::{UsageError, UsageErrorKind};
#[cfg(feature = "postgres")]
pub use postgres::PostgresUsage;
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteUsage;
pub use store::{Page, Query, Row, UsageStore};

/// How often the counts are written to the database.
const SAVE_INTERVAL: Duration = Duration::from_secs(60);

/// The maximum number of rows that one transaction writes or removes. It occupies the writer of the
/// database for a few milliseconds.
const BATCH_ROWS: usize = 500;

/// The usage of the rooms of an engine. Clones share it.
#[derive(Debug, Clone)]
pub struct Usage {
    store: Arc<dyn UsageStore>,
    engine: Engine,
    unsaved: Arc<Mutex<Unsaved>>,
}

/// The counts that are not in the database yet. The database bounds them: while it does not answer,
/// no client can join a room.
#[derive(Debug)]
struct Unsaved {
    /// The day of the counts in the engine.
    day: Day,
    rooms: HashMap<(Day, RoomName), RoomUsage>,
    /// The peak members of rooms that have members and had no message on this day. A room gets a
    /// row with its first message, so joining rooms costs no storage.
    silent: HashMap<RoomName, u64>,
}

impl Usage {
    /// Keeps the usage of an engine in this store. The engine must
    /// [count](chat_rooms::EngineBuilder::count_usage) it.
    pub fn new(store: impl UsageStore, engine: Engine) -> Self {
        let unsaved =
            Unsaved { day: Day::of(Timestamp::now()), rooms: HashMap::new(), silent: HashMap::new() };
        Self { store: Arc::new(store), engine, unsaved: Arc::new(Mutex::new(unsaved)) }
    }

    /// Writes the counts to the database every minute and at the end of each day, forever. Removes
    /// rows that are older than `max_days`; `None` keeps all rows.
    pub async fn run(self, max_days: Option<u32>) {
        loop {
            let millis = u64::try_from(Timestamp::now().as_millis()).unwrap_or_default();
            let interval = u64::try_from(SAVE_INTERVAL.as_millis()).unwrap_or(u64::MAX);
            // aligned to the minutes of the clock, so that each minute belongs to one day
            tokio::time::sleep(Duration::from_millis(interval - millis % interval)).await;
            let saved = async {
                self.save().await?;
                match max_days {
                    Some(days) => self.remove_before(Day::of(Timestamp::now()).before(days)).await,
                    None => Ok(()),
                }
            };
            if let Err(error) = saved.await {
                tracing::warn!(%error, "room usage could not be written; it will be retried");
            }
        }
    }

    /// Writes the current counts to the database.
    ///
    /// Not cancel-safe: if the future is dropped before it completes, some counts may be lost.
    ///
    /// # Errors
    /// [`UsageError`] if the database fails. The counts are kept and written by the next call.
    pub async fn save(&self) -> Result<(), UsageError> {
        self.save_at(Day::of(Timestamp::now())).await
    }

    async fn save_at(&self, today: Day) -> Result<(), UsageError> {
        let mut rows = self.take(today);
        while !rows.is_empty() {
            let rest = rows.split_off(rows.len().min(BATCH_ROWS));
            if let Err(error) = self.store.add(rows.clone()).await {
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

    /// Takes the counts to write. If the day has changed since the last call, the counts in the
    /// engine still belong to the previous day, and the peak of the new day starts with the current
    /// members.
    fn take(&self, today: Day) -> Vec<(Day, RoomName, RoomUsage)> {
        let counted = self.engine.take_usage();
        let rooms = self.engine.rooms().into_iter();
        let now: HashMap<_, _> = rooms.map(|(room, members)| (room, members as u64)).collect();
        let mut unsaved = self.unsaved.lock();
        let day = std::mem::replace(&mut unsaved.day, today);
        for (room, mut usage) in counted {
            let before = if usage.messages > 0 {
                // the sender of a message was a member, even if it has left since
                let members = now.get(&room).copied().unwrap_or(1);
                unsaved.silent.remove(&room).unwrap_or_default().max(members)
            } else {
                let peak = unsaved.silent.entry(room.clone()).or_default();
                *peak = usage.peak_members.max(*peak);
                *peak
            };
            usage.peak_members = usage.peak_members.max(before);
            unsaved.rooms.entry((day, room)).or_default().add(usage);
        }
        if day == today {
            unsaved.silent.retain(|room, _| now.contains_key(room));
        } else {
            unsaved.silent = now;
        }
        std::mem::take(&mut unsaved.rooms)
            .into_iter()
            .map(|((day, room), usage)| (day, room, usage))
            .collect()
    }

    /// Writes the current counts and reads a page.
    ///
    /// Not cancel-safe, because it [saves](Self::save).
    ///
    /// # Errors
    /// [`UsageError`] if the database fails.
    pub async fn page(&self, query: Query) -> Result<Page, UsageError> {
        self.save().await?;
        self.store.page(query).await
    }

    async fn remove_before(&self, day: Day) -> Result<(), UsageError> {
        while self.store.remove_before(day, BATCH_ROWS).await? {}
        Ok(())
    }
}

#[cfg(all(test, feature = "postgres", feature = "sqlite"))]
mod tests;
