//! The store.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chat_protocol::{Reason, RoomName, RoomRole, Timestamp, UserId, UserKind, Username};
use futures::future::BoxFuture;

use crate::audit::{AuditRecord, Named, NewRecord, Warning};
use crate::rules::Until;
use crate::{AccessError, ActError, Announcement, Network, NewAct, Rules, Scope};

/// The maximum number of users who have a role in one room.
pub const MAX_ROLES: usize = 2_000;

/// The maximum number of bans, and of mutes, that hold in one room, and on the whole server.
pub const MAX_RESTRICTIONS: usize = 10_000;

/// For how long a ban or a mute of a guest concerns its [network](crate::Network) at most: others
/// get the same addresses later.
pub const NETWORK_RESTRICTION: Duration = Duration::from_secs(30 * 86_400);

/// The maximum number of entries of one page.
pub const MAX_PAGE: usize = 500;

/// The maximum number of invitations that are open into one room, and for one user.
pub const MAX_INVITATIONS: usize = 500;

/// The maximum number of links that hold into one room.
pub const MAX_LINKS: usize = 50;

/// The maximum number of reports that are open in one room.
pub const MAX_REPORTS: usize = 1_000;

/// The maximum number of reports of one user that are open in one room.
pub const MAX_REPORTS_OF_USER: usize = 20;

/// An invitation into a room.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Invitation {
    /// The room.
    pub room: RoomName,
    /// Who is invited.
    pub user: Named,
    /// Who has invited the user; `None`: who runs the server.
    pub by: Option<Named>,
    /// When the invitation ends.
    pub expires_at: Timestamp,
}

impl Invitation {
    /// The invitation of this user.
    pub fn new(room: RoomName, user: Named, by: Option<Named>, expires_at: Timestamp) -> Self {
        Self { room, user, by, expires_at }
    }
}

/// A message that is reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewReport {
    /// The room.
    pub room: RoomName,
    /// Who reports it.
    pub by: Named,
    /// The number of the message.
    pub target: u64,
    /// Who has written the message.
    pub author: Named,
    /// A copy of the text; `None` if it was [erased](AccessStore::erase_reports).
    pub body: Option<Arc<str>>,
    /// Why it is reported.
    pub reason: Option<Reason>,
    /// When.
    pub at: Timestamp,
}

/// A report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The number of the report: 1, 2, 3 and so on, over all rooms.
    pub number: u64,
    /// What was reported.
    pub report: NewReport,
}

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
    /// The network of a guest, whose other guests it concerns, too, and until when.
    pub network: Option<(Network, Timestamp)>,
}

impl Restriction {
    /// The restriction of this user by the act with this number.
    pub fn new(user: Named, kind: RestrictionKind, until: Until, number: u64) -> Self {
        Self { user, kind, until, number, network: None }
    }

    /// Sets the network that it concerns.
    #[must_use]
    pub fn network(self, network: Option<(Network, Timestamp)>) -> Self {
        Self { network, ..self }
    }

    /// Adds it to rules, for implementations of a store.
    pub fn add_to(self, rules: &mut Rules) {
        match (self.kind, self.network) {
            (RestrictionKind::Ban, Some((network, until))) => rules.add_network_ban(network, until),
            (RestrictionKind::Mute, Some((network, until))) => rules.add_network_mute(network, until),
            _ => {}
        }
        match self.kind {
            RestrictionKind::Ban => rules.add_ban(self.user.id, self.until),
            RestrictionKind::Mute => rules.add_mute(self.user.id, self.until),
        }
    }
}

