//! Lists of rooms in the database.

use chat_protocol::{Epoch, RoomName, UserId, Username};
use diesel::dsl::exists;
use diesel::prelude::*;

use super::schema::{RoomRow, account_names, account_rooms, accounts, blocked_users, user_id, username};
use super::{DbConnection, Done, Failure, accounts as stored};
use crate::{
    AddError, BlockedUser, MAX_BLOCKED, MAX_NAMES, MAX_ROOMS, RoomChange, RoomEntry, look_alike_keys,
};

pub(super) fn keep(
    connection: &mut DbConnection,
    account: &UserId,
    room: RoomName,
    change: RoomChange,
) -> Done<RoomEntry, AddError> {
    if !stored::is_account(connection, account)? {
        return Err(Failure::Refused(AddError::NoAccount));
    }
    if let Some(row) = row(connection, account, &room)? {
        let mut entry = row.entry()?;
        entry.apply(&change);
        update(connection, account, &entry)?;
        return Ok(entry);
    }
    let count: i64 = account_rooms::table
        .filter(account_rooms::account.eq(account.as_str()))
        .count()
        .get_result(connection)?;
    if usize::try_from(count).is_ok_and(|count| count >= MAX_ROOMS) {
        return Err(Failure::Refused(AddError::LimitReached { max: MAX_ROOMS }));
    }
    let entry = change.into_entry(room);
    diesel::insert_into(account_rooms::table).values(RoomRow::new(account, &entry)).execute(connection)?;
    Ok(entry)
}

fn row(connection: &mut DbConnection, account: &UserId, room: &RoomName) -> QueryResult<Option<RoomRow>> {
    account_rooms::table
        .find((account.as_str(), room.as_str()))
        .select(RoomRow::as_select())
        .first(connection)
        .optional()
}

fn update(connection: &mut DbConnection, account: &UserId, entry: &RoomEntry) -> QueryResult<()> {
    diesel::update(account_rooms::table.find((account.as_str(), entry.room.as_str())))
        .set(RoomRow::new(account, entry))
        .execute(connection)?;
    Ok(())
}

pub(super) fn remove(connection: &mut DbConnection, account: &UserId, room: &RoomName) -> Done<bool> {
    let entry = account_rooms::table.find((account.as_str(), room.as_str()));
    Ok(diesel::delete(entry).execute(connection)? > 0)
}

pub(super) fn block(
    connection: &mut DbConnection,
    account: &UserId,
    user: &UserId,
    username: Option<&Username>,
) -> Done<bool, AddError> {
    if !stored::is_account(connection, account)? {
        return Err(Failure::Refused(AddError::NoAccount));
    }
    let row = blocked_users::table.find((account.as_str(), user.as_str()));
    if diesel::select(exists(row)).get_result(connection)? {
        return Ok(false);
    }
    let of_account = blocked_users::table.filter(blocked_users::account.eq(account.as_str()));
    let count: i64 = of_account.count().get_result(connection)?;
    if usize::try_from(count).is_ok_and(|count| count >= MAX_BLOCKED) {
        return Err(Failure::Refused(AddError::LimitReached { max: MAX_BLOCKED }));
    }
    let row = (
        blocked_users::account.eq(account.as_str()),
        blocked_users::user.eq(user.as_str()),
        blocked_users::username.eq(username.map(Username::as_str)),
    );
    diesel::insert_into(blocked_users::table).values(row).execute(connection)?;
    Ok(true)
}

pub(super) fn unblock(connection: &mut DbConnection, account: &UserId, user: &UserId) -> Done<bool> {
    let row = blocked_users::table.find((account.as_str(), user.as_str()));
    Ok(diesel::delete(row).execute(connection)? > 0)
}

pub(super) fn blocked(connection: &mut DbConnection, account: &UserId) -> Done<Vec<BlockedUser>> {
    let rows: Vec<(String, Option<String>)> = blocked_users::table
        .filter(blocked_users::account.eq(account.as_str()))
        .order(blocked_users::user)
        .select((blocked_users::user, blocked_users::username))
        .load(connection)?;
    let mut blocked = Vec::with_capacity(rows.len());
    for (id, name) in rows {
        blocked.push(BlockedUser::new(user_id(&id)?, name.as_deref().map(username).transpose()?));
    }
    Ok(blocked)
}

pub(super) fn list(connection: &mut DbConnection, account: &UserId) -> Done<Vec<RoomEntry>> {
    let rows = account_rooms::table
        .filter(account_rooms::account.eq(account.as_str()))
        .order(account_rooms::room)
        .select(RoomRow::as_select())
        .load(connection)?;
    Ok(rows.iter().map(RoomRow::entry).collect::<Result<_, _>>()?)
}

pub(super) fn entry(
    connection: &mut DbConnection,
    account: &UserId,
    room: &RoomName,
) -> Done<Option<RoomEntry>> {
    Ok(row(connection, account, room)?.map(|row| row.entry()).transpose()?)
}

pub(super) fn keepers(
    connection: &mut DbConnection,
    room: &RoomName,
    names: &[Username],
) -> Done<Vec<(Username, UserId)>> {
    let names = &names[..names.len().min(MAX_NAMES)];
    // names that differ in case look alike, and there is an index for that
    let keys: Vec<_> = names.iter().flat_map(look_alike_keys).collect();
    let found: Vec<(String, String)> = account_names::table
        .inner_join(accounts::table.on(accounts::username.eq(account_names::username)))
        .inner_join(account_rooms::table.on(account_rooms::account.eq(accounts::id)))
        .filter(account_names::skeleton.eq_any(keys))
        .filter(account_rooms::room.eq(room.as_str()))
        .select((accounts::username, accounts::id))
        .distinct()
        .load(connection)?;
    let folded: Vec<_> = names.iter().map(Username::folded).collect();
    let mut keepers = Vec::new();
    for (name, id) in found {
        let name = username(&name)?;
        if folded.contains(&name.folded()) {
            keepers.push((name, user_id(&id)?));
        }
    }
    Ok(keepers)
}

pub(super) fn mark_read(
    connection: &mut DbConnection,
    account: &UserId,
    room: &RoomName,
    epoch: &Epoch,
    up_to: u64,
) -> Done<Option<RoomEntry>> {
    let Some(row) = row(connection, account, room)? else { return Ok(None) };
    let mut entry = row.entry()?;
    if entry.mark_read(epoch, up_to) {
        update(connection, account, &entry)?;
    }
    Ok(Some(entry))
}
