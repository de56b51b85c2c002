//! The store in memory.

mod accounts;
mod invites;
mod rooms;
mod tokens;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chat_protocol::{Epoch, Role, RoomName, Timestamp, UserId, Username};
use futures::future::{BoxFuture, FutureExt, ready};
use parking_lot::Mutex;

use crate::{
    Account, AccountPage, AccountStore, AddError, AddTokenError, AddedToken, BlockedUser, Counts,
    CreateError, Invite, InviteHash, InviteId, NewAccount, NewInvite, NewToken, PasswordHash, ProfileChange,
    Reservation, RoomChange, RoomEntry, StoreError, Subject, Token, TokenHash, TokenId, TokenKind,
};

/// Accounts in memory, lost when the process ends. It never fails.
#[derive(Debug, Default)]
pub struct MemoryAccounts {
    tables: Mutex<Tables>,
}

#[derive(Debug, Default)]
struct Tables {
    accounts: HashMap<UserId, Account>,
    by_username: BTreeMap<Username, UserId>,
    by_subject: HashMap<Subject, UserId>,
    by_guest: HashMap<UserId, UserId>,
    /// The names of deleted accounts, and until when they are kept.
    kept: HashMap<Username, Timestamp>,
    /// The names of accounts and of deleted accounts that have a key.
    by_key: HashMap<String, BTreeSet<Username>>,
    tokens: HashMap<TokenId, (TokenHash, Token)>,
    by_hash: HashMap<TokenHash, TokenId>,
    invites: HashMap<InviteId, (InviteHash, Invite)>,
    rooms: HashMap<UserId, BTreeMap<RoomName, RoomEntry>>,
    /// Whom each account has blocked.
    blocked: HashMap<UserId, BTreeMap<UserId, Option<Username>>>,
}

impl MemoryAccounts {
    /// A store without accounts.
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs `work` on the tables when the future is polled.
    fn with<'a, T: Send + 'a>(&'a self, work: impl FnOnce(&mut Tables) -> T + Send + 'a) -> BoxFuture<'a, T> {
        async move { work(&mut self.tables.lock()) }.boxed()
    }
}

