//! The durable store: diesel, through the group commit of `chat-db`. It is compiled once for each
//! kind of database.
//!
//! Each call is one transaction. One transaction writes at a time, so that nothing changes between
//! the check of an act and its record.

mod act;
mod announcement;
mod invite;
mod read;
mod report;
mod schema;

use chat_db::SyncMode;
use chat_protocol::{RoomName, RoomRole, Timestamp, UserId, Username};
use diesel::prelude::*;
use futures::future::{BoxFuture, FutureExt};

use super::{Backend, Database, DbConnection, overwriting, snapshot, text};
use crate::audit::{AuditRecord, Named, NewRecord, Warning};
use crate::store::{AccessStore, AuditQuery, Invitation, NewReport, Report, Restriction, RoleEntry};
use crate::{AccessError, ActError, Announcement, NewAct, Refused, Rules, Scope};

/// Roles, bans, mutes, warnings, the audit log and the announcement in a database. The database
/// refuses changes of the audit log.
#[derive(Debug)]
pub struct DurableAccess {
    database: Database,
}

/// Why a transaction is rolled back.
enum Failure {
    /// The database failed.
    Query(diesel::result::Error),
    /// A row is damaged.
    Damaged(AccessError),
    /// The act is not allowed.
    Refused(Refused),
}

impl From<diesel::result::Error> for Failure {
    fn from(error: diesel::result::Error) -> Self {
        Self::Query(error)
    }
}

impl From<AccessError> for Failure {
    fn from(error: AccessError) -> Self {
        Self::Damaged(error)
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

/// The result of the statements of a call.
type Done<T> = Result<T, Failure>;

/// The outcome of the statements of a call. The outer error is that of the database.
fn outcome<T>(done: Done<T>) -> QueryResult<Result<T, ActError>> {
    match done {
        Ok(value) => Ok(Ok(value)),
        Err(Failure::Query(error)) => Err(error),
        Err(Failure::Damaged(error)) => Ok(Err(error.into())),
        Err(Failure::Refused(refused)) => Ok(Err(refused.into())),
    }
}

impl DurableAccess {
    /// The store on an open database.
    pub fn new(database: Database) -> Self {
        Self { database }
    }

    fn read<T, F>(&self, work: F) -> BoxFuture<'_, Result<T, AccessError>>
    where
        T: Send + 'static,
        F: FnOnce(&mut DbConnection) -> Done<T> + Send + 'static,
    {
        async move {
            let work = move |connection: &mut DbConnection| outcome(snapshot(connection, work));
            let result = self.database.read(work).await;
            result.map_err(AccessError::from)?.map_err(store_error)
        }
        .boxed()
    }

    fn write<T, F>(&self, sync_mode: SyncMode, work: F) -> BoxFuture<'_, Result<T, ActError>>
    where
        T: Send + 'static,
        F: FnOnce(&mut DbConnection) -> Done<T> + Send + 'static,
    {
        async move {
            let work = move |connection: &mut DbConnection| outcome(connection.transaction(work));
            self.database.write_with(sync_mode, work).await.map_err(AccessError::from)?
        }
        .boxed()
    }
}

/// The failure of a call that is not refused.
fn store_error(error: ActError) -> AccessError {
    match error {
        ActError::Store(error) => error,
        ActError::Refused(refused) => AccessError::new(crate::AccessErrorKind::Other, refused),
    }
}

impl AccessStore for DurableAccess {
    fn rules(&self, scope: Scope) -> BoxFuture<'_, Result<Rules, AccessError>> {
        self.read(move |connection| read::rules(connection, &scope))
    }

    fn act(&self, act: NewAct) -> BoxFuture<'_, Result<Option<AuditRecord>, ActError>> {
        self.write(SyncMode::Full, move |connection| act::act(connection, act))
    }

    fn roles(
        &self,
        room: RoomName,
        after: Option<UserId>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<RoleEntry>, AccessError>> {
        self.read(move |connection| read::roles(connection, &room, after.as_ref(), limit))
    }

    fn rooms_of(&self, users: Vec<UserId>) -> BoxFuture<'_, Result<Vec<(RoomName, RoomRole)>, AccessError>> {
        self.read(move |connection| read::rooms_of(connection, &users))
    }

    fn invitations(
        &self,
        users: Vec<UserId>,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Vec<Invitation>, AccessError>> {
        self.read(move |connection| invite::invitations(connection, &users, now))
    }

    fn link(&self, hash: [u8; 32], now: Timestamp) -> BoxFuture<'_, Result<Option<RoomName>, AccessError>> {
        self.read(move |connection| invite::link(connection, &hash, now))
    }

