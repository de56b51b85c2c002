//! Tokens in the database.

use chat_protocol::{Timestamp, UserId};
use diesel::prelude::*;

use super::schema::{TokenRow, account_tokens, accounts, kind_text};
use super::{DbConnection, Done, Failure, accounts as account_rows};
use crate::{
    Account, AddTokenError, AddedToken, MAX_TOKENS, NewToken, PasswordHash, Token, TokenHash, TokenId,
    TokenKind,
};

/// The tokens of an account of one kind.
#[diesel::dsl::auto_type(no_type_alias)]
fn of_kind<'a>(account: &'a str, kind: &'a str) -> _ {
    account_tokens::account.eq(account).and(account_tokens::kind.eq(kind))
}

pub(super) fn add(connection: &mut DbConnection, new: NewToken) -> Done<AddedToken, AddTokenError> {
    let (account, kind) = (new.account.as_str(), kind_text(new.kind));
    let state: Option<(Option<String>, Option<i64>)> = accounts::table
        .find(account)
        .select((accounts::password_hash, accounts::disabled_at))
        .first(connection)
        .optional()?;
    let Some((password, disabled_at)) = state else {
        return Err(Failure::Refused(AddTokenError::NoAccount));
    };
    if disabled_at.is_some() {
        return Err(Failure::Refused(AddTokenError::Disabled));
    }
    if new.password.is_some() && new.password.as_ref().map(PasswordHash::as_str) != password.as_deref() {
        return Err(Failure::Refused(AddTokenError::PasswordChanged));
    }
    let expired = account_tokens::expires_at.le(new.created_at.as_millis());
    diesel::delete(account_tokens::table.filter(of_kind(account, kind)).filter(expired))
        .execute(connection)?;
    let count: i64 = account_tokens::table.filter(of_kind(account, kind)).count().get_result(connection)?;
    let mut replaced = None;
    if usize::try_from(count).is_ok_and(|count| count >= MAX_TOKENS) {
        if new.kind != TokenKind::Session {
            return Err(Failure::Refused(AddTokenError::LimitReached));
        }
        let oldest = account_tokens::table
            .filter(of_kind(account, kind))
            .order((account_tokens::last_used_at, account_tokens::created_at, account_tokens::id))
            .select(TokenRow::as_select())
            .first(connection)?;
        diesel::delete(account_tokens::table.find(&oldest.id)).execute(connection)?;
        replaced = Some(oldest.token()?.id);
    }
    let hash = new.hash;
    let token = new.into_token();
    diesel::insert_into(account_tokens::table)
        .values((TokenRow::new(&token), account_tokens::hash.eq(&hash.as_bytes()[..])))
        .execute(connection)?;
    Ok(AddedToken::new(token, replaced))
}

pub(super) fn find(
    connection: &mut DbConnection,
    hash: &TokenHash,
    now: Timestamp,
) -> Done<Option<(Token, Account)>> {
    let row = account_tokens::table
        .filter(account_tokens::hash.eq(&hash.as_bytes()[..]))
        .select(TokenRow::as_select())
        .first(connection)
        .optional()?;
    let Some(row) = row else { return Ok(None) };
    let token = row.token()?;
    if token.is_expired(now) {
        return Ok(None);
    }
    let account = account_rows::find(connection, token.account.as_str())?;
    let account = account.filter(|account| account.disabled_at.is_none());
    Ok(account.map(|account| (token, account)))
}

pub(super) fn note_use(
    connection: &mut DbConnection,
    id: &TokenId,
    now: Timestamp,
    new_expiry: Option<Timestamp>,
) -> Done<bool> {
    let token = account_tokens::table.find(id.as_str());
    let Some(row) = token.select(TokenRow::as_select()).first(connection).optional()? else {
        return Ok(false);
    };
    let mut used = row.token()?;
    let is_valid = used.note_use(now, new_expiry);
    if is_valid {
        diesel::update(token)
            .set((
                account_tokens::last_used_at.eq(used.last_used_at.as_millis()),
                account_tokens::expires_at.eq(used.expires_at.map(Timestamp::as_millis)),
            ))
            .execute(connection)?;
    }
    Ok(is_valid)
}

pub(super) fn list(connection: &mut DbConnection, account: &UserId, now: Timestamp) -> Done<Vec<Token>> {
    let rows = account_tokens::table
        .filter(account_tokens::account.eq(account.as_str()))
        .order((
            account_tokens::last_used_at.desc(),
            account_tokens::created_at.desc(),
            account_tokens::id.desc(),
        ))
        .select(TokenRow::as_select())
        .load(connection)?;
    let mut tokens = rows.iter().map(TokenRow::token).collect::<Result<Vec<_>, _>>()?;
    tokens.retain(|token| !token.is_expired(now));
    Ok(tokens)
}

pub(super) fn remove_one(connection: &mut DbConnection, account: &UserId, id: &TokenId) -> Done<bool> {
    let token = account_tokens::table.find(id.as_str());
    let token = token.filter(account_tokens::account.eq(account.as_str()));
    Ok(diesel::delete(token).execute(connection)? > 0)
}

pub(super) fn remove(
    connection: &mut DbConnection,
    account: &UserId,
    keep: Option<&TokenId>,
    kind: Option<TokenKind>,
) -> Done<Vec<TokenId>> {
    let rows = account_tokens::table
        .filter(account_tokens::account.eq(account.as_str()))
        .select(TokenRow::as_select())
        .load(connection)?;
    let mut tokens = rows.iter().map(TokenRow::token).collect::<Result<Vec<_>, _>>()?;
    tokens.retain(|token| Some(&token.id) != keep && kind.is_none_or(|kind| kind == token.kind));
    let ids: Vec<_> = tokens.into_iter().map(|token| token.id).collect();
    let removed = account_tokens::id.eq_any(ids.iter().map(TokenId::as_str));
    diesel::delete(account_tokens::table.filter(removed)).execute(connection)?;
    Ok(ids)
}

/// Removes all tokens and returns their number.
pub(super) fn remove_all(connection: &mut DbConnection) -> QueryResult<u64> {
    Ok(diesel::delete(account_tokens::table).execute(connection)? as u64)
}

/// Removes tokens that have expired, and returns their number.
pub(super) fn remove_expired(
    connection: &mut DbConnection,
    now: Timestamp,
    limit: i64,
) -> QueryResult<usize> {
    let expired: Vec<String> = account_tokens::table
        .filter(account_tokens::expires_at.le(now.as_millis()))
        .select(account_tokens::id)
        .limit(limit)
        .load(connection)?;
    diesel::delete(account_tokens::table.filter(account_tokens::id.eq_any(expired))).execute(connection)
}