impl AccountStore for MemoryAccounts {
    fn create(&self, new: NewAccount) -> BoxFuture<'_, Result<Account, CreateError>> {
        self.with(|tables| tables.create(new))
    }

    fn account(&self, id: UserId) -> BoxFuture<'_, Result<Option<Account>, StoreError>> {
        self.with(move |tables| Ok(tables.accounts.get(&id).cloned()))
    }

    fn by_username(&self, username: Username) -> BoxFuture<'_, Result<Option<Account>, StoreError>> {
        self.with(move |tables| Ok(tables.cloned(tables.by_username.get(&username))))
    }

    fn by_subject(&self, subject: Subject) -> BoxFuture<'_, Result<Option<Account>, StoreError>> {
        self.with(move |tables| Ok(tables.cloned(tables.by_subject.get(&subject))))
    }

    fn by_guest(&self, guest: UserId) -> BoxFuture<'_, Result<Option<Account>, StoreError>> {
        self.with(move |tables| Ok(tables.cloned(tables.by_guest.get(&guest))))
    }

    fn reserved(
        &self,
        username: Username,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Option<Reservation>, StoreError>> {
        self.with(move |tables| Ok(tables.reserved(&username, now)))
    }

    fn list(&self, after: Option<Username>, limit: usize) -> BoxFuture<'_, Result<AccountPage, StoreError>> {
        self.with(move |tables| Ok(tables.list(after, limit)))
    }

    fn counts(&self) -> BoxFuture<'_, Result<Counts, StoreError>> {
        self.with(|tables| Ok(tables.counts()))
    }

    fn set_password(
        &self,
        id: UserId,
        hash: Option<PasswordHash>,
        keep: Option<TokenId>,
    ) -> BoxFuture<'_, Result<bool, StoreError>> {
        self.with(move |tables| {
            let exists = tables.change(&id, |account| account.password_hash = hash);
            if exists {
                tables.remove_tokens(&id, keep.as_ref(), Some(TokenKind::Session));
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
        self.with(move |tables| {
            let Some(account) = tables.accounts.get_mut(&id) else { return Ok(false) };
            let is_unchanged = account.password_hash == Some(old);
            if is_unchanged {
                account.password_hash = Some(new);
            }
            Ok(is_unchanged)
        })
    }

    fn set_role(&self, id: UserId, role: Role) -> BoxFuture<'_, Result<bool, StoreError>> {
        self.with(move |tables| Ok(tables.change(&id, |account| account.role = role)))
    }

    fn set_disabled(&self, id: UserId, since: Option<Timestamp>) -> BoxFuture<'_, Result<bool, StoreError>> {
        self.with(move |tables| Ok(tables.change(&id, |account| account.disabled_at = since)))
    }

    fn set_profile(&self, id: UserId, change: ProfileChange) -> BoxFuture<'_, Result<bool, StoreError>> {
        self.with(move |tables| Ok(tables.change(&id, |account| account.profile.apply(change))))
    }

    fn delete(&self, id: UserId, keep_name_until: Timestamp) -> BoxFuture<'_, Result<bool, StoreError>> {
        self.with(move |tables| Ok(tables.delete(&id, keep_name_until)))
    }

    fn add_token(&self, new: NewToken) -> BoxFuture<'_, Result<AddedToken, AddTokenError>> {
        self.with(|tables| tables.add_token(new))
    }

    fn find_token(
        &self,
        hash: TokenHash,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Option<(Token, Account)>, StoreError>> {
        self.with(move |tables| Ok(tables.find_token(&hash, now)))
    }

    fn use_token(
        &self,
        id: TokenId,
        now: Timestamp,
        new_expiry: Option<Timestamp>,
    ) -> BoxFuture<'_, Result<bool, StoreError>> {
        self.with(move |tables| {
            let token = tables.tokens.get_mut(&id);
            Ok(token.is_some_and(|(_, token)| token.note_use(now, new_expiry)))
        })
    }

    fn tokens(&self, account: UserId, now: Timestamp) -> BoxFuture<'_, Result<Vec<Token>, StoreError>> {
        self.with(move |tables| Ok(tables.tokens_of(&account, now)))
    }

    fn remove_token(&self, account: UserId, id: TokenId) -> BoxFuture<'_, Result<bool, StoreError>> {
        self.with(move |tables| {
            let exists = tables.tokens.get(&id).is_some_and(|(_, token)| token.account == account);
            if exists {
                tables.remove_token(&id);
            }
            Ok(exists)
        })
    }

    fn remove_tokens(
        &self,
        account: UserId,
        keep: Option<TokenId>,
        kind: Option<TokenKind>,
    ) -> BoxFuture<'_, Result<Vec<TokenId>, StoreError>> {
        self.with(move |tables| Ok(tables.remove_tokens(&account, keep.as_ref(), kind)))
    }

    fn remove_all_tokens(&self) -> BoxFuture<'_, Result<u64, StoreError>> {
        self.with(|tables| {
            tables.by_hash.clear();
            let removed = std::mem::take(&mut tables.tokens);
            Ok(removed.len() as u64)
        })
    }

    fn remove_expired(&self, now: Timestamp, limit: usize) -> BoxFuture<'_, Result<u64, StoreError>> {
        self.with(move |tables| {
            let tokens = tables.remove_expired_tokens(now, limit);
            let invites = tables.remove_expired_invites(now, limit);
            Ok((tokens + invites + tables.remove_expired_names(now, limit)) as u64)
        })
    }

    fn add_invite(&self, new: NewInvite) -> BoxFuture<'_, Result<Invite, AddError>> {
        self.with(|tables| tables.add_invite(new))
    }

    fn invites(&self, now: Timestamp) -> BoxFuture<'_, Result<Vec<Invite>, StoreError>> {
        self.with(move |tables| Ok(tables.valid_invites(now)))
    }

    fn remove_invite(&self, id: InviteId) -> BoxFuture<'_, Result<bool, StoreError>> {
        self.with(move |tables| Ok(tables.invites.remove(&id).is_some()))
    }

    fn keep(
        &self,
        account: UserId,
        room: RoomName,
        change: RoomChange,
    ) -> BoxFuture<'_, Result<RoomEntry, AddError>> {
        self.with(move |tables| tables.keep(&account, room, change))
    }

    fn block(
        &self,
        account: UserId,
        user: UserId,
        username: Option<Username>,
    ) -> BoxFuture<'_, Result<bool, AddError>> {
        self.with(move |tables| tables.block(account, user, username))
    }

    fn unblock(&self, account: UserId, user: UserId) -> BoxFuture<'_, Result<bool, StoreError>> {
        self.with(move |tables| {
            let blocked = tables.blocked.get_mut(&account);
            Ok(blocked.is_some_and(|blocked| blocked.remove(&user).is_some()))
        })
    }

    fn blocked(&self, account: UserId) -> BoxFuture<'_, Result<Vec<BlockedUser>, StoreError>> {
        self.with(move |tables| {
            let blocked = tables.blocked.get(&account).cloned().into_iter().flatten();
            Ok(blocked.map(|(id, username)| BlockedUser::new(id, username)).collect())
        })
    }

    fn drop_room(&self, account: UserId, room: RoomName) -> BoxFuture<'_, Result<bool, StoreError>> {
        self.with(move |tables| Ok(tables.drop_room(&account, &room)))
    }

    fn rooms(&self, account: UserId) -> BoxFuture<'_, Result<Vec<RoomEntry>, StoreError>> {
        self.with(move |tables| {
            let rooms = tables.rooms.get(&account);
            Ok(rooms.map(|rooms| rooms.values().cloned().collect()).unwrap_or_default())
        })
    }

    fn room(&self, account: UserId, room: RoomName) -> BoxFuture<'_, Result<Option<RoomEntry>, StoreError>> {
        self.with(move |tables| Ok(tables.rooms.get(&account).and_then(|rooms| rooms.get(&room)).cloned()))
    }

    fn keepers(
        &self,
        room: RoomName,
        names: Vec<Username>,
    ) -> BoxFuture<'_, Result<Vec<(Username, UserId)>, StoreError>> {
        self.with(move |tables| Ok(tables.keepers(&room, &names)))
    }

    fn mark_read(
        &self,
        account: UserId,
        room: RoomName,
        epoch: Epoch,
        up_to: u64,
    ) -> BoxFuture<'_, Result<Option<RoomEntry>, StoreError>> {
        self.with(move |tables| Ok(tables.mark_read(&account, &room, &epoch, up_to)))
    }

    fn check(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        ready(Ok(())).boxed()
    }
}
