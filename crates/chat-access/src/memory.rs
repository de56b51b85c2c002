//! The store in memory.

use std::collections::{BTreeMap, HashMap, VecDeque};

use chat_protocol::{Moderation, RoomName, RoomRole, Timestamp, UserId, Username};
use futures::future::{BoxFuture, FutureExt, ready};
use parking_lot::Mutex;

use crate::audit::{AuditRecord, Named, NewRecord, Warning};
use crate::rules::{Until, holds};
use crate::store::{
    AccessStore, AuditQuery, Invitation, MAX_INVITATIONS, MAX_LINKS, MAX_PAGE, MAX_REPORTS,
    MAX_REPORTS_OF_USER, MAX_RESTRICTIONS, MAX_ROLES, NewReport, Report, Restriction, RestrictionKind,
    RoleEntry, network_of,
};
use crate::{
    AccessError, ActContext, ActError, ActKind, Announcement, NewAct, Refused, Rules, Scope, authorize,
};

/// How many records are kept.
const MAX_RECORDS: usize = 10_000;

/// How many warnings are kept that nobody has received.
const MAX_WARNINGS: usize = 10_000;

/// Roles, bans, mutes, warnings and the announcement in memory, lost when the process ends. It
/// never fails.
///
/// It keeps the newest 10,000 records of the audit log, and the newest 10,000 warnings.
#[derive(Debug, Default)]
pub struct MemoryAccess {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    scopes: HashMap<Scope, Table>,
    records: VecDeque<AuditRecord>,
    /// The number of the newest record.
    newest: u64,
    warnings: VecDeque<(UserId, Warning)>,
    /// The direct room of two users, the lesser id first.
    direct: BTreeMap<[UserId; 2], RoomName>,
    /// The open reports, in the order of their numbers.
    reports: Vec<Report>,
    newest_report: u64,
    announcement: Option<Announcement>,
}

/// The rules of a room, or of the whole server.
#[derive(Debug, Default)]
struct Table {
    roles: BTreeMap<UserId, RoleEntry>,
    restrictions: BTreeMap<(UserId, RestrictionKind), Restriction>,
    invitations: BTreeMap<UserId, Invitation>,
    /// The links by their hashes: how many uses are left, and when they end.
    links: HashMap<[u8; 32], (u32, Timestamp)>,
}

impl MemoryAccess {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }
}

impl State {
    fn act(&mut self, act: NewAct) -> Result<Option<AuditRecord>, Refused> {
        if let ActKind::Invite(_) = act.kind {
            let of_user = |table: &&Table| {
                let invitation = table.invitations.get(&act.target.id);
                invitation.is_some_and(|invitation| act.at < invitation.expires_at)
            };
            if self.scopes.values().filter(of_user).count() >= MAX_INVITATIONS {
                return Err(Refused::LimitReached);
            }
        }
        let table = self.scopes.entry(act.scope.clone()).or_default();
        table.remove_ended(act.at);
        authorize(&act, table.context(&act))?;
        let number = self.newest + 1;
        if !table.apply(&act, number)? {
            return Ok(None);
        }
        self.newest = number;
        let by = act.by.person().map(|person| Named::new(person.id.clone(), person.username.clone()));
        let record = AuditRecord {
            number,
            at: act.at,
            scope: act.scope,
            by,
            kind: act.kind,
            target: Some(Named::new(act.target.id.clone(), act.target.username)),
            reason: act.reason,
        };
        if let ActKind::Moderate(Moderation::Warn, _) = act.kind {
            self.warnings.push_back((act.target.id, Warning::of(&record)));
            if self.warnings.len() > MAX_WARNINGS {
                self.warnings.pop_front();
            }
        }
        self.keep(record.clone());
        Ok(Some(record))
    }

    /// Numbers a record, and keeps it.
    fn record(&mut self, record: NewRecord) -> AuditRecord {
        self.newest += 1;
        let record = record.numbered(self.newest);
        self.keep(record.clone());
        record
    }

    fn keep(&mut self, record: AuditRecord) {
        self.records.push_back(record);
        if self.records.len() > MAX_RECORDS {
            self.records.pop_front();
        }
    }

