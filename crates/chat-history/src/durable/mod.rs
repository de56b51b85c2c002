//! The durable store: diesel, through the group commit of `chat-db`. It is compiled once for each
//! kind of database. What differs is in the module around it.

pub(crate) mod change;
pub(crate) mod claim;
mod log;
mod prune;
pub(crate) mod reactions;
pub(crate) mod read;
pub(crate) mod room;
pub(crate) mod schema;
pub(crate) mod settings;
mod users;

use std::fmt;
use std::sync::Arc;

use chat_db::SyncMode;
use chat_protocol::{Epoch, RoomName, Timestamp, UserId};
use diesel::prelude::*;
use futures::future::{BoxFuture, FutureExt};
use parking_lot::Mutex;

use self::prune::Pass;
use self::schema::history_epoch;
use super::{
    Appender, Backend, Database, DbConnection, Fence, from_stored, octet_length, overwriting,
    room_transaction, snapshot, to_stored,
};
use crate::{
    Changed, Count, Durability, Extent, HistoryError, HistoryStore, Messages, NewEvent, OnAppended, Own,
    Page, PublicRoom, Retention, RoomVersion, StoredSettings,
};

pub use log::DurableHistoryLog;
pub use users::DurableUserMessages;

/// History in a database. Acknowledged messages survive a power cut.
///
/// Results of appends are delivered on a thread of the database, right after the commit. A database
/// holds up to 8,388,607 rooms over its whole life, and 2^40 - 1 events in each.
pub struct DurableHistory {
    database: Database,
    /// Changes when the database is replaced while it is open.
    epoch: Arc<Mutex<Epoch>>,
    appender: Arc<Appender>,
    /// How far pruning has come.
    pass: Mutex<Pass>,
}

impl fmt::Debug for DurableHistory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DurableHistory").field("epoch", &self.epoch).finish_non_exhaustive()
    }
}

impl DurableHistory {
    /// The store on an open database. A new database begins an epoch, and so does one that is not
    /// known to be in the state in which it was closed ([`Database::is_unchanged`]). Only one store
    /// may use a database at a time.
    ///
    /// # Errors
    /// [`HistoryError`] if the database fails.
    pub async fn open(database: Database) -> Result<Self, HistoryError> {
        let epoch = Arc::new(Mutex::new(new_epoch()));
        let replaced = Arc::clone(&epoch);
        database.on_replaced(move |connection| {
            let begun = find_epoch(connection, false)?;
            *replaced.lock() = begun;
            Ok(())
        });
        let is_unchanged = database.is_unchanged();
        let find = move |connection: &mut DbConnection| find_epoch(connection, is_unchanged);
        let found = database.write_with(SyncMode::Full, find).await?;
        *epoch.lock() = found;
        let appender = Arc::new(Appender::open(&database).await?);
        Ok(Self { database, epoch, appender, pass: Mutex::default() })
    }
}

fn new_epoch() -> Epoch {
    Epoch::from_random(rand::random())
}

/// Reads the epoch. Begins a new one if there is none, or if the file may be an older state of
/// itself: the numbers that clients know may stand for other messages there.
fn find_epoch(connection: &mut DbConnection, is_unchanged: bool) -> QueryResult<Epoch> {
    let found = history_epoch::table.select(history_epoch::epoch).first::<String>(connection).optional()?;
    if let Some(epoch) = found.filter(|_| is_unchanged) {
        return Ok(Epoch::new(epoch));
    }
    let epoch = new_epoch();
    diesel::insert_into(history_epoch::table)
        .values((history_epoch::id.eq(1), history_epoch::epoch.eq(epoch.as_str())))
        .on_conflict(history_epoch::id)
        .do_update()
        .set(history_epoch::epoch.eq(epoch.as_str()))
        .execute(connection)?;
    Ok(epoch)
}

impl HistoryStore for DurableHistory {
    fn epoch(&self) -> Epoch {
        self.epoch.lock().clone()
    }

    fn durability(&self) -> Durability {
        Durability::Disk
    }

    fn append(&self, event: NewEvent, on_appended: OnAppended) {
        self.appender.append(&self.database, event, on_appended);
    }

    fn extent(&self, room: RoomName, retention: Retention) -> BoxFuture<'_, Result<Extent, HistoryError>> {
        let read = move |connection: &mut DbConnection| read::extent(connection, &room, retention);
        async move { Ok(self.database.read(read).await?) }.boxed()
    }

    fn settings(&self, room: RoomName) -> BoxFuture<'_, Result<StoredSettings, HistoryError>> {
        async move { self.database.read(move |connection| settings::read(connection, &room)).await? }.boxed()
    }

    fn public_rooms(&self, limit: usize) -> BoxFuture<'_, Result<Vec<PublicRoom>, HistoryError>> {
        async move { self.database.read(move |connection| settings::public_rooms(connection, limit)).await? }
            .boxed()
    }

    fn newer(&self, known: Vec<RoomVersion>) -> BoxFuture<'_, Result<Vec<RoomVersion>, HistoryError>> {
        async move { Ok(self.database.read(move |connection| read::newer(connection, &known)).await?) }
            .boxed()
    }

    fn page(
        &self,
        room: RoomName,
        page: Page,
        retention: Retention,
    ) -> BoxFuture<'_, Result<Messages, HistoryError>> {
        let read = move |connection: &mut DbConnection| read::page(connection, &room, page, retention);
        async move { self.database.read(read).await? }.boxed()
    }

    fn changed(
        &self,
        room: RoomName,
        after: u64,
        limit: usize,
    ) -> BoxFuture<'_, Result<Changed, HistoryError>> {
        let read = move |connection: &mut DbConnection| read::changed(connection, &room, after, limit);
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
        let read = move |connection: &mut DbConnection| {
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
        let read = move |connection: &mut DbConnection| reactions::own(connection, &room, &targets, &users);
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
        let read = move |connection: &mut DbConnection| {
            read::mentions_after(connection, &room, after, [&users, &except], max, retention)
        };
        async move { Ok(self.database.read(read).await?) }.boxed()
    }

    fn prune(&self, retention: Retention) -> BoxFuture<'_, Result<bool, HistoryError>> {
        async move {
            // lost if the step fails; then the walk starts again
            let mut pass = std::mem::take(&mut *self.pass.lock());
            let (appender, fence) = (Arc::clone(&self.appender), self.database.fence()?);
            let step = move |connection: &mut DbConnection| {
                let now = Timestamp::now();
                let more_ids = appender.expire_ids(connection, &fence, now, prune::MAX_ROWS)?;
                let more = prune::step(connection, &fence, retention, now, &mut pass)?;
                Ok((pass, more || more_ids))
            };
            let (pass, more) = self.database.maintain(step).await?;
            *self.pass.lock() = pass;
            Ok(more)
        }
        .boxed()
    }

    fn check(&self) -> BoxFuture<'_, Result<(), HistoryError>> {
        async move {
            // changes a row and waits for the disk: on a full disk a transaction without changes
            // would succeed
            let write = |connection: &mut DbConnection| {
                let counted = history_epoch::checks.eq(history_epoch::checks + 1);
                diesel::update(history_epoch::table).set(counted).execute(connection)
            };
            self.database.write_with(SyncMode::Full, write).await?;
            Ok(())
        }
        .boxed()
    }
}
