//! Invitations, links and direct rooms.

use chat_protocol::{RoomName, RoomRole, Timestamp, UserId};
use diesel::dsl::exists;
use diesel::prelude::*;

use super::schema::{InvitationRow, direct_rooms, invitations, invite_links, room, room_roles, scope_text};
use super::{DbConnection, Done, act as acts};
use crate::audit::Named;
use crate::store::{Invitation, MAX_INVITATIONS, MAX_LINKS};
use crate::{ActKind, NewAct, Refused};

/// Whether the target of an act is invited, or has a link that holds.
pub(super) fn is_invited(connection: &mut DbConnection, scope: &str, act: &NewAct) -> QueryResult<bool> {
    let now = act.at.as_millis();
    match (act.kind, act.link) {
        (ActKind::Accept, _) => {
            let invitation = invitations::table
                .filter(invitations::room.eq(scope).and(invitations::user.eq(act.target.id.as_str())))
                .filter(invitations::expires_at.gt(now));
            diesel::select(exists(invitation)).get_result(connection)
        }
        (ActKind::UseLink, Some(link)) => {
            let link = invite_links::table
                .filter(invite_links::hash.eq(&link.hash[..]).and(invite_links::room.eq(scope)))
                .filter(invite_links::expires_at.gt(now));
            diesel::select(exists(link)).get_result(connection)
        }
        _ => Ok(false),
    }
}

/// Invites the target. Returns whether that changes anything.
pub(super) fn invite(connection: &mut DbConnection, act: &NewAct, until: Timestamp) -> Done<bool> {
    let Some(room) = act.scope.room() else { return Ok(false) };
    let user = act.target.id.as_str();
    diesel::delete(invitations::table.filter(invitations::expires_at.le(act.at.as_millis())))
        .execute(connection)?;
    let has_role = room_roles::table.find((room.as_str(), user));
    let is_invited = invitations::table.find((room.as_str(), user));
    if diesel::select(exists(has_role)).get_result::<bool>(connection)?
        || diesel::select(exists(is_invited)).get_result::<bool>(connection)?
    {
        return Ok(false);
    }
    let into_room: i64 =
        invitations::table.filter(invitations::room.eq(room.as_str())).count().get_result(connection)?;
    let of_user: i64 =
        invitations::table.filter(invitations::user.eq(user)).count().get_result(connection)?;
    if usize::try_from(into_room.max(of_user)).is_ok_and(|count| count >= MAX_INVITATIONS) {
        return Err(Refused::LimitReached.into());
    }
    let named = Named::new(act.target.id.clone(), act.target.username.clone());
    let by = act.by.person().map(|person| Named::new(person.id.clone(), person.username.clone()));
    let invitation = Invitation::new(room.clone(), named, by, until);
    diesel::insert_into(invitations::table).values(InvitationRow::new(&invitation)).execute(connection)?;
    Ok(true)
}

/// Ends the invitation of the target. Returns whether there was one.
pub(super) fn end(connection: &mut DbConnection, act: &NewAct) -> QueryResult<bool> {
    let invitation = invitations::table.find((scope_text(&act.scope), act.target.id.as_str()));
    Ok(diesel::delete(invitation).execute(connection)? > 0)
}

/// Adds a link. Returns whether that changes anything.
pub(super) fn add_link(connection: &mut DbConnection, act: &NewAct, until: Timestamp) -> Done<bool> {
    let Some(link) = act.link.filter(|link| link.uses > 0) else { return Ok(false) };
    let scope = scope_text(&act.scope);
    diesel::delete(invite_links::table.filter(invite_links::expires_at.le(act.at.as_millis())))
        .execute(connection)?;
    let count: i64 =
        invite_links::table.filter(invite_links::room.eq(scope)).count().get_result(connection)?;
    if usize::try_from(count).is_ok_and(|count| count >= MAX_LINKS) {
        return Err(Refused::LimitReached.into());
    }
    let row = (
        invite_links::hash.eq(&link.hash[..]),
        invite_links::room.eq(scope),
        invite_links::uses.eq(i64::from(link.uses)),
        invite_links::expires_at.eq(until.as_millis()),
    );
    diesel::insert_into(invite_links::table).values(row).execute(connection)?;
    Ok(true)
}

