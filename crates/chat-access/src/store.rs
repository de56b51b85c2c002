//! The store.

use std::fmt;

use chat_protocol::{RoomName, RoomRole, UserId};
use futures::future::BoxFuture;

use crate::audit::{AuditRecord, Named, Warning};
use crate::rules::Until;
use crate::{AccessError, ActError, Announcement, NewAct, Rules, Scope};

/// The maximum number of users who have a role in one room.
pub const MAX_ROLES: usize = 2_000;

/// The maximum number of bans, and of mutes, that hold in one room, and on the whole server.
pub const MAX_RESTRICTIONS: usize = 10_000;

/// The maximum number of entries of one page.
pub const MAX_PAGE: usize = 500;

/// A user who has a role in a room.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RoleEntry {
    /// The user, with the name at the time at which it got the role.
    pub user: Named,
    /// The role.
    pub role: RoomRole,
}

impl RoleEntry {
    /// The entry of this user.
    pub fn new(user: Named, role: RoomRole) -> Self {
        Self { user, role }
    }
}

/// What kind of restriction it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RestrictionKind {
    /// The user may not join.
    Ban,
    /// The user may not post.
    Mute,
}

/// A ban or a mute that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Restriction {
    /// Whom it concerns.
    pub user: Named,
    /// Whether it is a ban or a mute.
    pub kind: RestrictionKind,
    /// Until when it holds.
    pub until: Until,
    /// The number of the [record](AuditRecord::number) of the act.
    pub number: u64,
}

impl Restriction {
    /// The restriction of this user by the act with this number.
    pub fn new(user: Named, kind: RestrictionKind, until: Until, number: u64) -> Self {
        Self { user, kind, until, number }
    }
}

/// Which records of the audit log are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuditQuery {
    /// Only records of this room or of the whole server; `None`: all.
    pub scope: Option<Scope>,
    /// Only records with a smaller number; `None`: the newest.
    pub before: Option<u64>,
    /// The maximum number of records, at most [`MAX_PAGE`].
    pub limit: usize,
}

impl AuditQuery {
    /// The newest `limit` records.
    pub fn newest(limit: usize) -> Self {
        Self { scope: None, before: None, limit }
    }

    /// Only records of this room or of the whole server.
    #[must_use]
    pub fn of(self, scope: Scope) -> Self {
        Self { scope: Some(scope), ..self }
    }

    /// Only records with a smaller number.
    #[must_use]
    pub fn before(self, before: Option<u64>) -> Self {
        Self { before, ..self }
    }
}

/// The roles, bans, mutes and warnings of all rooms, the audit log, and the announcement of the
/// operator.
///
/// # Implementing a store
/// The suite `conformance` (feature `conformance`) tests all of this. The methods return boxed
/// futures so that the trait can be used as `dyn AccessStore`.
pub trait AccessStore: fmt::Debug + Send + Sync + 'static {
    /// The roles of a room and the bans and mutes that hold there, or those of the whole server.
    /// Restrictions that have ended may be included.
    ///
    /// # Errors
    /// [`AccessError`] if the store fails.
    fn rules(&self, scope: Scope) -> BoxFuture<'_, Result<Rules, AccessError>>;

    /// Carries out an act and writes its record, in one transaction in which it is
    /// [authorized](crate::authorize). Returns the record; `None` if the act changes nothing, and
    /// then there is no record. A kick and a warning always change something.
    ///
    /// A warning stays until it is [acknowledged](Self::acknowledge).
    ///
    /// # Errors
    /// [`ActError::Refused`] if the doer may not do it, and [`ActError::Store`].
    fn act(&self, act: NewAct) -> BoxFuture<'_, Result<Option<AuditRecord>, ActError>>;

    /// The users who have a role in a room, in the order of their ids, after this id; at most
    /// `limit`, and at most [`MAX_PAGE`].
    ///
    /// # Errors
    /// [`AccessError`] if the store fails.
    fn roles(
        &self,
        room: RoomName,
        after: Option<UserId>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<RoleEntry>, AccessError>>;

    /// The bans and mutes that hold, in the order of the users' ids, after this id; at most those
    /// of `limit` users, and of [`MAX_PAGE`].
    ///
    /// # Errors
    /// [`AccessError`] if the store fails.
    fn restrictions(
        &self,
        scope: Scope,
        after: Option<UserId>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<Restriction>, AccessError>>;

    /// A ban or a mute of this user that holds; if both do, the ban.
    ///
    /// # Errors
    /// [`AccessError`] if the store fails.
    fn restriction(
        &self,
        scope: Scope,
        user: UserId,
    ) -> BoxFuture<'_, Result<Option<Restriction>, AccessError>>;

    /// Records of the audit log, the newest first.
    ///
    /// # Errors
    /// [`AccessError`] if the store fails.
    fn audit(&self, query: AuditQuery) -> BoxFuture<'_, Result<Vec<AuditRecord>, AccessError>>;

    /// The warnings of a user with these ids that are not acknowledged, the oldest first; at most
    /// [`MAX_PAGE`].
    ///
    /// # Errors
    /// [`AccessError`] if the store fails.
    fn warnings(&self, users: Vec<UserId>) -> BoxFuture<'_, Result<Vec<Warning>, AccessError>>;

    /// The users who have warnings that are not acknowledged.
    ///
    /// # Errors
    /// [`AccessError`] if the store fails.
    fn warned(&self) -> BoxFuture<'_, Result<Vec<UserId>, AccessError>>;

    /// A user has received the warnings with these numbers.
    ///
    /// # Errors
    /// [`AccessError`] if the store fails; it is safe to retry.
    fn acknowledge(&self, numbers: Vec<u64>) -> BoxFuture<'_, Result<(), AccessError>>;

    /// Removes the roles of a user whose account is deleted. The audit log keeps its name, and its
    /// bans stay. A room may lose its last owner by this: moderators of the server can name
    /// another one.
    ///
    /// # Errors
    /// [`AccessError`] if the store fails; it is safe to retry.
    fn forget(&self, user: UserId) -> BoxFuture<'_, Result<Vec<RoomName>, AccessError>>;

    /// The announcement of the operator, if there is one.
    ///
    /// # Errors
    /// [`AccessError`] if the store fails.
    fn announcement(&self) -> BoxFuture<'_, Result<Option<Announcement>, AccessError>>;

    /// Stores the announcement of the operator in place of the one before; `None` withdraws it.
    ///
    /// # Errors
    /// [`AccessError`] if the store fails. It is not known then which one is stored; it is safe to
    /// retry.
    fn set_announcement(&self, announcement: Option<Announcement>) -> BoxFuture<'_, Result<(), AccessError>>;

    /// Checks whether the store works.
    ///
    /// # Errors
    /// [`AccessError`] if it does not.
    fn check(&self) -> BoxFuture<'_, Result<(), AccessError>>;
}
