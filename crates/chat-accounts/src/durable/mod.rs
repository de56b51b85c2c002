//! The durable store: diesel, through the group commit of `chat-db`. It is compiled once for each
//! kind of database.
//!
//! Each call is one transaction. What a change depends on is read in the same transaction, and one
//! transaction writes at a time, so that nothing changes in between.

mod accounts;
mod invites;
mod names;
mod rooms;
mod schema;
mod taken;
mod tokens;

use std::sync::Arc;

use chat_db::SyncMode;
use chat_protocol::{Epoch, Role, RoomName, Timestamp, UserId, Username};
use diesel::prelude::*;
use futures::future::{BoxFuture, FutureExt, ready};

use self::taken::Taken;
use super::{Backend, Database, DbConnection, snapshot, text};
use crate::{
    Account, AccountPage, AccountStore, AddError, AddTokenError, AddedToken, BlockedUser, Counts,
    CreateError, Invite, InviteId, NewAccount, NewInvite, NewToken, PasswordHash, ProfileChange, Reservation,
    RoomChange, RoomEntry, StoreError, Subject, Token, TokenHash, TokenId, TokenKind,
};

/// The maximum number of expired rows of a table that are removed in one transaction: other work
/// waits for it.
const MAX_EXPIRED: usize = 500;

/// Accounts in a database.
#[derive(Debug)]
pub struct DurableAccounts {
    database: Database,
    taken: Arc<Taken>,
}

/// Why a transaction is rolled back.
enum Failure<E> {
    /// The database failed.
    Query(diesel::result::Error),
    /// The change is not possible, or a row is damaged.
    Refused(E),
}

impl<E> From<diesel::result::Error> for Failure<E> {
    fn from(error: diesel::result::Error) -> Self {
        Self::Query(error)
    }
}

impl<E: From<StoreError>> From<StoreError> for Failure<E> {
    fn from(error: StoreError) -> Self {
        Self::Refused(error.into())
    }
}

/// The result of the statements of a call.
type Done<T, E = StoreError> = Result<T, Failure<E>>;

/// The outcome of the statements of a call. The outer error is that of the database.
fn outcome<T, E>(done: Done<T, E>) -> QueryResult<Result<T, E>> {
    match done {
        Ok(value) => Ok(Ok(value)),
        Err(Failure::Refused(error)) => Ok(Err(error)),
        Err(Failure::Query(error)) => Err(error),
    }
}

impl DurableAccounts {
    /// The store on an open database.
    ///
    /// If this is not the database that was closed ([`Database::is_unchanged`]), it may be a
    /// restored backup with tokens that were removed since: then all tokens are removed. The same
    /// happens if it is replaced later ([`Database::on_replaced`]). If this program has newer data
    /// about names that look alike than the one before, what is stored about the names is computed
    /// again.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn open(database: Database) -> Result<Self, StoreError> {
        let is_unchanged = database.is_unchanged();
        let store = Self { database, taken: Arc::default() };
        let taken = Arc::clone(&store.taken);
        store.database.on_replaced(move |connection| match begin(connection, &taken, false) {
            Ok(removed) => {
                report(removed);
                Ok(())
            }
            Err(Failure::Query(error)) => Err(error),
            Err(Failure::Refused(error)) => Err(diesel::result::Error::DeserializationError(error.into())),
        });
        let taken = Arc::clone(&store.taken);
        let work = move |connection: &mut DbConnection| begin(connection, &taken, is_unchanged);
        report(store.write(SyncMode::Full, work).await?);
        Ok(store)
    }

    fn read<'a, T, E, F>(&'a self, work: F) -> BoxFuture<'a, Result<T, E>>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(&mut DbConnection) -> Done<T, E> + Send + 'static,
    {
        async move {
            let work = move |connection: &mut DbConnection| outcome(snapshot(connection, work));
            let result = self.database.read(work).await;
            result.map_err(StoreError::from)?
        }
        .boxed()
    }

    fn write<'a, T, E, F>(&'a self, sync_mode: SyncMode, work: F) -> BoxFuture<'a, Result<T, E>>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(&mut DbConnection) -> Done<T, E> + Send + 'static,
    {
        async move {
            let work = move |connection: &mut DbConnection| outcome(connection.transaction(work));
            let result = self.database.write_with(sync_mode, work).await;
            result.map_err(StoreError::from)?
        }
        .boxed()
    }
}