    fn report(&mut self, report: NewReport) -> Result<u64, Refused> {
        let is_same = |open: &&Report| {
            open.report.room == report.room
                && open.report.target == report.target
                && open.report.by.id == report.by.id
        };
        if let Some(open) = self.reports.iter().find(is_same) {
            return Ok(open.number);
        }
        let in_room = self.reports.iter().filter(|open| open.report.room == report.room);
        let of_user = in_room.clone().filter(|open| open.report.by.id == report.by.id);
        if in_room.count() >= MAX_REPORTS || of_user.count() >= MAX_REPORTS_OF_USER {
            return Err(Refused::LimitReached);
        }
        self.newest_report += 1;
        self.reports.push(Report { number: self.newest_report, report });
        Ok(self.newest_report)
    }
}

impl Table {
    fn context(&self, act: &NewAct) -> ActContext {
        let role = |id: &UserId| self.roles.get(id).map(|entry| entry.role);
        let is_banned = |id: &UserId| {
            let ban = self.restrictions.get(&(id.clone(), RestrictionKind::Ban));
            ban.is_some_and(|ban| holds(ban.until, act.at))
        };
        ActContext {
            doer: act.by.person().and_then(|person| role(&person.id)),
            target: role(&act.target.id),
            is_invited: self.is_invited(act),
            owners: self.roles.values().filter(|entry| entry.role == RoomRole::Owner).count(),
            doer_is_banned: act.by.person().is_some_and(|person| is_banned(&person.id)),
        }
    }

    /// Returns whether the act changes anything.
    fn apply(&mut self, act: &NewAct, number: u64) -> Result<bool, Refused> {
        match act.kind {
            ActKind::Register => self.set_role(act, Some(RoomRole::Owner)),
            ActKind::SetRole(role) => self.set_role(act, role),
            ActKind::Moderate(Moderation::Ban, until) => {
                self.invitations.remove(&act.target.id);
                self.restrict(act, RestrictionKind::Ban, until, number)
            }
            ActKind::Moderate(Moderation::Mute, until) => {
                self.restrict(act, RestrictionKind::Mute, until, number)
            }
            ActKind::Moderate(Moderation::Unban, _) => Ok(self.lift(act, RestrictionKind::Ban)),
            ActKind::Moderate(Moderation::Unmute, _) => Ok(self.lift(act, RestrictionKind::Mute)),
            ActKind::Moderate(..) => Ok(true),
            ActKind::Invite(until) => self.invite(act, until),
            ActKind::Accept => {
                self.invitations.remove(&act.target.id);
                self.join(act)
            }
            ActKind::EndInvitation => Ok(self.invitations.remove(&act.target.id).is_some()),
            ActKind::InviteLink(until) => self.add_link(act, until),
            ActKind::UseLink => {
                if self.roles.contains_key(&act.target.id) {
                    return Ok(false);
                }
                if let Some((uses, _)) = act.link.and_then(|link| self.links.get_mut(&link.hash)) {
                    *uses -= 1;
                }
                self.links.retain(|_, (uses, _)| *uses > 0);
                self.join(act)
            }
            ActKind::EndLinks => {
                let any = !self.links.is_empty();
                self.links.clear();
                Ok(any)
            }
            ActKind::Delete(_)
            | ActKind::Configure
            | ActKind::Enter
            | ActKind::CloseReport(_)
            | ActKind::EraseMessages
            | ActKind::EraseReactions
            | ActKind::EraseReport(_)
            | ActKind::Announce
            | ActKind::WithdrawAnnouncement => Ok(false),
        }
    }

    /// Whether the target of an act is invited, or has a link that holds.
    fn is_invited(&self, act: &NewAct) -> bool {
        match act.kind {
            ActKind::Accept => self.invitations.contains_key(&act.target.id),
            ActKind::UseLink => act.link.is_some_and(|link| self.links.contains_key(&link.hash)),
            _ => false,
        }
    }

    /// Removes the invitations and links that have ended.
    fn remove_ended(&mut self, now: Timestamp) {
        self.invitations.retain(|_, invitation| now < invitation.expires_at);
        self.links.retain(|_, (_, until)| now < *until);
    }

    fn invite(&mut self, act: &NewAct, until: Timestamp) -> Result<bool, Refused> {
        let id = &act.target.id;
        if self.roles.contains_key(id) || self.invitations.contains_key(id) {
            return Ok(false);
        }
        let Some(room) = act.scope.room() else { return Ok(false) };
        if self.invitations.len() >= MAX_INVITATIONS {
            return Err(Refused::LimitReached);
        }
        let user = Named::new(id.clone(), act.target.username.clone());
        let by = act.by.person().map(|person| Named::new(person.id.clone(), person.username.clone()));
        self.invitations.insert(id.clone(), Invitation::new(room.clone(), user, by, until));
        Ok(true)
    }

