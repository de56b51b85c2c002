//! Accounts in the database.

use std::collections::HashMap;

use chat_protocol::{Role, Timestamp, UserId, Username};
use diesel::dsl::exists;
use diesel::prelude::*;

use super::schema::{
    AccountRow, account_guests, account_rooms, account_tokens, accounts, blocked_users, registration_invites,
    role_text,
};
use super::{DbConnection, Done, Failure, invites, names, text};
use crate::{
    Account, AccountPage, Counts, CreateError, MAX_PAGE, NewAccount, PasswordHash, ProfileChange, Subject,
};

pub(super) fn create(connection: &mut DbConnection, new: NewAccount) -> Done<Account, CreateError> {
    let (now, replaces_deleted) = (new.created_at, new.replaces_deleted);
    if let Some(invite) = &new.invite
        && !invites::use_once(connection, invite, now)?
    {
        return Err(Failure::Refused(CreateError::InvalidInvite));
    }
    if let Some(subject) = &new.subject
        && id_by_subject(connection, subject)?.is_some()
    {
        return Err(Failure::Refused(CreateError::SubjectTaken));
    }
    names::take(connection, &new.username, now, replaces_deleted)?;
    if let Some(guest) = &new.adopts
        && id_by_guest(connection, guest)?.is_some()
    {
        return Err(Failure::Refused(CreateError::GuestAlreadyAdopted));
    }

    let account = new.into_account()?;
    diesel::insert_into(accounts::table).values(AccountRow::new(&account)?).execute(connection)?;
    for guest in &account.guests {
        diesel::insert_into(account_guests::table)
            .values((
                account_guests::guest.eq(guest.as_str()),
                account_guests::account.eq(account.id.as_str()),
            ))
            .execute(connection)?;
    }
    Ok(account)
}

/// Whether there is an account with this id.
pub(super) fn is_account(connection: &mut DbConnection, id: &UserId) -> QueryResult<bool> {
    diesel::select(exists(accounts::table.find(id.as_str()))).get_result(connection)
}

pub(super) fn find(connection: &mut DbConnection, id: &str) -> Done<Option<Account>> {
    let row = accounts::table.find(id).select(AccountRow::as_select()).first(connection).optional()?;
    let Some(row) = row else { return Ok(None) };
    let guests = account_guests::table
        .filter(account_guests::account.eq(id))
        .order(account_guests::guest)
        .select(account_guests::guest)
        .load(connection)?;
    Ok(Some(row.account(&guests)?))
}

/// The account with an id that was found.
fn found(connection: &mut DbConnection, id: Option<String>) -> Done<Option<Account>> {
    match id {
        Some(id) => find(connection, &id),
        None => Ok(None),
    }
}

pub(super) fn by_username(connection: &mut DbConnection, username: &Username) -> Done<Option<Account>> {
    let id = accounts::table
        .filter(accounts::username.eq(username.as_str()))
        .select(accounts::id)
        .first(connection)
        .optional()?;
    found(connection, id)
}

pub(super) fn by_subject(connection: &mut DbConnection, subject: &Subject) -> Done<Option<Account>> {
    let id = id_by_subject(connection, subject)?;
    found(connection, id)
}

pub(super) fn by_guest(connection: &mut DbConnection, guest: &UserId) -> Done<Option<Account>> {
    let id = id_by_guest(connection, guest)?;
    found(connection, id)
}

fn id_by_subject(connection: &mut DbConnection, subject: &Subject) -> QueryResult<Option<String>> {
    accounts::table
        .filter(accounts::issuer.eq(text::to_stored(subject.issuer())))
        .filter(accounts::subject.eq(text::to_stored(subject.subject())))
        .select(accounts::id)
        .first(connection)
        .optional()
}

fn id_by_guest(connection: &mut DbConnection, guest: &UserId) -> QueryResult<Option<String>> {
    account_guests::table.find(guest.as_str()).select(account_guests::account).first(connection).optional()
}

pub(super) fn list(
    connection: &mut DbConnection,
    after: Option<&Username>,
    limit: usize,
) -> Done<AccountPage> {
    let limit = limit.min(MAX_PAGE);
    let mut rows: Vec<AccountRow> = accounts::table
        // no name is empty
        .filter(accounts::username.gt(after.map_or("", Username::as_str)))
        .order(accounts::username)
        .limit(i64::try_from(limit + 1).unwrap_or(i64::MAX))
        .select(AccountRow::as_select())
        .load(connection)?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let guests: Vec<(String, String)> = account_guests::table
        .filter(account_guests::account.eq_any(rows.iter().map(|row| &row.id)))
        .order(account_guests::guest)
        .select((account_guests::account, account_guests::guest))
        .load(connection)?;
    let mut by_account: HashMap<String, Vec<String>> = HashMap::new();
    for (account, guest) in guests {
        by_account.entry(account).or_default().push(guest);
    }
    let guests = |row: &AccountRow| by_account.get(&row.id).map(Vec::as_slice).unwrap_or_default();
    let accounts = rows.iter().map(|row| row.account(guests(row))).collect::<Result<_, _>>()?;
    Ok(AccountPage::new(accounts, more))
}

