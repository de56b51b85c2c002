//! Lists of rooms in the database.

use chat_protocol::{Epoch, RoomName, UserId};
use diesel::prelude::*;

use super::schema::{RoomRow, account_rooms};
use super::{Done, Failure, accounts};
use crate::{AddError, MAX_ROOMS, RoomChange, RoomEntry};

pub(super) fn keep(
    connection: &mut SqliteConnection,
    account: &UserId,
    room: RoomName,
    change: RoomChange,
) -> Done<RoomEntry, AddError> {
    if !accounts::is_account(connection, account)? {
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

fn row(connection: &mut SqliteConnection, account: &UserId, room: &RoomName) -> QueryResult<Option<RoomRow>> {
    account_rooms::table
        .find((account.as_str(), room.as_str()))
        .select(RoomRow::as_select())
        .first(connection)
        .optional()
}

fn update(connection: &mut SqliteConnection, account: &UserId, entry: &RoomEntry) -> QueryResult<()> {
    diesel::update(account_rooms::table.find((account.as_str(), entry.room.as_str())))
        .set(RoomRow::new(account, entry))
        .execute(connection)?;
    Ok(())
}

pub(super) fn remove(connection: &mut SqliteConnection, account: &UserId, room: &RoomName) -> Done<bool> {
    let entry = account_rooms::table.find((account.as_str(), room.as_str()));
    Ok(diesel::delete(entry).execute(connection)? > 0)
}

pub(super) fn list(connection: &mut SqliteConnection, account: &UserId) -> Done<Vec<RoomEntry>> {
    let rows = account_rooms::table
        .filter(account_rooms::account.eq(account.as_str()))
        .order(account_rooms::room)
        .select(RoomRow::as_select())
        .load(connection)?;
    Ok(rows.iter().map(RoomRow::entry).collect::<Result<_, _>>()?)
}

pub(super) fn mark_read(
    connection: &mut SqliteConnection,
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
