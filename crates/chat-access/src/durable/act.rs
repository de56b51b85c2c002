//! Acts, and what is changed beside them.

use chat_protocol::{Moderation, RoomName, RoomRole, Timestamp, UserId, Username};
use diesel::dsl::max;
use diesel::prelude::*;
use diesel::upsert::excluded;

use super::schema::{
    RecordRow, audit_log, kind_text, restrictions, room, room_roles, scope_text, signed, unsigned, warnings,
};
use super::{DbConnection, Done, invite};
use crate::audit::{AuditRecord, Named, NewRecord};
use crate::rules::{Until, holds};
use crate::store::{MAX_RESTRICTIONS, MAX_ROLES, RestrictionKind, network_of};
use crate::{ActContext, ActKind, NewAct, Refused, authorize};

pub(super) fn act(connection: &mut DbConnection, act: NewAct) -> Done<Option<AuditRecord>> {
    authorize(&act, context(connection, &act)?)?;
    let number = next_number(connection)?;
    if !apply(connection, &act, number)? {
        return Ok(None);
    }
    let by = act.by.person().map(|person| Named::new(person.id.clone(), person.username.clone()));
    let record = AuditRecord {
        number: unsigned(number),
        at: act.at,
        scope: act.scope,
        by,
        kind: act.kind,
        target: Some(Named::new(act.target.id.clone(), act.target.username)),
        reason: act.reason,
    };
    diesel::insert_into(audit_log::table).values(RecordRow::new(&record)).execute(connection)?;
    if let ActKind::Moderate(Moderation::Warn, _) = act.kind {
        let warning = (warnings::record.eq(number), warnings::user.eq(act.target.id.as_str()));
        diesel::insert_into(warnings::table).values(warning).execute(connection)?;
    }
    Ok(Some(record))
}

/// The number of the next record.
fn next_number(connection: &mut DbConnection) -> QueryResult<i64> {
    let newest: Option<i64> = audit_log::table.select(max(audit_log::number)).first(connection)?;
    Ok(newest.unwrap_or_default() + 1)
}

/// Writes a record of something that is done elsewhere.
pub(super) fn record(connection: &mut DbConnection, record: NewRecord) -> Done<AuditRecord> {
    let record = record.numbered(unsigned(next_number(connection)?));
    diesel::insert_into(audit_log::table).values(RecordRow::new(&record)).execute(connection)?;
    Ok(record)
}

fn context(connection: &mut DbConnection, act: &NewAct) -> Done<ActContext> {
    let scope = scope_text(&act.scope);
    let owners: i64 = room_roles::table
        .filter(room_roles::room.eq(scope))
        .filter(room_roles::role.eq(RoomRole::Owner.as_str()))
        .count()
        .get_result(connection)?;
    let (doer, doer_is_banned) = match act.by.person() {
        Some(person) => {
            let role = role(connection, scope, &person.id)?;
            (role, is_banned(connection, scope, &person.id, act.at)?)
        }
        None => (None, false),
    };
    let target = role(connection, scope, &act.target.id)?;
    let is_invited = invite::is_invited(connection, scope, act)?;
    let owners = usize::try_from(owners).unwrap_or_default();
    Ok(ActContext { doer, target, owners, doer_is_banned, is_invited })
}

fn role(connection: &mut DbConnection, scope: &str, user: &UserId) -> QueryResult<Option<RoomRole>> {
    let found: Option<String> = room_roles::table
        .find((scope, user.as_str()))
        .select(room_roles::role)
        .first(connection)
        .optional()?;
    Ok(found.and_then(|role| role.parse().ok()))
}

fn is_banned(connection: &mut DbConnection, scope: &str, user: &UserId, at: Timestamp) -> QueryResult<bool> {
    let until: Option<Option<i64>> = restrictions::table
        .find((scope, user.as_str(), kind_text(RestrictionKind::Ban)))
        .select(restrictions::until)
        .first(connection)
        .optional()?;
    Ok(until.is_some_and(|until| holds(until.map(Timestamp::from_millis), at)))
}

