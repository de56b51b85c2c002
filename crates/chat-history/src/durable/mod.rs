//! The durable store: diesel on SQLite, through the group commit of `chat-db`.

mod append;
mod change;
mod id_index;
mod ids;
mod log;
mod numbers;
mod prune;
mod queue;
mod reactions;
mod read;
mod schema;
mod settings;
mod unwritten;
mod users;

use std::fmt;
use std::sync::Arc;

use chat_db::SyncMode;
use chat_db::sqlite::Database;
use chat_protocol::{Epoch, RoomName, Timestamp, UserId};
use diesel::prelude::*;
use futures::future::{BoxFuture, FutureExt};
use parking_lot::Mutex;

use self::append::Appender;
use self::ids::Ids;
use self::prune::Pass;
use self::schema::history_epoch;
use crate::{
    Changed, Count, Durability, Extent, HistoryError, HistoryStore, Messages, NewEvent, OnAppended, Own,
    Page, PublicRoom, Retention, StoredSettings,
};

pub use log::SqliteHistoryLog;
pub use users::SqliteUserMessages;

/// History in a database file. Acknowledged messages survive a power cut.
///
/// Results of appends are delivered on the database's writer thread, right after the commit. A file
/// holds up to 8,388,607 rooms over its whole life, and 2^40 - 1 events in each.
pub struct SqliteHistory {
    database: Database,
    epoch: Epoch,
    appender: Arc<Appender>,
    /// How far pruning has come.
    pass: Mutex<Pass>,
}

impl fmt::Debug for SqliteHistory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteHistory").field("epoch", &self.epoch).finish_non_exhaustive()
    }
}

impl SqliteHistory {
    /// The store on an open database. A new file begins an epoch, and so does a file that is not in
    /// the state in which it was closed ([`Database::is_unchanged`]). Only one store may use a
    /// database at a time, because each caches the numbers of the rooms.
    ///
    /// # Errors
    /// [`HistoryError`] if the database fails.
    pub async fn open(database: Database) -> Result<Self, HistoryError> {
        let is_unchanged = database.is_unchanged();
        let epoch = move |connection: &mut SqliteConnection| epoch(connection, is_unchanged);
        let epoch = database.write_with(SyncMode::Full, epoch).await?;
        let appender = Arc::new(Appender::new(database.read(Ids::load).await?));
        Ok(Self { database, epoch: Epoch::new(epoch), appender, pass: Mutex::default() })
    }
}

/// Reads the epoch. Begins a new one if there is none, or if the file may be an older state of
/// itself: the numbers that clients know may stand for other messages there.
fn epoch(connection: &mut SqliteConnection, is_unchanged: bool) -> QueryResult<String> {
    let found = history_epoch::table.select(history_epoch::epoch).first(connection).optional()?;
    if let Some(epoch) = found.filter(|_| is_unchanged) {
        return Ok(epoch);
    }
    let epoch = Epoch::from_random(rand::random()).as_str().to_string();
    diesel::insert_into(history_epoch::table)
        .values((history_epoch::id.eq(1), history_epoch::epoch.eq(&epoch)))
        .on_conflict(history_epoch::id)
        .do_update()
        .set(history_epoch::epoch.eq(&epoch))
        .execute(connection)?;
    Ok(epoch)
}

impl HistoryStore for SqliteHistory {
    fn epoch(&self) -> Epoch {
        self.epoch.clone()
    }

    fn durability(&self) -> Durability {
        Durability::Disk
    }

    fn append(&self, event: NewEvent, on_appended: OnAppended) {
        self.appender.append(&self.database, event, on_appended);
    }

    fn extent(&self, room: RoomName, retention: Retention) -> BoxFuture<'_, Result<Extent, HistoryError>> {
        let read = move |connection: &mut SqliteConnection| read::extent(connection, &room, retention);
        async move { Ok(self.database.read(read).await?) }.boxed()
    }

    fn settings(&self, room: RoomName) -> BoxFuture<'_, Result<StoredSettings, HistoryError>> {
        async move { self.database.read(move |connection| settings::read(connection, &room)).await? }.boxed()
    }

    fn public_rooms(&self, limit: usize) -> BoxFuture<'_, Result<Vec<PublicRoom>, HistoryError>> {
        async move { self.database.read(move |connection| settings::public_rooms(connection, limit)).await? }
            .boxed()
    }

    fn page(
        &self,
        room: RoomName,
        page: Page,
        retention: Retention,
    ) -> BoxFuture<'_, Result<Messages, HistoryError>> {
        let read = move |connection: &mut SqliteConnection| read::page(connection, &room, page, retention);
        async move { self.database.read(read).await? }.boxed()
    }

    fn changed(
        &self,
        room: RoomName,
        after: u64,
        limit: usize,
    ) -> BoxFuture<'_, Result<Changed, HistoryError>> {
        let read = move |connection: &mut SqliteConnection| read::changed(connection, &room, after, limit);
        async move { self.database.read(read).await? }.boxed()
    }

    fn count_after(
        &self,
        room: RoomName,
        after: u64,
        except: Vec<UserId>,
        max: usize,
        retention: Retention,
    ) -> BoxFuture<'_, Result<Count, HistoryError>> {
        let read = move |connection: &mut SqliteConnection| {
            read::count_after(connection, &room, after, &except, max, retention)
        };
        async move { Ok(self.database.read(read).await?) }.boxed()
    }

    fn own_reactions(
        &self,
        room: RoomName,
        targets: Vec<u64>,
        users: Vec<UserId>,
    ) -> BoxFuture<'_, Result<Own, HistoryError>> {
        let read =
            move |connection: &mut SqliteConnection| reactions::own(connection, &room, &targets, &users);
        async move { Ok(self.database.read(read).await?) }.boxed()
    }

    fn mentions_after(
        &self,
        room: RoomName,
        after: u64,
        users: Vec<UserId>,
        except: Vec<UserId>,
        max: usize,
        retention: Retention,
    ) -> BoxFuture<'_, Result<Count, HistoryError>> {
        let read = move |connection: &mut SqliteConnection| {
            read::mentions_after(connection, &room, after, [&users, &except], max, retention)
        };
        async move { Ok(self.database.read(read).await?) }.boxed()
    }

    fn prune(&self, retention: Retention) -> BoxFuture<'_, Result<bool, HistoryError>> {
        async move {
            // lost if the step fails; then the walk starts again
            let mut pass = std::mem::take(&mut *self.pass.lock());
            let appender = Arc::clone(&self.appender);
            let step = move |connection: &mut SqliteConnection| {
                let now = Timestamp::now();
                let more_ids = appender.expire_ids(connection, now, prune::MAX_ROWS)?;
                let more = prune::step(connection, retention, now, &mut pass)?;
                Ok((pass, more || more_ids))
            };
            let (pass, more) = self.database.write(step).await?;
            *self.pass.lock() = pass;
            Ok(more)
        }
        .boxed()
    }

    fn check(&self) -> BoxFuture<'_, Result<(), HistoryError>> {
        async move {
            // changes a row and waits for the disk: on a full disk a transaction without changes
            // would succeed
            let write = |connection: &mut SqliteConnection| {
                let counted = history_epoch::checks.eq(history_epoch::checks + 1);
                diesel::update(history_epoch::table).set(counted).execute(connection)
            };
            self.database.write_with(SyncMode::Full, write).await?;
            Ok(())
        }
        .boxed()
    }
}
