//! The store in memory.

use std::collections::{BTreeMap, HashMap, VecDeque};

use chat_protocol::{Moderation, RoomName, RoomRole, Timestamp, UserId};
use futures::future::{BoxFuture, FutureExt, ready};
use parking_lot::Mutex;

use crate::audit::{AuditRecord, Named, Warning};
use crate::rules::{Until, holds};
use crate::store::{
    AccessStore, AuditQuery, MAX_PAGE, MAX_RESTRICTIONS, MAX_ROLES, Restriction, RestrictionKind, RoleEntry,
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
    announcement: Option<Announcement>,
}

/// The rules of a room, or of the whole server.
#[derive(Debug, Default)]
struct Table {
    roles: BTreeMap<UserId, RoleEntry>,
    restrictions: BTreeMap<(UserId, RestrictionKind), Restriction>,
}

impl MemoryAccess {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }
}

impl State {
    fn act(&mut self, act: NewAct) -> Result<Option<AuditRecord>, Refused> {
        let table = self.scopes.entry(act.scope.clone()).or_default();
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
            target: Named::new(act.target.id, act.target.username),
            reason: act.reason,
        };
        if let ActKind::Moderate(Moderation::Warn, _) = act.kind {
            self.warnings.push_back((record.target.id.clone(), Warning::of(&record)));
            if self.warnings.len() > MAX_WARNINGS {
                self.warnings.pop_front();
            }
        }
        self.records.push_back(record.clone());
        if self.records.len() > MAX_RECORDS {
            self.records.pop_front();
        }
        Ok(Some(record))
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
                self.restrict(act, RestrictionKind::Ban, until, number)
            }
            ActKind::Moderate(Moderation::Mute, until) => {
                self.restrict(act, RestrictionKind::Mute, until, number)
            }
            ActKind::Moderate(Moderation::Unban, _) => Ok(self.lift(act, RestrictionKind::Ban)),
            ActKind::Moderate(Moderation::Unmute, _) => Ok(self.lift(act, RestrictionKind::Mute)),
            ActKind::Moderate(..) => Ok(true),
        }
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
            Some(restriction) if restriction.until == until => return Ok(false),
            Some(_) => {}
            None => {
                let count = self.restrictions.keys().filter(|(_, other)| *other == kind).count();
                if count >= MAX_RESTRICTIONS {
                    return Err(Refused::LimitReached);
                }
            }
        }
        let named = Named::new(act.target.id.clone(), act.target.username.clone());
        self.restrictions.insert(key, Restriction::new(named, kind, until, number));
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
            for ((id, kind), restriction) in &table.restrictions {
                match kind {
                    RestrictionKind::Ban => rules.add_ban(id.clone(), restriction.until),
                    RestrictionKind::Mute => rules.add_mute(id.clone(), restriction.until),
                }
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
        for (scope, table) in &mut self.state.lock().scopes {
            if table.roles.remove(&user).is_some() {
                rooms.extend(scope.room().cloned());
            }
        }
        rooms.sort();
        ready(Ok(rooms)).boxed()
    }

    fn announcement(&self) -> BoxFuture<'_, Result<Option<Announcement>, AccessError>> {
        ready(Ok(self.state.lock().announcement.clone())).boxed()
    }

    fn set_announcement(&self, announcement: Option<Announcement>) -> BoxFuture<'_, Result<(), AccessError>> {
        self.state.lock().announcement = announcement;
        ready(Ok(())).boxed()
    }

    fn check(&self) -> BoxFuture<'_, Result<(), AccessError>> {
        ready(Ok(())).boxed()
    }
}