/// Takes one of the uses of a link.
pub(super) fn use_link(connection: &mut DbConnection, act: &NewAct) -> QueryResult<()> {
    let Some(link) = act.link else { return Ok(()) };
    let link = invite_links::table.filter(invite_links::hash.eq(&link.hash[..]));
    diesel::update(link).set(invite_links::uses.eq(invite_links::uses - 1)).execute(connection)?;
    diesel::delete(link.filter(invite_links::uses.le(0))).execute(connection)?;
    Ok(())
}

/// Ends all links of the room. Returns whether there were any.
pub(super) fn end_links(connection: &mut DbConnection, act: &NewAct) -> QueryResult<bool> {
    let links = invite_links::table.filter(invite_links::room.eq(scope_text(&act.scope)));
    Ok(diesel::delete(links).execute(connection)? > 0)
}

/// The invitations of a user that hold.
pub(super) fn invitations(
    connection: &mut DbConnection,
    users: &[UserId],
    now: Timestamp,
) -> Done<Vec<Invitation>> {
    let rows: Vec<InvitationRow> = invitations::table
        .filter(invitations::user.eq_any(users.iter().map(UserId::as_str)))
        .filter(invitations::expires_at.gt(now.as_millis()))
        .order(invitations::room)
        .select(InvitationRow::as_select())
        .load(connection)?;
    Ok(rows.iter().map(InvitationRow::invitation).collect::<Result<_, _>>()?)
}

/// The room into which a link leads.
pub(super) fn link(connection: &mut DbConnection, hash: &[u8; 32], now: Timestamp) -> Done<Option<RoomName>> {
    let found: Option<String> = invite_links::table
        .filter(invite_links::hash.eq(&hash[..]))
        .filter(invite_links::expires_at.gt(now.as_millis()))
        .select(invite_links::room)
        .first(connection)
        .optional()?;
    Ok(found.map(|name| room(&name)).transpose()?)
}

/// The direct room of two users.
pub(super) fn direct(connection: &mut DbConnection, mut users: [UserId; 2]) -> Done<Option<RoomName>> {
    users.sort();
    let found: Option<String> = direct_rooms::table
        .find((users[0].as_str(), users[1].as_str()))
        .select(direct_rooms::room)
        .first(connection)
        .optional()?;
    Ok(found.map(|name| room(&name)).transpose()?)
}

/// Makes a room the direct room of two users, unless they have one.
pub(super) fn make_direct(
    connection: &mut DbConnection,
    mut users: [Named; 2],
    room: RoomName,
) -> Done<RoomName> {
    users.sort_by(|one, other| one.id.cmp(&other.id));
    if let Some(room) = direct(connection, users.each_ref().map(|user| user.id.clone()))? {
        return Ok(room);
    }
    let row = (
        direct_rooms::first.eq(users[0].id.as_str()),
        direct_rooms::second.eq(users[1].id.as_str()),
        direct_rooms::room.eq(room.as_str()),
    );
    diesel::insert_into(direct_rooms::table).values(row).execute(connection)?;
    for user in &users {
        acts::write_role(connection, room.as_str(), user.id.as_str(), &user.username, RoomRole::Member)?;
    }
    Ok(room)
}

/// Removes the invitations and direct rooms of a user.
pub(super) fn forget(connection: &mut DbConnection, user: &UserId) -> QueryResult<()> {
    let user = user.as_str();
    diesel::delete(invitations::table.filter(invitations::user.eq(user))).execute(connection)?;
    let of_user = direct_rooms::first.eq(user).or(direct_rooms::second.eq(user));
    diesel::delete(direct_rooms::table.filter(of_user)).execute(connection)?;
    Ok(())
}