pub(super) fn counts(connection: &mut DbConnection) -> Done<Counts> {
    let all: i64 = accounts::table.count().get_result(connection)?;
    let disabled: i64 =
        accounts::table.filter(accounts::disabled_at.is_not_null()).count().get_result(connection)?;
    let is_admin = accounts::role.eq(role_text(Role::Admin)?).and(accounts::disabled_at.is_null());
    let admins: i64 = accounts::table.filter(is_admin).count().get_result(connection)?;
    Ok(Counts::new(all.unsigned_abs(), disabled.unsigned_abs(), admins.unsigned_abs()))
}

pub(super) fn set_password(
    connection: &mut DbConnection,
    id: &UserId,
    hash: Option<&PasswordHash>,
) -> Done<bool> {
    let changed = diesel::update(accounts::table.find(id.as_str()))
        .set(accounts::password_hash.eq(hash.map(PasswordHash::as_str)))
        .execute(connection)?;
    Ok(changed > 0)
}

pub(super) fn rehash(
    connection: &mut DbConnection,
    id: &UserId,
    old: &PasswordHash,
    new: &PasswordHash,
) -> Done<bool> {
    let unchanged = accounts::table.find(id.as_str()).filter(accounts::password_hash.eq(old.as_str()));
    let changed =
        diesel::update(unchanged).set(accounts::password_hash.eq(new.as_str())).execute(connection)?;
    Ok(changed > 0)
}

pub(super) fn set_role(connection: &mut DbConnection, id: &UserId, role: Role) -> Done<bool> {
    let changed = diesel::update(accounts::table.find(id.as_str()))
        .set(accounts::role.eq(role_text(role)?))
        .execute(connection)?;
    Ok(changed > 0)
}

pub(super) fn set_disabled(
    connection: &mut DbConnection,
    id: &UserId,
    since: Option<Timestamp>,
) -> Done<bool> {
    let changed = diesel::update(accounts::table.find(id.as_str()))
        .set(accounts::disabled_at.eq(since.map(Timestamp::as_millis)))
        .execute(connection)?;
    Ok(changed > 0)
}

/// `None` leaves a column as it is, `Some(None)` sets it to NULL.
#[derive(AsChangeset)]
#[diesel(table_name = accounts)]
struct ProfileColumns {
    display_name: Option<Option<String>>,
    about: Option<Option<String>>,
    time_zone: Option<Option<String>>,
}

pub(super) fn set_profile(connection: &mut DbConnection, id: &UserId, change: &ProfileChange) -> Done<bool> {
    if *change == ProfileChange::new() {
        // diesel has no statement for it
        return Ok(is_account(connection, id)?);
    }
    fn column<T: ToString>(part: Option<&Option<T>>) -> Option<Option<String>> {
        part.map(|text| text.as_ref().map(ToString::to_string))
    }
    let columns = ProfileColumns {
        display_name: column(change.display_name.as_ref()),
        about: column(change.about.as_ref()),
        time_zone: column(change.time_zone.as_ref()),
    };
    Ok(diesel::update(accounts::table.find(id.as_str())).set(columns).execute(connection)? > 0)
}

pub(super) fn delete(connection: &mut DbConnection, id: &UserId, keep_name_until: Timestamp) -> Done<bool> {
    let id = id.as_str();
    let account = diesel::delete(accounts::table.find(id)).returning(accounts::username);
    let Some(username) = account.get_result::<String>(connection).optional()? else { return Ok(false) };
    names::keep(connection, &username, keep_name_until)?;
    diesel::delete(account_tokens::table.filter(account_tokens::account.eq(id))).execute(connection)?;
    diesel::delete(account_rooms::table.filter(account_rooms::account.eq(id))).execute(connection)?;
    diesel::delete(blocked_users::table.filter(blocked_users::account.eq(id))).execute(connection)?;
    diesel::delete(account_guests::table.filter(account_guests::account.eq(id))).execute(connection)?;
    diesel::delete(registration_invites::table.filter(registration_invites::created_by.eq(id)))
        .execute(connection)?;
    Ok(true)
}