    fn direct(&self, users: [UserId; 2]) -> BoxFuture<'_, Result<Option<RoomName>, AccessError>> {
        self.read(move |connection| invite::direct(connection, users))
    }

    fn make_direct(&self, users: [Named; 2], room: RoomName) -> BoxFuture<'_, Result<RoomName, AccessError>> {
        let work = move |connection: &mut DbConnection| invite::make_direct(connection, users, room);
        let written = self.write(SyncMode::Full, work);
        async move { written.await.map_err(store_error) }.boxed()
    }

    fn report(&self, report: NewReport) -> BoxFuture<'_, Result<u64, ActError>> {
        self.write(SyncMode::Full, move |connection| report::report(connection, &report))
    }

    fn reports(
        &self,
        room: Option<RoomName>,
        before: Option<u64>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<Report>, AccessError>> {
        self.read(move |connection| report::reports(connection, room.as_ref(), before, limit))
    }

    fn close_report(
        &self,
        room: RoomName,
        number: u64,
        by: Option<Named>,
    ) -> BoxFuture<'_, Result<Option<AuditRecord>, AccessError>> {
        let work = move |connection: &mut DbConnection| report::close(connection, room, number, by);
        let written = self.write(SyncMode::Full, work);
        async move { written.await.map_err(store_error) }.boxed()
    }

    fn erase_reports(
        &self,
        author: UserId,
        username: Option<Username>,
        by: Option<Named>,
    ) -> BoxFuture<'_, Result<Vec<AuditRecord>, AccessError>> {
        let work = move |connection: &mut DbConnection| {
            report::erase(connection, &author, username.as_ref(), by.as_ref())
        };
        let written = self.write(SyncMode::Full, work);
        async move { written.await.map_err(store_error) }.boxed()
    }

    fn record(&self, record: NewRecord) -> BoxFuture<'_, Result<AuditRecord, AccessError>> {
        let written = self.write(SyncMode::Full, move |connection| act::record(connection, record));
        async move { written.await.map_err(store_error) }.boxed()
    }

    fn restrictions(
        &self,
        scope: Scope,
        after: Option<UserId>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<Restriction>, AccessError>> {
        self.read(move |connection| read::restrictions(connection, &scope, after.as_ref(), limit))
    }

    fn restriction(
        &self,
        scope: Scope,
        user: UserId,
    ) -> BoxFuture<'_, Result<Option<Restriction>, AccessError>> {
        self.read(move |connection| read::restriction(connection, &scope, &user))
    }

    fn audit(&self, query: AuditQuery) -> BoxFuture<'_, Result<Vec<AuditRecord>, AccessError>> {
        self.read(move |connection| read::audit(connection, &query))
    }

    fn warnings(&self, users: Vec<UserId>) -> BoxFuture<'_, Result<Vec<Warning>, AccessError>> {
        self.read(move |connection| read::warnings(connection, &users))
    }

    fn warned(&self) -> BoxFuture<'_, Result<Vec<UserId>, AccessError>> {
        self.read(read::warned)
    }

    fn acknowledge(&self, numbers: Vec<u64>) -> BoxFuture<'_, Result<(), AccessError>> {
        let written = self.write(SyncMode::Full, move |connection| act::acknowledge(connection, &numbers));
        async move { written.await.map_err(store_error) }.boxed()
    }

    fn forget(&self, user: UserId) -> BoxFuture<'_, Result<Vec<RoomName>, AccessError>> {
        let written = self.write(SyncMode::Full, move |connection| act::forget(connection, &user));
        async move { written.await.map_err(store_error) }.boxed()
    }

    fn announcement(&self) -> BoxFuture<'_, Result<Option<Announcement>, AccessError>> {
        self.read(announcement::read)
    }

    fn set_announcement(
        &self,
        new: Option<Announcement>,
        by: Option<Named>,
    ) -> BoxFuture<'_, Result<Option<AuditRecord>, AccessError>> {
        let work = move |connection: &mut DbConnection| announcement::set(connection, new.as_ref(), by);
        let written = self.write(SyncMode::Full, work);
        async move { written.await.map_err(store_error) }.boxed()
    }

    fn check(&self) -> BoxFuture<'_, Result<(), AccessError>> {
        self.read(|connection| {
            Ok(schema::room_roles::table.limit(1).count().get_result(connection).map(|_: i64| ())?)
        })
    }
}
