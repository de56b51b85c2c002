//! The contract of an account store.

use std::fmt;

use chat_protocol::{Epoch, Role, RoomName, Timestamp, UserId, Username};
use futures::future::BoxFuture;

use crate::{
    Account, AccountPage, AddError, AddTokenError, AddedToken, BlockedUser, Counts, CreateError, Invite,
    InviteId, NewAccount, NewInvite, NewToken, PasswordHash, ProfileChange, Reservation, RoomChange,
    RoomEntry, StoreError, Subject, Token, TokenHash, TokenId, TokenKind,
};

/// The maximum number of accounts in an [`AccountPage`].
pub const MAX_PAGE: usize = 500;

/// The maximum number of tokens of one kind that an account has.
pub const MAX_TOKENS: usize = 100;

/// The maximum number of rooms in the list of an account.
pub const MAX_ROOMS: usize = 500;

/// The maximum number of users whom an account has blocked.
pub const MAX_BLOCKED: usize = 500;

/// How many names [`AccountStore::keepers`] looks for.
pub const MAX_NAMES: usize = 100;

/// The maximum number of invites that can be used.
pub const MAX_INVITES: usize = 1_000;

/// The accounts of a server, with their names, tokens and lists of rooms, and the invites to
/// register.
///
/// # Names
/// A username belongs to one account on the whole server. No other account can have a name that
/// looks like it: one that has a key in common with it
/// ([`look_alike_keys`](crate::look_alike_keys)). The name of a deleted account is kept for a time,
/// and the names that look like it are, too.
///
/// # Secrets
/// A store never sees a password, the secret of a token or the code of an invite, only hashes. No
/// secret or hash is in the `Debug` output of a type of this crate.
///
/// # Time
/// A store has no clock. Where time matters, the caller passes it.
///
/// # Order
/// Each change takes effect as a whole or not at all, also if the store or the process fails. When
/// a change has resolved, every read that begins later sees it. Reads see committed data only.
///
/// # Cancellation
/// A future that is dropped before it was polled has no effect. A read can be dropped at any time.
/// A change that is dropped later may or may not take effect.
///
/// # Errors
/// After a [`StoreError`] it is not known whether a change has taken effect. It is safe to repeat
/// all of them, but a repeated [`create`](Self::create) may find its own first attempt and fail
/// with [`CreateError::NameTaken`].
///
/// # Implementing a store
/// The suite `conformance` (feature `conformance`) tests all of this. The methods return boxed
/// futures so that the trait can be used as `dyn AccountStore`.
pub trait AccountStore: fmt::Debug + Send + Sync + 'static {
    /// Creates an account with a new, random id. If an invite is given, one of its uses is
    /// consumed, and if a guest is given, its id is tied to the account; all of this happens or
    /// nothing.
    ///
    /// The time of creation is the current time for invites and for names that are kept after a
    /// deletion. A name whose time has passed is free. A kept name is refused, unless the new
    /// account [replaces](NewAccount::replaces_deleted) the deleted ones.
    ///
    /// If several accounts are created at the same time under names that look alike, exactly one of
    /// them succeeds.
    ///
    /// # Errors
    /// The first of these that applies, in this order: [`CreateError::InvalidInvite`] if there is
    /// no such invite, or it has expired or is used up; [`CreateError::SubjectTaken`] if an account
    /// has the same subject; [`CreateError::NameTaken`] if the name or one that looks like it
    /// belongs to an account or is kept; [`CreateError::GuestAlreadyAdopted`] if the guest is tied
    /// to another account; [`CreateError::Store`] if the store fails.
    fn create(&self, new: NewAccount) -> BoxFuture<'_, Result<Account, CreateError>>;

    /// The account with this id.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    fn account(&self, id: UserId) -> BoxFuture<'_, Result<Option<Account>, StoreError>>;

    /// The account with exactly this name.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    fn by_username(&self, username: Username) -> BoxFuture<'_, Result<Option<Account>, StoreError>>;

    /// The account of this subject of an issuer of JWTs.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    fn by_subject(&self, subject: Subject) -> BoxFuture<'_, Result<Option<Account>, StoreError>>;

    /// The account that has adopted this guest.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    fn by_guest(&self, guest: UserId) -> BoxFuture<'_, Result<Option<Account>, StoreError>>;

    /// Why a guest or a new account can't have this name: the name that equals it or looks like it,
    /// and until when it is kept. `None` if the name is free.
    ///
    /// If there are several such names, it is the name itself if possible, then one of an account.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    fn reserved(
        &self,
        username: Username,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Option<Reservation>, StoreError>>;

    /// Whether it is known without asking the store that [`reserved`](Self::reserved) would find
    /// nothing for this name now. Nearly every guest's name is free, so a store that can tell saves
    /// a query for each.
    ///
    /// The default implementation does not know.
    fn is_certainly_free(&self, username: &Username) -> bool {
        let _ = username;
        false
    }

    /// The accounts whose names come after `after`, in the order of the names' bytes in UTF-8: at
    /// most `limit`, and at most [`MAX_PAGE`].
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    fn list(&self, after: Option<Username>, limit: usize) -> BoxFuture<'_, Result<AccountPage, StoreError>>;

    /// How many accounts there are.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    fn counts(&self) -> BoxFuture<'_, Result<Counts, StoreError>>;

    /// Replaces the password, or removes it, and removes all sessions of the account but `keep`.
    /// API tokens stay. Returns whether the account exists.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    fn set_password(
        &self,
        id: UserId,
        hash: Option<PasswordHash>,
        keep: Option<TokenId>,
    ) -> BoxFuture<'_, Result<bool, StoreError>>;

    /// Replaces the hash of an unchanged password by one with newer parameters, and keeps all
    /// sessions. Returns `false` and changes nothing if the account does not exist or has another
    /// hash than `old`: then the password was changed since `old` was read.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    fn rehash_password(
        &self,
        id: UserId,
        old: PasswordHash,
        new: PasswordHash,
    ) -> BoxFuture<'_, Result<bool, StoreError>>;

    /// Sets what the user may do on the whole server. Returns whether the account exists.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    fn set_role(&self, id: UserId, role: Role) -> BoxFuture<'_, Result<bool, StoreError>>;

    /// Disables the account since this time, or enables it again (`None`). Returns whether the
    /// account exists.
    ///
    /// The tokens of a disabled account are not found, and none can be added. They are kept: those
    /// that have not expired are valid again when the account is enabled. To prevent that, remove
    /// them.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    fn set_disabled(&self, id: UserId, since: Option<Timestamp>) -> BoxFuture<'_, Result<bool, StoreError>>;

    /// Changes parts of the profile. Returns whether the account exists.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    fn set_profile(&self, id: UserId, change: ProfileChange) -> BoxFuture<'_, Result<bool, StoreError>>;

    /// Deletes an account with its tokens, its list of rooms, the invites that it has made, and the
    /// ids of the guests that it has adopted. Returns whether the account existed.
    ///
    /// Its name, and those that look like it, are kept until this time.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    fn delete(&self, id: UserId, keep_name_until: Timestamp) -> BoxFuture<'_, Result<bool, StoreError>>;

    /// Adds a token. First, the tokens of the account of this kind that have expired when the new
    /// one was created are removed. If [`MAX_TOKENS`] are left, a new session replaces the one that
    /// was used longest ago, and an API token is refused.
    ///
    /// # Errors
    /// [`AddTokenError::NoAccount`] if there is no such account, [`AddTokenError::Disabled`] if it
    /// is disabled, [`AddTokenError::PasswordChanged`] if the new token is for
    /// [a password](NewToken::password) that the account no longer has,
    /// [`AddTokenError::LimitReached`] if the account has too many API tokens,
    /// [`AddTokenError::Store`] if the store fails.
    fn add_token(&self, new: NewToken) -> BoxFuture<'_, Result<AddedToken, AddTokenError>>;

    /// The token with this hash and its account. `None` if the token does not exist or has expired,
    /// or if the account is disabled.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    fn find_token(
        &self,
        hash: TokenHash,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Option<(Token, Account)>, StoreError>>;

    /// Notes that a token was used. A session expires at `new_expiry` from now on, if that is later
    /// than before; the expiry of an API token does not change. Returns `false` if the token does
    /// not exist or has expired: it stays expired.
    ///
    /// This writes to the store, and need not survive a power cut. Call it at most once an hour for
    /// each token.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    fn use_token(
        &self,
        id: TokenId,
        now: Timestamp,
        new_expiry: Option<Timestamp>,
    ) -> BoxFuture<'_, Result<bool, StoreError>>;

    /// The tokens of an account that have not expired, most recently used first.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    fn tokens(&self, account: UserId, now: Timestamp) -> BoxFuture<'_, Result<Vec<Token>, StoreError>>;

    /// Removes a token of this account. Returns whether it existed.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    fn remove_token(&self, account: UserId, id: TokenId) -> BoxFuture<'_, Result<bool, StoreError>>;

    /// Removes the tokens of an account but `keep`: those of one kind, or all. Returns the ids of
    /// the removed tokens.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    fn remove_tokens(
        &self,
        account: UserId,
        keep: Option<TokenId>,
        kind: Option<TokenKind>,
    ) -> BoxFuture<'_, Result<Vec<TokenId>, StoreError>>;

    /// Removes the tokens of all accounts, and returns their number. A restored backup may contain
    /// tokens that were removed since.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    fn remove_all_tokens(&self) -> BoxFuture<'_, Result<u64, StoreError>>;

    /// Removes what has expired: tokens, invites, and the names of deleted accounts, at most
    /// `limit` of each. Returns how many of them were removed; repeat it until this is 0.
    ///
    /// What has expired is not found even if this is never called.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    fn remove_expired(&self, now: Timestamp, limit: usize) -> BoxFuture<'_, Result<u64, StoreError>>;

    /// Adds an invite. Invites that have expired when the new one was created are removed first.
    ///
    /// # Errors
    /// [`AddError::NoAccount`] if the creator of the invite is not an account,
    /// [`AddError::LimitReached`] if [`MAX_INVITES`] are left, [`AddError::Store`] if the store
    /// fails.
    fn add_invite(&self, new: NewInvite) -> BoxFuture<'_, Result<Invite, AddError>>;

    /// The invites that have not expired and have uses left, oldest first.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    fn invites(&self, now: Timestamp) -> BoxFuture<'_, Result<Vec<Invite>, StoreError>>;

    /// Removes an invite. Returns whether it existed.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    fn remove_invite(&self, id: InviteId) -> BoxFuture<'_, Result<bool, StoreError>>;

    /// Adds a room to the list of an account, or changes its entry, and returns the entry. A new
    /// entry is read up to the mark in `change`; the mark of an existing one does not change.
    ///
    /// # Errors
    /// [`AddError::NoAccount`] if there is no such account, [`AddError::LimitReached`] if a room
    /// would be added to a list of [`MAX_ROOMS`], [`AddError::Store`] if the store fails.
    fn keep(
        &self,
        account: UserId,
        room: RoomName,
        change: RoomChange,
    ) -> BoxFuture<'_, Result<RoomEntry, AddError>>;

    /// Removes a room from the list of an account. Returns whether it was there.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    fn drop_room(&self, account: UserId, room: RoomName) -> BoxFuture<'_, Result<bool, StoreError>>;

    /// The rooms in the list of an account, in the order of the names' bytes in UTF-8. It is empty
    /// if there is no such account.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    fn rooms(&self, account: UserId) -> BoxFuture<'_, Result<Vec<RoomEntry>, StoreError>>;

    /// The entry of a room in the list of an account. `None` if it is not in the list.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    fn room(&self, account: UserId, room: RoomName) -> BoxFuture<'_, Result<Option<RoomEntry>, StoreError>>;

    /// Notes that an account has blocked a user, who may have this name. Returns `false` if it had
    /// blocked the user already; the name stays as it was.
    ///
    /// # Errors
    /// [`AddError::NoAccount`] if there is no such account, [`AddError::LimitReached`] if it has
    /// blocked [`MAX_BLOCKED`] others, [`AddError::Store`] if the store fails.
    fn block(
        &self,
        account: UserId,
        user: UserId,
        username: Option<Username>,
    ) -> BoxFuture<'_, Result<bool, AddError>>;

    /// Notes that an account has not blocked a user any more. Returns whether it had.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    fn unblock(&self, account: UserId, user: UserId) -> BoxFuture<'_, Result<bool, StoreError>>;

    /// The users whom an account has blocked, ordered by their ids.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    fn blocked(&self, account: UserId) -> BoxFuture<'_, Result<Vec<BlockedUser>, StoreError>>;

    /// The accounts that have a room in their lists and one of these names, whatever the case of
    /// the letters: the ids with the accounts' names. For at most [`MAX_NAMES`] names.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    fn keepers(
        &self,
        room: RoomName,
        names: Vec<Username>,
    ) -> BoxFuture<'_, Result<Vec<(Username, UserId)>, StoreError>>;

    /// Moves the read mark of a room in the list of an account, and returns the entry as it is
    /// then. `None` if the room is not in the list.
    ///
    /// Within an epoch the mark never moves backwards: a lower one changes nothing. A mark of
    /// another epoch replaces the old one, whatever its number is. The store does not know the
    /// newest number of a room, so the caller has to limit the mark. This need not survive a power
    /// cut.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    fn mark_read(
        &self,
        account: UserId,
        room: RoomName,
        epoch: Epoch,
        up_to: u64,
    ) -> BoxFuture<'_, Result<Option<RoomEntry>, StoreError>>;

    /// Checks whether the store could write now.
    ///
    /// # Errors
    /// [`StoreError`] if it could not.
    fn check(&self) -> BoxFuture<'_, Result<(), StoreError>>;
}