    fn add_link(&mut self, act: &NewAct, until: Timestamp) -> Result<bool, Refused> {
        let Some(link) = act.link.filter(|link| link.uses > 0) else { return Ok(false) };
        if self.links.len() >= MAX_LINKS {
            return Err(Refused::LimitReached);
        }
        self.links.insert(link.hash, (link.uses, until));
        Ok(true)
    }

    /// Makes the target a member, unless it has a role.
    fn join(&mut self, act: &NewAct) -> Result<bool, Refused> {
        if self.roles.contains_key(&act.target.id) {
            return Ok(false);
        }
        self.invitations.remove(&act.target.id);
        self.set_role(act, Some(RoomRole::Member))
    }

    fn set_role(&mut self, act: &NewAct, role: Option<RoomRole>) -> Result<bool, Refused> {
        let id = &act.target.id;
        if self.roles.get(id).map(|entry| entry.role) == role {
            return Ok(false);
        }
        match role {
            Some(role) => {
                if self.roles.len() >= MAX_ROLES && !self.roles.contains_key(id) {
                    return Err(Refused::LimitReached);
                }
                let named = Named::new(id.clone(), act.target.username.clone());
                self.roles.insert(id.clone(), RoleEntry::new(named, role));
            }
            None => {
                self.roles.remove(id);
            }
        }
        Ok(true)
    }

    fn restrict(
        &mut self,
        act: &NewAct,
        kind: RestrictionKind,
        until: Until,
        number: u64,
    ) -> Result<bool, Refused> {
        self.restrictions.retain(|_, restriction| holds(restriction.until, act.at));
        let key = (act.target.id.clone(), kind);
        match self.restrictions.get(&key) {
            Some(known) if known.until == until && act.target.network.is_none() => return Ok(false),
            Some(_) => {}
            None => {
                let count = self.restrictions.keys().filter(|(_, other)| *other == kind).count();
                if count >= MAX_RESTRICTIONS {
                    return Err(Refused::LimitReached);
                }
            }
        }
        let named = Named::new(act.target.id.clone(), act.target.username.clone());
        let restriction = Restriction::new(named, kind, until, number).network(network_of(act, until));
        self.restrictions.insert(key, restriction);
        Ok(true)
    }

    fn lift(&mut self, act: &NewAct, kind: RestrictionKind) -> bool {
        let found = self.restrictions.remove(&(act.target.id.clone(), kind));
        found.is_some_and(|restriction| holds(restriction.until, act.at))
    }
}

