//! The durable store: diesel on SQLite, written through `chat-db`'s group commit.

mod append;
mod id_index;
mod ids;
mod numbers;
mod prune;
mod queue;
mod read;
mod schema;
pub mod users;

use std::fmt;
use std::sync::Arc;

use chat_db::Database;
use chat_protocol::{Epoch, RoomName, Timestamp};
use diesel::prelude::*;
use futures::future::{BoxFuture, FutureExt};
use parking_lot::Mutex;

use self::append::Appender;
use self::ids::Ids;
use self::prune::Pass;
use self::schema::history_epoch;
use crate::{Durability, HistoryError, HistoryStore, Messages, NewMessage, Page, Retention, Told};

/// History in a database file. What it has acknowledged survives a power cut.
///
/// Answers to appends come on the database's writer thread, right after the commit. A file takes 8,388,607 rooms over its
/// whole life, and 2^40 - 1 messages in each.
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
    /// The store on an open database. The first on a file begins its epoch, and so does one on a file that is not as it was left
    /// ([`Database::is_as_left`]). One store to a database at a time: each keeps in
    /// mind where the rooms' numbers stand.
    ///
    /// # Errors
    /// [`HistoryError`] when the database does not answer.
    pub async fn open(database: Database) -> Result<Self, HistoryError> {
        let is_as_left = database.is_as_left();
        let life = move |connection: &mut SqliteConnection| epoch(connection, is_as_left);
        let epoch = database.write_as(chat_db::Durability::Disk, life).await?;
        let appender = Arc::new(Appender::new(database.read(Ids::load).await?));
        Ok(Self { database, epoch: Epoch(epoch.into()), appender, pass: Mutex::default() })
    }
}

/// Reads the epoch, or begins one where there is none yet or the file may be an older state of itself: what clients know by its
/// numbers may be something else there.
fn epoch(connection: &mut SqliteConnection, is_as_left: bool) -> QueryResult<String> {
    let found = history_epoch::table.select(history_epoch::epoch).first(connection).optional()?;
    if let Some(epoch) = found.filter(|_| is_as_left) {
        return Ok(epoch);
    }
    let epoch = Epoch::from_random(rand::random()).0.to_string();
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

    fn append(&self, message: NewMessage, told: Told) {
        self.appender.append(&self.database, message, told);
    }

    fn newest(&self, room: RoomName) -> BoxFuture<'_, Result<u64, HistoryError>> {
        async move { Ok(self.database.read(move |connection| read::newest(connection, &room)).await?) }
            .boxed()
    }

    fn page(&self, room: RoomName, page: Page) -> BoxFuture<'_, Result<Messages, HistoryError>> {
        async move { self.database.read(move |connection| read::page(connection, room, page)).await? }.boxed()
    }

    fn prune(&self, retention: Retention) -> BoxFuture<'_, Result<bool, HistoryError>> {
        async move {
            // if the step fails this stays lost, and the walk begins anew
            let mut pass = std::mem::take(&mut *self.pass.lock());
            let appender = Arc::clone(&self.appender);
            let step = move |connection: &mut SqliteConnection| {
                let now = Timestamp::now();
                let more_ids = appender.expire_ids(connection, now, prune::ROWS)?;
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
            // a row is changed, on the disk: on a full one a transaction that changes none would succeed
            let write = |connection: &mut SqliteConnection| {
                let counted = history_epoch::checks.eq(history_epoch::checks + 1);
                diesel::update(history_epoch::table).set(counted).execute(connection)
            };
            self.database.write_as(chat_db::Durability::Disk, write).await?;
            Ok(())
        }
        .boxed()
    }
}
