//! Reads rules, lists and the audit log.

use chat_protocol::{RoomName, RoomRole, Timestamp, UserId};
use diesel::prelude::*;

use super::schema::{
    RecordRow, RestrictionRow, RoleRow, audit_log, parsed, restrictions, room, room_roles, scope_text,
    signed, warnings,
};
use super::{DbConnection, Done};
use crate::audit::{AuditRecord, Warning};
use crate::store::{AuditQuery, MAX_PAGE, Restriction, RoleEntry};
use crate::{Rules, Scope};

/// The limit of a page, as the database has it.
fn page(limit: usize) -> i64 {
    i64::try_from(limit.min(MAX_PAGE)).unwrap_or(i64::MAX)
}

pub(super) fn rules(connection: &mut DbConnection, scope: &Scope) -> Done<Rules> {
    let room = scope_text(scope);
    let mut rules = Rules::default();
    let roles: Vec<RoleRow> =
        room_roles::table.filter(room_roles::room.eq(room)).select(RoleRow::as_select()).load(connection)?;
    for row in roles {
        let RoleEntry { user, role } = row.entry()?;
        rules.add_role(user.id, role);
    }
    let found: Vec<RestrictionRow> = restrictions::table
        .filter(restrictions::room.eq(room))
        .select(RestrictionRow::as_select())
        .load(connection)?;
    for row in found {
        row.restriction()?.add_to(&mut rules);
    }
    Ok(rules)
}

pub(super) fn roles(
    connection: &mut DbConnection,
    room: &RoomName,
    after: Option<&UserId>,
    limit: usize,
) -> Done<Vec<RoleEntry>> {
    let rows: Vec<RoleRow> = room_roles::table
        .filter(room_roles::room.eq(room.as_str()))
        .filter(room_roles::user.gt(after.map_or("", UserId::as_str)))
        .order(room_roles::user)
        .limit(page(limit))
        .select(RoleRow::as_select())
        .load(connection)?;
    Ok(rows.iter().map(RoleRow::entry).collect::<Result<_, _>>()?)
}

pub(super) fn rooms_of(connection: &mut DbConnection, users: &[UserId]) -> Done<Vec<(RoomName, RoomRole)>> {
    let rows: Vec<(String, String)> = room_roles::table
        .filter(room_roles::user.eq_any(users.iter().map(UserId::as_str)))
        .order(room_roles::room)
        .select((room_roles::room, room_roles::role))
        .load(connection)?;
    let mut rooms: Vec<(RoomName, RoomRole)> = Vec::with_capacity(rows.len());
    for (name, role) in rows {
        let (name, role) = (room(&name)?, parsed::<RoomRole>("role", &role)?);
        match rooms.last_mut() {
            // by two ids of the same user
            Some((last, highest)) if *last == name => *highest = role.max(*highest),
            _ => rooms.push((name, role)),
        }
    }
    Ok(rooms)
}

pub(super) fn restrictions(
    connection: &mut DbConnection,
    scope: &Scope,
    after: Option<&UserId>,
    limit: usize,
) -> Done<Vec<Restriction>> {
    let limit = limit.min(MAX_PAGE);
    let until = restrictions::until;
    let mut rows: Vec<RestrictionRow> = restrictions::table
        .filter(restrictions::room.eq(scope_text(scope)))
        .filter(restrictions::user.gt(after.map_or("", UserId::as_str)))
        .filter(until.is_null().or(until.gt(Timestamp::now().as_millis())))
        .order((restrictions::user, restrictions::kind))
        // a user may have one of each kind
        .limit(page(limit) * 2)
        .select(RestrictionRow::as_select())
        .load(connection)?;
    let mut users = 0;
    let mut last = None;
    let beyond = rows.iter().position(|row| {
        users += usize::from(last.replace(&row.user) != Some(&row.user));
        users > limit
    });
    rows.truncate(beyond.unwrap_or(rows.len()));
    Ok(rows.iter().map(RestrictionRow::restriction).collect::<Result<_, _>>()?)
}

pub(super) fn restriction(
    connection: &mut DbConnection,
    scope: &Scope,
    user: &UserId,
) -> Done<Option<Restriction>> {
    let until = restrictions::until;
    let row: Option<RestrictionRow> = restrictions::table
        .filter(restrictions::room.eq(scope_text(scope)))
        .filter(restrictions::user.eq(user.as_str()))
        .filter(until.is_null().or(until.gt(Timestamp::now().as_millis())))
        // "ban" comes before "mute"
        .order(restrictions::kind)
        .select(RestrictionRow::as_select())
        .first(connection)
        .optional()?;
    Ok(row.as_ref().map(RestrictionRow::restriction).transpose()?)
}

pub(super) fn audit(connection: &mut DbConnection, query: &AuditQuery) -> Done<Vec<AuditRecord>> {
    let mut records = audit_log::table
        .filter(audit_log::number.lt(query.before.map_or(i64::MAX, signed)))
        .order(audit_log::number.desc())
        .limit(page(query.limit))
        .select(RecordRow::as_select())
        .into_boxed();
    if let Some(scope) = &query.scope {
        records = records.filter(audit_log::room.eq(scope_text(scope)));
    }
    let rows: Vec<RecordRow> = records.load(connection)?;
    Ok(rows.iter().map(RecordRow::record).collect::<Result<_, _>>()?)
}

pub(super) fn warnings(connection: &mut DbConnection, users: &[UserId]) -> Done<Vec<Warning>> {
    let rows: Vec<RecordRow> = audit_log::table
        .inner_join(warnings::table.on(warnings::record.eq(audit_log::number)))
        .filter(warnings::user.eq_any(users.iter().map(UserId::as_str)))
        .order(audit_log::number)
        .limit(page(MAX_PAGE))
        .select(RecordRow::as_select())
        .load(connection)?;
    let records = rows.iter().map(RecordRow::record).collect::<Result<Vec<_>, _>>()?;
    Ok(records.iter().map(Warning::of).collect())
}

pub(super) fn warned(connection: &mut DbConnection) -> Done<Vec<UserId>> {
    let users = warnings::table.select(warnings::user).distinct().order(warnings::user);
    let users: Vec<String> = users.load(connection)?;
    Ok(users.iter().map(|user| super::schema::user(user)).collect::<Result<_, _>>()?)
}