impl AccessStore for MemoryAccess {
    fn rules(&self, scope: Scope) -> BoxFuture<'_, Result<Rules, AccessError>> {
        let state = self.state.lock();
        let mut rules = Rules::default();
        if let Some(table) = state.scopes.get(&scope) {
            table.roles.iter().for_each(|(id, entry)| rules.add_role(id.clone(), entry.role));
            for restriction in table.restrictions.values() {
                restriction.clone().add_to(&mut rules);
            }
        }
        ready(Ok(rules)).boxed()
    }

    fn act(&self, act: NewAct) -> BoxFuture<'_, Result<Option<AuditRecord>, ActError>> {
        ready(self.state.lock().act(act).map_err(ActError::from)).boxed()
    }

    fn roles(
        &self,
        room: RoomName,
        after: Option<UserId>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<RoleEntry>, AccessError>> {
        let state = self.state.lock();
        let roles = state.scopes.get(&Scope::Room(room)).map(|table| {
            let entries = table.roles.values().filter(|entry| Some(&entry.user.id) > after.as_ref());
            entries.take(limit.min(MAX_PAGE)).cloned().collect()
        });
        ready(Ok(roles.unwrap_or_default())).boxed()
    }

    fn rooms_of(&self, users: Vec<UserId>) -> BoxFuture<'_, Result<Vec<(RoomName, RoomRole)>, AccessError>> {
        let state = self.state.lock();
        let of_user = state.scopes.iter().filter_map(|(scope, table)| {
            let roles = users.iter().filter_map(|user| table.roles.get(user));
            Some((scope.room()?.clone(), roles.map(|entry| entry.role).max()?))
        });
        let mut rooms: Vec<_> = of_user.collect();
        rooms.sort();
        ready(Ok(rooms)).boxed()
    }

    fn invitations(
        &self,
        users: Vec<UserId>,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Vec<Invitation>, AccessError>> {
        let state = self.state.lock();
        let of_user = state
            .scopes
            .values()
            .flat_map(|table| users.iter().filter_map(|user| table.invitations.get(user)));
        let mut found: Vec<_> = of_user.filter(|invitation| now < invitation.expires_at).cloned().collect();
        found.sort_by(|one, other| one.room.cmp(&other.room));
        ready(Ok(found)).boxed()
    }

    fn link(&self, hash: [u8; 32], now: Timestamp) -> BoxFuture<'_, Result<Option<RoomName>, AccessError>> {
        let state = self.state.lock();
        let has_link = |table: &Table| table.links.get(&hash).is_some_and(|(_, until)| now < *until);
        let scope = state.scopes.iter().find(|(_, table)| has_link(table)).map(|(scope, _)| scope);
        ready(Ok(scope.and_then(Scope::room).cloned())).boxed()
    }

    fn direct(&self, mut users: [UserId; 2]) -> BoxFuture<'_, Result<Option<RoomName>, AccessError>> {
        users.sort();
        ready(Ok(self.state.lock().direct.get(&users).cloned())).boxed()
    }

    fn make_direct(&self, users: [Named; 2], room: RoomName) -> BoxFuture<'_, Result<RoomName, AccessError>> {
        let mut ids = users.each_ref().map(|user| user.id.clone());
        ids.sort();
        let state = &mut *self.state.lock();
        if let Some(room) = state.direct.get(&ids) {
            return ready(Ok(room.clone())).boxed();
        }
        state.direct.insert(ids, room.clone());
        let table = state.scopes.entry(Scope::Room(room.clone())).or_default();
        for user in users {
            table.roles.insert(user.id.clone(), RoleEntry::new(user, RoomRole::Member));
        }
        ready(Ok(room)).boxed()
    }

    fn report(&self, report: NewReport) -> BoxFuture<'_, Result<u64, ActError>> {
        ready(self.state.lock().report(report).map_err(ActError::from)).boxed()
    }

    fn reports(
        &self,
        room: Option<RoomName>,
        before: Option<u64>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<Report>, AccessError>> {
        let state = self.state.lock();
        let is_asked_for = |open: &&Report| {
            before.is_none_or(|before| open.number < before)
                && room.as_ref().is_none_or(|room| open.report.room == *room)
        };
        let found = state.reports.iter().rev().filter(is_asked_for).take(limit.min(MAX_PAGE)).cloned();
        ready(Ok(found.collect())).boxed()
    }

    fn close_report(
        &self,
        room: RoomName,
        number: u64,
        by: Option<Named>,
    ) -> BoxFuture<'_, Result<Option<AuditRecord>, AccessError>> {
        let mut state = self.state.lock();
        let is_meant = |open: &Report| open.number == number && open.report.room == room;
        let Some(index) = state.reports.iter().position(is_meant) else { return ready(Ok(None)).boxed() };
        let author = state.reports.remove(index).report.author;
        let record = NewRecord::new(room, by, ActKind::CloseReport(number), Some(author));
        ready(Ok(Some(state.record(record)))).boxed()
    }

    fn erase_reports(
        &self,
        author: UserId,
        username: Option<Username>,
        by: Option<Named>,
    ) -> BoxFuture<'_, Result<Vec<AuditRecord>, AccessError>> {
        let mut state = self.state.lock();
        let mut erased = Vec::new();
        for Report { number, report } in &mut state.reports {
            let is_meant = report.author.id == author
                && username.as_ref().is_none_or(|username| report.author.username == *username);
            if is_meant && report.body.take().is_some() {
                erased.push((report.room.clone(), *number, report.author.clone()));
            }
        }
        let records = erased.into_iter().map(|(room, number, author)| {
            state.record(NewRecord::new(room, by.clone(), ActKind::EraseReport(number), Some(author)))
        });
        ready(Ok(records.collect())).boxed()
    }

    fn record(&self, record: NewRecord) -> BoxFuture<'_, Result<AuditRecord, AccessError>> {
        ready(Ok(self.state.lock().record(record))).boxed()
    }

    fn restrictions(
        &self,
        scope: Scope,
        after: Option<UserId>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<Restriction>, AccessError>> {
        let (state, now) = (self.state.lock(), Timestamp::now());
        let mut found = Vec::new();
        let mut users = Vec::new();
        for restriction in state.scopes.get(&scope).iter().flat_map(|table| table.restrictions.values()) {
            let id = &restriction.user.id;
            if Some(id) <= after.as_ref() || !holds(restriction.until, now) {
                continue;
            }
            if users.last() != Some(id) {
                if users.len() == limit.min(MAX_PAGE) {
                    break;
                }
                users.push(id.clone());
            }
            found.push(restriction.clone());
        }
        ready(Ok(found)).boxed()
    }

    fn restriction(
        &self,
        scope: Scope,
        user: UserId,
    ) -> BoxFuture<'_, Result<Option<Restriction>, AccessError>> {
        let (state, now) = (self.state.lock(), Timestamp::now());
        let restrictions = state.scopes.get(&scope).map(|table| &table.restrictions);
        let of_user = restrictions.and_then(|restrictions| {
            let kinds = [RestrictionKind::Ban, RestrictionKind::Mute];
            let mut found = kinds.into_iter().filter_map(|kind| restrictions.get(&(user.clone(), kind)));
            found.find(|restriction| holds(restriction.until, now)).cloned()
        });
        ready(Ok(of_user)).boxed()
    }

    fn audit(
        &self,
        AuditQuery { scope, before, limit }: AuditQuery,
    ) -> BoxFuture<'_, Result<Vec<AuditRecord>, AccessError>> {
        let state = self.state.lock();
        let is_asked_for = |record: &&AuditRecord| {
            before.is_none_or(|before| record.number < before)
                && scope.as_ref().is_none_or(|scope| record.scope == *scope)
        };
        let found = state.records.iter().rev().filter(is_asked_for).take(limit.min(MAX_PAGE)).cloned();
        ready(Ok(found.collect())).boxed()
    }

    fn warnings(&self, users: Vec<UserId>) -> BoxFuture<'_, Result<Vec<Warning>, AccessError>> {
        let state = self.state.lock();
        let of_user = state.warnings.iter().filter(|(user, _)| users.contains(user));
        ready(Ok(of_user.map(|(_, warning)| warning.clone()).take(MAX_PAGE).collect())).boxed()
    }

    fn warned(&self) -> BoxFuture<'_, Result<Vec<UserId>, AccessError>> {
        let mut users: Vec<_> = self.state.lock().warnings.iter().map(|(user, _)| user.clone()).collect();
        users.sort();
        users.dedup();
        ready(Ok(users)).boxed()
    }

    fn acknowledge(&self, numbers: Vec<u64>) -> BoxFuture<'_, Result<(), AccessError>> {
        self.state.lock().warnings.retain(|(_, warning)| !numbers.contains(&warning.number));
        ready(Ok(())).boxed()
    }

    fn forget(&self, user: UserId) -> BoxFuture<'_, Result<Vec<RoomName>, AccessError>> {
        let mut rooms = Vec::new();
        let mut state = self.state.lock();
        for (scope, table) in &mut state.scopes {
            table.invitations.remove(&user);
            if table.roles.remove(&user).is_some() {
                rooms.extend(scope.room().cloned());
            }
        }
        state.direct.retain(|users, _| !users.contains(&user));
        rooms.sort();
        ready(Ok(rooms)).boxed()
    }

    fn announcement(&self) -> BoxFuture<'_, Result<Option<Announcement>, AccessError>> {
        ready(Ok(self.state.lock().announcement.clone())).boxed()
    }

    fn set_announcement(
        &self,
        announcement: Option<Announcement>,
        by: Option<Named>,
    ) -> BoxFuture<'_, Result<Option<AuditRecord>, AccessError>> {
        let mut state = self.state.lock();
        let record = NewRecord::of_announcement(announcement.as_ref(), by);
        let changes = announcement.is_some() || state.announcement.is_some();
        state.announcement = announcement;
        ready(Ok(changes.then(|| state.record(record)))).boxed()
    }

    fn check(&self) -> BoxFuture<'_, Result<(), AccessError>> {
        ready(Ok(())).boxed()
    }
}