/// The network of a guest that a new restriction concerns, and until when, for implementations of a
/// store.
pub fn network_of(act: &NewAct, until: Until) -> Option<(Network, Timestamp)> {
    let longest = act.at.saturating_add(NETWORK_RESTRICTION);
    let network = act.target.network.filter(|_| act.target.kind == UserKind::Guest)?;
    Some((network, until.map_or(longest, |until| until.min(longest))))
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

    /// The rooms in which a user with these ids has a role, by name.
    ///
    /// # Errors
    /// [`AccessError`] if the store fails.
    fn rooms_of(&self, users: Vec<UserId>) -> BoxFuture<'_, Result<Vec<(RoomName, RoomRole)>, AccessError>>;

    /// The invitations of a user with these ids that hold at this time, by room.
    ///
    /// # Errors
    /// [`AccessError`] if the store fails.
    fn invitations(
        &self,
        users: Vec<UserId>,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Vec<Invitation>, AccessError>>;

    /// The room into which the link with this hash leads at this time; `None` if there is no such
    /// link, or it does not hold any more.
    ///
    /// # Errors
    /// [`AccessError`] if the store fails.
    fn link(&self, hash: [u8; 32], now: Timestamp) -> BoxFuture<'_, Result<Option<RoomName>, AccessError>>;

    /// The direct room of two users, in either order.
    ///
    /// # Errors
    /// [`AccessError`] if the store fails.
    fn direct(&self, users: [UserId; 2]) -> BoxFuture<'_, Result<Option<RoomName>, AccessError>>;

    /// Makes a room the direct room of two users, who become its members, and returns it. If they
    /// have one, nothing changes, and that one is returned.
    ///
    /// # Errors
    /// [`AccessError`] if the store fails; it is safe to retry.
    fn make_direct(&self, users: [Named; 2], room: RoomName) -> BoxFuture<'_, Result<RoomName, AccessError>>;

    /// Adds a report, and returns its number. If the user has reported the same message, and that
    /// report is open, nothing changes, and its number is returned.
    ///
    /// # Errors
    /// [`ActError::Refused`] if there are too many open reports, and [`ActError::Store`].
    fn report(&self, report: NewReport) -> BoxFuture<'_, Result<u64, ActError>>;

    /// The open reports of a room, or of all rooms, with a smaller number than `before`, the newest
    /// first; at most `limit`, and at most [`MAX_PAGE`].
    ///
    /// # Errors
    /// [`AccessError`] if the store fails.
    fn reports(
        &self,
        room: Option<RoomName>,
        before: Option<u64>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<Report>, AccessError>>;

    /// Closes a report of a room, and records it. Returns `None` if there is no such report, or it
    /// is closed.
    ///
    /// # Errors
    /// [`AccessError`] if the store fails; it is safe to retry.
    fn close_report(
        &self,
        room: RoomName,
        number: u64,
        by: Option<Named>,
    ) -> BoxFuture<'_, Result<Option<AuditRecord>, AccessError>>;

    /// Erases the copies of the text in the open reports about messages of a user, or about those
    /// that it sent under this name, and records that for each report. The reports stay. In
    /// the file of a database, what is erased is overwritten, and so is the text of a report that
    /// is closed. Returns the records.
    ///
    /// # Errors
    /// [`AccessError`] if the store fails; it is safe to retry.
    fn erase_reports(
        &self,
        author: UserId,
        username: Option<Username>,
        by: Option<Named>,
    ) -> BoxFuture<'_, Result<Vec<AuditRecord>, AccessError>>;

    /// Writes a record of something that is done elsewhere.
    ///
    /// # Errors
    /// [`AccessError`] if the store fails. It is not known whether the record was written.
    fn record(&self, record: NewRecord) -> BoxFuture<'_, Result<AuditRecord, AccessError>>;

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

    /// Removes the roles, the invitations and the direct rooms of a user whose account is deleted.
    /// The audit log and reports keep its name, and its bans stay. A room may lose its last owner
    /// by this: moderators of the server can name another one.
    ///
    /// # Errors
    /// [`AccessError`] if the store fails; it is safe to retry.
    fn forget(&self, user: UserId) -> BoxFuture<'_, Result<Vec<RoomName>, AccessError>>;

    /// The announcement of the operator, if there is one.
    ///
    /// # Errors
    /// [`AccessError`] if the store fails.
    fn announcement(&self) -> BoxFuture<'_, Result<Option<Announcement>, AccessError>>;

    /// Stores the announcement of the operator in place of the one before, or withdraws it if
    /// `announcement` is `None`, and records that. Returns the record; `None` if there is nothing
    /// to withdraw.
    ///
    /// # Errors
    /// [`AccessError`] if the store fails. It is not known then which one is stored; it is safe to
    /// retry, and an announcement that was stored has a second record then.
    fn set_announcement(
        &self,
        announcement: Option<Announcement>,
        by: Option<Named>,
    ) -> BoxFuture<'_, Result<Option<AuditRecord>, AccessError>>;

    /// Checks whether the store works.
    ///
    /// # Errors
    /// [`AccessError`] if it does not.
    fn check(&self) -> BoxFuture<'_, Result<(), AccessError>>;
}