/// Returns whether the act changes anything.
fn apply(connection: &mut DbConnection, act: &NewAct, number: i64) -> Done<bool> {
    match act.kind {
        ActKind::Register => set_role(connection, act, Some(RoomRole::Owner)),
        ActKind::SetRole(role) => set_role(connection, act, role),
        ActKind::Moderate(Moderation::Ban, until) => {
            invite::end(connection, act)?;
            restrict(connection, act, RestrictionKind::Ban, until, number)
        }
        ActKind::Moderate(Moderation::Mute, until) => {
            restrict(connection, act, RestrictionKind::Mute, until, number)
        }
        ActKind::Moderate(Moderation::Unban, _) => lift(connection, act, RestrictionKind::Ban),
        ActKind::Moderate(Moderation::Unmute, _) => lift(connection, act, RestrictionKind::Mute),
        ActKind::Moderate(..) => Ok(true),
        ActKind::Invite(until) => invite::invite(connection, act, until),
        ActKind::Accept => {
            invite::end(connection, act)?;
            join(connection, act)
        }
        ActKind::EndInvitation => Ok(invite::end(connection, act)?),
        ActKind::InviteLink(until) => invite::add_link(connection, act, until),
        ActKind::UseLink => {
            let joins = join(connection, act)?;
            if joins {
                invite::use_link(connection, act)?;
                invite::end(connection, act)?;
            }
            Ok(joins)
        }
        ActKind::EndLinks => Ok(invite::end_links(connection, act)?),
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

/// Makes the target a member, unless it has a role.
fn join(connection: &mut DbConnection, act: &NewAct) -> Done<bool> {
    if role(connection, scope_text(&act.scope), &act.target.id)?.is_some() {
        return Ok(false);
    }
    set_role(connection, act, Some(RoomRole::Member))
}

fn set_role(connection: &mut DbConnection, act: &NewAct, new: Option<RoomRole>) -> Done<bool> {
    let (scope, user) = (scope_text(&act.scope), act.target.id.as_str());
    let before = role(connection, scope, &act.target.id)?;
    if before == new {
        return Ok(false);
    }
    let Some(new) = new else {
        diesel::delete(room_roles::table.find((scope, user))).execute(connection)?;
        return Ok(true);
    };
    if before.is_none() {
        let count: i64 =
            room_roles::table.filter(room_roles::room.eq(scope)).count().get_result(connection)?;
        if usize::try_from(count).is_ok_and(|count| count >= MAX_ROLES) {
            return Err(Refused::LimitReached.into());
        }
    }
    write_role(connection, scope, user, &act.target.username, new)?;
    Ok(true)
}

/// Writes the role of a user, in place of the one that the user has.
pub(super) fn write_role(
    connection: &mut DbConnection,
    scope: &str,
    user: &str,
    username: &Username,
    role: RoomRole,
) -> QueryResult<()> {
    let (username, role) = (room_roles::username.eq(username.as_str()), room_roles::role.eq(role.as_str()));
    diesel::insert_into(room_roles::table)
        .values((room_roles::room.eq(scope), room_roles::user.eq(user), username, role))
        .on_conflict((room_roles::room, room_roles::user))
        .do_update()
        .set((username, role))
        .execute(connection)?;
    Ok(())
}

fn restrict(
    connection: &mut DbConnection,
    act: &NewAct,
    kind: RestrictionKind,
    until: Until,
    number: i64,
) -> Done<bool> {
    let (scope, user) = (scope_text(&act.scope), act.target.id.as_str());
    let has_ended = restrictions::until.le(act.at.as_millis());
    diesel::delete(restrictions::table.filter(restrictions::room.eq(scope)).filter(has_ended))
        .execute(connection)?;
    let before: Option<Option<i64>> = restrictions::table
        .find((scope, user, kind_text(kind)))
        .select(restrictions::until)
        .first(connection)
        .optional()?;
    let network = network_of(act, until);
    let until = until.map(Timestamp::as_millis);
    match before {
        Some(before) if before == until && act.target.network.is_none() => return Ok(false),
        Some(_) => {}
        None => {
            let count: i64 = restrictions::table
                .filter(restrictions::room.eq(scope))
                .filter(restrictions::kind.eq(kind_text(kind)))
                .count()
                .get_result(connection)?;
            if usize::try_from(count).is_ok_and(|count| count >= MAX_RESTRICTIONS) {
                return Err(Refused::LimitReached.into());
            }
        }
    }
    let row = (
        restrictions::room.eq(scope),
        restrictions::user.eq(user),
        restrictions::kind.eq(kind_text(kind)),
        restrictions::username.eq(act.target.username.as_str()),
        restrictions::until.eq(until),
        restrictions::record.eq(number),
        restrictions::network.eq(network.map(|(network, _)| network.to_string())),
        restrictions::network_until.eq(network.map(|(_, until)| until.as_millis())),
    );
    diesel::insert_into(restrictions::table)
        .values(row)
        .on_conflict((restrictions::room, restrictions::user, restrictions::kind))
        .do_update()
        .set((
            restrictions::username.eq(excluded(restrictions::username)),
            restrictions::until.eq(excluded(restrictions::until)),
            restrictions::record.eq(excluded(restrictions::record)),
            restrictions::network.eq(excluded(restrictions::network)),
            restrictions::network_until.eq(excluded(restrictions::network_until)),
        ))
        .execute(connection)?;
    Ok(true)
}

fn lift(connection: &mut DbConnection, act: &NewAct, kind: RestrictionKind) -> Done<bool> {
    let restriction =
        restrictions::table.find((scope_text(&act.scope), act.target.id.as_str(), kind_text(kind)));
    let until: Option<Option<i64>> = restriction.select(restrictions::until).first(connection).optional()?;
    let Some(until) = until else { return Ok(false) };
    diesel::delete(restriction).execute(connection)?;
    Ok(holds(until.map(Timestamp::from_millis), act.at))
}

pub(super) fn acknowledge(connection: &mut DbConnection, numbers: &[u64]) -> Done<()> {
    let numbers: Vec<_> = numbers.iter().copied().map(signed).collect();
    diesel::delete(warnings::table.filter(warnings::record.eq_any(numbers))).execute(connection)?;
    Ok(())
}

pub(super) fn forget(connection: &mut DbConnection, user: &UserId) -> Done<Vec<RoomName>> {
    let of_user = room_roles::table.filter(room_roles::user.eq(user.as_str()));
    let rooms: Vec<String> = of_user.select(room_roles::room).order(room_roles::room).load(connection)?;
    diesel::delete(of_user).execute(connection)?;
    invite::forget(connection, user)?;
    Ok(rooms.iter().map(|name| room(name)).collect::<Result<_, _>>()?)
}