/// Makes the database ready for this process. Returns how many tokens were removed because it is
/// not known whether they are still valid.
fn begin(connection: &mut DbConnection, taken: &Taken, is_unchanged: bool) -> Done<u64> {
    names::update(connection, &crate::look_alike_version())?;
    let removed = if is_unchanged { 0 } else { tokens::remove_all(connection)? };
    taken.load(connection)?;
    Ok(removed)
}

fn report(removed: u64) {
    if removed > 0 {
        tracing::warn!(
            tokens = removed,
            "the database is not in the state in which it was closed; all sessions and API tokens were removed"
        );
    }
}

impl AccountStore for DurableAccounts {
    fn create(&self, new: NewAccount) -> BoxFuture<'_, Result<Account, CreateError>> {
        self.taken.add(&new.username);
        self.write(SyncMode::Full, |connection| accounts::create(connection, new))
    }

    fn account(&self, id: UserId) -> BoxFuture<'_, Result<Option<Account>, StoreError>> {
        self.read(move |connection| accounts::find(connection, id.as_str()))
    }

    fn by_username(&self, username: Username) -> BoxFuture<'_, Result<Option<Account>, StoreError>> {
        self.read(move |connection| accounts::by_username(connection, &username))
    }

    fn by_subject(&self, subject: Subject) -> BoxFuture<'_, Result<Option<Account>, StoreError>> {
        self.read(move |connection| accounts::by_subject(connection, &subject))
    }

    fn by_guest(&self, guest: UserId) -> BoxFuture<'_, Result<Option<Account>, StoreError>> {
        self.read(move |connection| accounts::by_guest(connection, &guest))
    }

    fn reserved(
        &self,
        username: Username,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Option<Reservation>, StoreError>> {
        if self.is_certainly_free(&username) {
            return ready(Ok(None)).boxed();
        }
        self.read(move |connection| names::reserved(connection, &username, now))
    }

    fn is_certainly_free(&self, username: &Username) -> bool {
        !self.taken.may_have(username)
    }

    fn list(&self, after: Option<Username>, limit: usize) -> BoxFuture<'_, Result<AccountPage, StoreError>> {
        self.read(move |connection| accounts::list(connection, after.as_ref(), limit))
    }

    fn counts(&self) -> BoxFuture<'_, Result<Counts, StoreError>> {
        self.read(accounts::counts)
    }

    fn set_password(
        &self,
        id: UserId,
        hash: Option<PasswordHash>,
        keep: Option<TokenId>,
    ) -> BoxFuture<'_, Result<bool, StoreError>> {
        self.write(SyncMode::Full, move |connection| {
            let exists = accounts::set_password(connection, &id, hash.as_ref())?;
            if exists {
                tokens::remove(connection, &id, keep.as_ref(), Some(TokenKind::Session))?;
            }
            Ok(exists)
        })
    }

    fn rehash_password(
        &self,
        id: UserId,
        old: PasswordHash,
        new: PasswordHash,
    ) -> BoxFuture<'_, Result<bool, StoreError>> {
        self.write(SyncMode::Normal, move |connection| accounts::rehash(connection, &id, &old, &new))
    }

    fn set_role(&self, id: UserId, role: Role) -> BoxFuture<'_, Result<bool, StoreError>> {
        self.write(SyncMode::Full, move |connection| accounts::set_role(connection, &id, role))
    }

    fn set_disabled(&self, id: UserId, since: Option<Timestamp>) -> BoxFuture<'_, Result<bool, StoreError>> {
        self.write(SyncMode::Full, move |connection| accounts::set_disabled(connection, &id, since))
    }

    fn set_profile(&self, id: UserId, change: ProfileChange) -> BoxFuture<'_, Result<bool, StoreError>> {
        self.write(SyncMode::Full, move |connection| accounts::set_profile(connection, &id, &change))
    }

    fn delete(&self, id: UserId, keep_name_until: Timestamp) -> BoxFuture<'_, Result<bool, StoreError>> {
        self.write(SyncMode::Full, move |connection| accounts::delete(connection, &id, keep_name_until))
    }

    fn add_token(&self, new: NewToken) -> BoxFuture<'_, Result<AddedToken, AddTokenError>> {
        self.write(SyncMode::Full, |connection| tokens::add(connection, new))
    }

    fn find_token(
        &self,
        hash: TokenHash,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Option<(Token, Account)>, StoreError>> {
        self.read(move |connection| tokens::find(connection, &hash, now))
    }

    fn use_token(
        &self,
        id: TokenId,
        now: Timestamp,
        new_expiry: Option<Timestamp>,
    ) -> BoxFuture<'_, Result<bool, StoreError>> {
        self.write(SyncMode::Normal, move |connection| tokens::note_use(connection, &id, now, new_expiry))
    }

    fn tokens(&self, account: UserId, now: Timestamp) -> BoxFuture<'_, Result<Vec<Token>, StoreError>> {
        self.read(move |connection| tokens::list(connection, &account, now))
    }

    fn remove_token(&self, account: UserId, id: TokenId) -> BoxFuture<'_, Result<bool, StoreError>> {
        self.write(SyncMode::Full, move |connection| tokens::remove_one(connection, &account, &id))
    }

    fn remove_tokens(
        &self,
        account: UserId,
        keep: Option<TokenId>,
        kind: Option<TokenKind>,
    ) -> BoxFuture<'_, Result<Vec<TokenId>, StoreError>> {
        self.write(SyncMode::Full, move |connection| {
            tokens::remove(connection, &account, keep.as_ref(), kind)
        })
    }

    fn remove_all_tokens(&self) -> BoxFuture<'_, Result<u64, StoreError>> {
        self.write(SyncMode::Full, |connection| Ok(tokens::remove_all(connection)?))
    }

    fn remove_expired(&self, now: Timestamp, limit: usize) -> BoxFuture<'_, Result<u64, StoreError>> {
        // fits, and a row that is removed later is removed by the next call
        let limit = i64::try_from(limit.min(MAX_EXPIRED)).unwrap_or(i64::MAX);
        self.write(SyncMode::Normal, move |connection| {
            let tokens = tokens::remove_expired(connection, now, limit)?;
            let invites = invites::remove_expired(connection, now, limit)?;
            Ok((tokens + invites + names::remove_expired(connection, now, limit)?) as u64)
        })
    }

    fn add_invite(&self, new: NewInvite) -> BoxFuture<'_, Result<Invite, AddError>> {
        self.write(SyncMode::Full, |connection| invites::add(connection, new))
    }

    fn invites(&self, now: Timestamp) -> BoxFuture<'_, Result<Vec<Invite>, StoreError>> {
        self.read(move |connection| invites::list(connection, now))
    }

    fn remove_invite(&self, id: InviteId) -> BoxFuture<'_, Result<bool, StoreError>> {
        self.write(SyncMode::Full, move |connection| invites::remove(connection, &id))
    }

    fn keep(
        &self,
        account: UserId,
        room: RoomName,
        change: RoomChange,
    ) -> BoxFuture<'_, Result<RoomEntry, AddError>> {
        self.write(SyncMode::Full, move |connection| rooms::keep(connection, &account, room, change))
    }

    fn block(
        &self,
        account: UserId,
        user: UserId,
        username: Option<Username>,
    ) -> BoxFuture<'_, Result<bool, AddError>> {
        self.write(SyncMode::Full, move |connection| {
            rooms::block(connection, &account, &user, username.as_ref())
        })
    }

    fn unblock(&self, account: UserId, user: UserId) -> BoxFuture<'_, Result<bool, StoreError>> {
        self.write(SyncMode::Full, move |connection| rooms::unblock(connection, &account, &user))
    }

    fn blocked(&self, account: UserId) -> BoxFuture<'_, Result<Vec<BlockedUser>, StoreError>> {
        self.read(move |connection| rooms::blocked(connection, &account))
    }

    fn drop_room(&self, account: UserId, room: RoomName) -> BoxFuture<'_, Result<bool, StoreError>> {
        self.write(SyncMode::Full, move |connection| rooms::remove(connection, &account, &room))
    }

    fn rooms(&self, account: UserId) -> BoxFuture<'_, Result<Vec<RoomEntry>, StoreError>> {
        self.read(move |connection| rooms::list(connection, &account))
    }

    fn room(&self, account: UserId, room: RoomName) -> BoxFuture<'_, Result<Option<RoomEntry>, StoreError>> {
        self.read(move |connection| rooms::entry(connection, &account, &room))
    }

    fn keepers(
        &self,
        room: RoomName,
        names: Vec<Username>,
    ) -> BoxFuture<'_, Result<Vec<(Username, UserId)>, StoreError>> {
        self.read(move |connection| rooms::keepers(connection, &room, &names))
    }

    fn mark_read(
        &self,
        account: UserId,
        room: RoomName,
        epoch: Epoch,
        up_to: u64,
    ) -> BoxFuture<'_, Result<Option<RoomEntry>, StoreError>> {
        self.write(SyncMode::Normal, move |connection| {
            rooms::mark_read(connection, &account, &room, &epoch, up_to)
        })
    }

    fn check(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        async move { self.database.check().await.map_err(StoreError::from) }.boxed()
    }
}
