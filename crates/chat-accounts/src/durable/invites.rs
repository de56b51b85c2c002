//! Invites in the database.

use chat_protocol::Timestamp;
use diesel::prelude::*;

use super::schema::{InviteRow, registration_invites};
use super::{DbConnection, Done, Failure, accounts};
use crate::{AddError, Invite, InviteHash, InviteId, MAX_INVITES, NewInvite};

pub(super) fn add(connection: &mut DbConnection, new: NewInvite) -> Done<Invite, AddError> {
    if let Some(account) = &new.created_by
        && !accounts::is_account(connection, account)?
    {
        return Err(Failure::Refused(AddError::NoAccount));
    }
    remove_expired(connection, new.created_at, i64::MAX)?;
    let count: i64 = registration_invites::table.count().get_result(connection)?;
    if usize::try_from(count).is_ok_and(|count| count >= MAX_INVITES) {
        return Err(Failure::Refused(AddError::LimitReached { max: MAX_INVITES }));
    }
    let hash = new.hash;
    let invite = new.into_invite();
    diesel::insert_into(registration_invites::table)
        .values((InviteRow::new(&invite), registration_invites::hash.eq(&hash.as_bytes()[..])))
        .execute(connection)?;
    Ok(invite)
}

/// Consumes one use of an invite. Returns whether it can be used.
pub(super) fn use_once(
    connection: &mut DbConnection,
    hash: &InviteHash,
    now: Timestamp,
) -> QueryResult<bool> {
    let expires_at = registration_invites::expires_at;
    let is_valid = expires_at.is_null().or(expires_at.gt(now.as_millis()));
    let valid = registration_invites::table
        .filter(registration_invites::hash.eq(&hash.as_bytes()[..]))
        .filter(is_valid);
    let found: Option<(String, i64)> = valid
        .select((registration_invites::id, registration_invites::uses_left))
        .first(connection)
        .optional()?;
    let Some((id, uses_left)) = found else { return Ok(false) };
    let invite = registration_invites::table.find(&id);
    if uses_left > 1 {
        let left = registration_invites::uses_left.eq(uses_left - 1);
        diesel::update(invite).set(left).execute(connection)?;
    } else {
        diesel::delete(invite).execute(connection)?;
    }
    Ok(true)
}

pub(super) fn list(connection: &mut DbConnection, now: Timestamp) -> Done<Vec<Invite>> {
    let rows = registration_invites::table
        .order((registration_invites::created_at, registration_invites::id))
        .select(InviteRow::as_select())
        .load(connection)?;
    let mut invites = rows.iter().map(InviteRow::invite).collect::<Result<Vec<_>, _>>()?;
    invites.retain(|invite| !invite.is_expired(now));
    Ok(invites)
}

pub(super) fn remove(connection: &mut DbConnection, id: &InviteId) -> Done<bool> {
    Ok(diesel::delete(registration_invites::table.find(id.as_str())).execute(connection)? > 0)
}

/// Removes invites that have expired, and returns their number.
pub(super) fn remove_expired(
    connection: &mut DbConnection,
    now: Timestamp,
    limit: i64,
) -> QueryResult<usize> {
    let expired: Vec<String> = registration_invites::table
        .filter(registration_invites::expires_at.le(now.as_millis()))
        .select(registration_invites::id)
        .limit(limit)
        .load(connection)?;
    let expired = registration_invites::id.eq_any(expired);
    diesel::delete(registration_invites::table.filter(expired)).execute(connection)
}
