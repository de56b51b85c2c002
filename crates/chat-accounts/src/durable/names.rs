//! Names that are taken, in the database.

use chat_protocol::{Timestamp, Username};
use diesel::prelude::*;

use super::schema::{NameRow, account_meta, account_names, accounts, username};
use super::{DbConnection, Done, Failure};
use crate::{CreateError, Reservation, look_alike_keys};

/// How many rows one statement inserts. Each has three values, and a statement may have 32,766.
const MAX_ROWS: usize = 1_000;

/// Why a name can't be taken.
pub(super) fn reserved(
    connection: &mut DbConnection,
    name: &Username,
    now: Timestamp,
) -> Done<Option<Reservation>> {
    let is_kept = account_names::reserved_until.gt(now.as_millis());
    let found: Option<(String, Option<i64>)> = account_names::table
        .filter(account_names::skeleton.eq_any(look_alike_keys(name)))
        .filter(account_names::reserved_until.is_null().or(is_kept))
        .order((
            account_names::username.ne(name.as_str()),
            account_names::reserved_until.is_not_null(),
            account_names::username,
        ))
        .select((account_names::username, account_names::reserved_until))
        .first(connection)
        .optional()?;
    let Some((taken, until)) = found else { return Ok(None) };
    let taken = username(&taken)?;
    Ok(Some(match until {
        Some(until) => Reservation::kept(taken, Timestamp::from_millis(until)),
        None => Reservation::account(taken),
    }))
}

/// Takes a name for a new account.
pub(super) fn take(
    connection: &mut DbConnection,
    name: &Username,
    now: Timestamp,
    replaces_deleted: bool,
) -> Done<(), CreateError> {
    if let Some(reservation) = reserved_for_new(connection, name, now, replaces_deleted)? {
        return Err(Failure::Refused(CreateError::NameTaken(reservation)));
    }
    // the name itself may be that of a deleted account
    diesel::delete(account_names::table.filter(account_names::username.eq(name.as_str())))
        .execute(connection)?;
    Ok(insert(connection, &rows(name, None))?)
}

/// Why a new account can't have this name.
fn reserved_for_new(
    connection: &mut DbConnection,
    name: &Username,
    now: Timestamp,
    replaces_deleted: bool,
) -> Done<Option<Reservation>, CreateError> {
    let found = match reserved(connection, name, now) {
        Ok(found) => found,
        Err(Failure::Query(error)) => return Err(error.into()),
        Err(Failure::Refused(error)) => return Err(error.into()),
    };
    if found.is_some() && replaces_deleted {
        let of_account = account_names::table
            .filter(account_names::skeleton.eq_any(look_alike_keys(name)))
            .filter(account_names::reserved_until.is_null());
        if !diesel::select(diesel::dsl::exists(of_account)).get_result::<bool>(connection)? {
            return Ok(None);
        }
    }
    Ok(found)
}

/// Keeps the name of a deleted account.
pub(super) fn keep(connection: &mut DbConnection, name: &str, until: Timestamp) -> QueryResult<()> {
    diesel::update(account_names::table.filter(account_names::username.eq(name)))
        .set(account_names::reserved_until.eq(until.as_millis()))
        .execute(connection)?;
    Ok(())
}

/// Removes names that are no longer kept, and returns their number.
pub(super) fn remove_expired(
    connection: &mut DbConnection,
    now: Timestamp,
    limit: i64,
) -> QueryResult<usize> {
    let expired: Vec<String> = account_names::table
        .filter(account_names::reserved_until.le(now.as_millis()))
        .select(account_names::username)
        .distinct()
        .limit(limit)
        .load(connection)?;
    diesel::delete(account_names::table.filter(account_names::username.eq_any(&expired)))
        .execute(connection)?;
    Ok(expired.len())
}

/// The rows of a name.
fn rows(name: &Username, reserved_until: Option<i64>) -> Vec<NameRow> {
    let row = |skeleton| NameRow { skeleton, username: name.as_str().to_owned(), reserved_until };
    look_alike_keys(name).into_iter().map(row).collect()
}

fn insert(connection: &mut DbConnection, rows: &[NameRow]) -> QueryResult<()> {
    diesel::insert_into(account_names::table).values(rows).execute(connection)?;
    Ok(())
}

/// Computes all rows again if they were computed from another version of the data. This takes about
/// a second for 100,000 names.
///
/// Names that look alike only by the new data are both kept.
pub(super) fn update(connection: &mut DbConnection, version: &str) -> Done<()> {
    let stored: Option<String> =
        account_meta::table.select(account_meta::names_version).first(connection).optional()?;
    if stored.as_deref() == Some(version) {
        return Ok(());
    }
    let mut names: Vec<(String, Option<i64>)> = account_names::table
        .filter(account_names::reserved_until.is_not_null())
        .select((account_names::username, account_names::reserved_until))
        .distinct()
        .load(connection)?;
    let of_accounts: Vec<String> = accounts::table.select(accounts::username).load(connection)?;
    names.extend(of_accounts.into_iter().map(|name| (name, None)));
    diesel::delete(account_names::table).execute(connection)?;
    let mut pending = Vec::new();
    for (name, until) in names {
        pending.extend(rows(&username(&name)?, until));
        if pending.len() >= MAX_ROWS {
            insert(connection, &pending)?;
            pending.clear();
        }
    }
    if !pending.is_empty() {
        insert(connection, &pending)?;
    }
    diesel::insert_into(account_meta::table)
        .values((account_meta::id.eq(1), account_meta::names_version.eq(version)))
        .on_conflict(account_meta::id)
        .do_update()
        .set(account_meta::names_version.eq(version))
        .execute(connection)?;
    Ok(())
}
