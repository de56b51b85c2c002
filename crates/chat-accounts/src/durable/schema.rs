//! The tables, and the conversion of rows.

use std::fmt::Display;
use std::num::NonZeroU32;
use std::str::FromStr;

use chat_protocol::{Epoch, Role, RoomName, Timestamp, UserId, Username};
use diesel::prelude::*;

use super::{Backend, text};
use crate::{
    Account, Invite, Notify, Profile, RoomEntry, StoreError, StoreErrorKind, Subject, Token, TokenKind,
};

diesel::table! {
    accounts (id) {
        id -> Text,
        username -> Text,
        is_service -> Bool,
        role -> Text,
        password_hash -> Nullable<Text>,
        issuer -> Nullable<Text>,
        subject -> Nullable<Text>,
        display_name -> Nullable<Text>,
        about -> Nullable<Text>,
        time_zone -> Nullable<Text>,
        created_at -> BigInt,
        disabled_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    account_names (skeleton, username) {
        skeleton -> Text,
        username -> Text,
        reserved_until -> Nullable<BigInt>,
    }
}

diesel::table! {
    account_guests (guest) {
        guest -> Text,
        account -> Text,
    }
}

diesel::table! {
    account_tokens (id) {
        id -> Text,
        hash -> Binary,
        account -> Text,
        kind -> Text,
        label -> Nullable<Text>,
        created_at -> BigInt,
        last_used_at -> BigInt,
        expires_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    registration_invites (id) {
        id -> Text,
        hash -> Binary,
        uses_left -> BigInt,
        created_by -> Nullable<Text>,
        created_at -> BigInt,
        expires_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    account_rooms (account, room) {
        account -> Text,
        room -> Text,
        favourite -> Bool,
        notify -> Text,
        epoch -> Text,
        read_up_to -> BigInt,
    }
}

diesel::table! {
    blocked_users (account, user) {
        account -> Text,
        user -> Text,
        username -> Nullable<Text>,
    }
}

diesel::table! {
    account_meta (id) {
        id -> BigInt,
        names_version -> Text,
    }
}

#[derive(Insertable, Queryable, Selectable)]
#[diesel(table_name = accounts, check_for_backend(Backend))]
pub(super) struct AccountRow {
    pub(super) id: String,
    username: String,
    is_service: bool,
    role: String,
    password_hash: Option<String>,
    issuer: Option<String>,
    subject: Option<String>,
    display_name: Option<String>,
    about: Option<String>,
    time_zone: Option<String>,
    created_at: i64,
    disabled_at: Option<i64>,
}

#[derive(Insertable)]
#[diesel(table_name = account_names)]
pub(super) struct NameRow {
    pub(super) skeleton: String,
    pub(super) username: String,
    pub(super) reserved_until: Option<i64>,
}

/// A token without its hash.
#[derive(Insertable, Queryable, Selectable)]
#[diesel(table_name = account_tokens, check_for_backend(Backend))]
pub(super) struct TokenRow {
    pub(super) id: String,
    account: String,
    kind: String,
    label: Option<String>,
    created_at: i64,
    last_used_at: i64,
    expires_at: Option<i64>,
}

/// An invite without its hash.
#[derive(Insertable, Queryable, Selectable)]
#[diesel(table_name = registration_invites, check_for_backend(Backend))]
pub(super) struct InviteRow {
    id: String,
    uses_left: i64,
    created_by: Option<String>,
    created_at: i64,
    expires_at: Option<i64>,
}

#[derive(Insertable, AsChangeset, Queryable, Selectable)]
#[diesel(table_name = account_rooms, primary_key(account, room))]
#[diesel(check_for_backend(Backend))]
pub(super) struct RoomRow {
    account: String,
    room: String,
    favourite: bool,
    notify: String,
    epoch: String,
    read_up_to: i64,
}

/// What is in the database was validated when it was written. A row with an invalid value was
/// written by another program, and the store reports it as damaged. The value is not in the error,
/// because it may be a secret.
fn damaged(table: &str, row: &str, what: &dyn Display) -> StoreError {
    StoreError::new(StoreErrorKind::Damaged, format!("row \"{row}\" of {table}: {what}"))
}

/// Parses a value of a row.
fn parse<T: FromStr<Err: Display>>(table: &str, row: &str, text: &str) -> Result<T, StoreError> {
    text.parse().map_err(|error| damaged(table, row, &error))
}

fn parse_some<T: FromStr<Err: Display>>(
    table: &str,
    row: &str,
    text: Option<&String>,
) -> Result<Option<T>, StoreError> {
    text.map(|text| parse(table, row, text)).transpose()
}

fn owned(text: &impl ToString) -> String {
    text.to_string()
}

/// The stored form of a text that may contain NUL. The texts of most columns can't.
fn stored(text: &str) -> String {
    text::to_stored(text).into_owned()
}

fn restored(stored: &str) -> String {
    text::from_stored(stored.to_owned())
}

impl AccountRow {
    pub(super) fn new(account: &Account) -> Result<Self, StoreError> {
        let (profile, subject) = (&account.profile, account.subject.as_ref());
        Ok(Self {
            id: owned(&account.id),
            username: owned(&account.username),
            is_service: account.is_service,
            role: role_text(account.role)?.to_owned(),
            password_hash: account.password_hash.as_ref().map(|hash| hash.as_str().to_owned()),
            issuer: subject.map(|subject| stored(subject.issuer())),
            subject: subject.map(|subject| stored(subject.subject())),
            display_name: profile.display_name.as_ref().map(owned),
            about: profile.about.as_ref().map(owned),
            time_zone: profile.time_zone.as_ref().map(owned),
            created_at: account.created_at.as_millis(),
            disabled_at: account.disabled_at.map(Timestamp::as_millis),
        })
    }

    /// The account of this row, with the ids of its guests.
    pub(super) fn account(&self, guests: &[String]) -> Result<Account, StoreError> {
        const TABLE: &str = "accounts";
        let row = &*self.id;
        let fault = |what: &dyn Display| damaged(TABLE, row, what);
        let id: UserId = parse(TABLE, row, &self.id)?;
        if id.is_guest() {
            return Err(fault(&"the id of a guest"));
        }
        let subject = match (&self.issuer, &self.subject) {
            (Some(issuer), Some(subject)) => {
                let subject = Subject::new(&restored(issuer), &restored(subject));
                Some(subject.map_err(|error| fault(&error))?)
            }
            (None, None) => None,
            _ => return Err(fault(&"a subject without an issuer, or an issuer without a subject")),
        };
        Ok(Account {
            id,
            username: parse(TABLE, row, &self.username)?,
            is_service: self.is_service,
            role: role(&self.role).ok_or_else(|| fault(&"an unknown role"))?,
            password_hash: parse_some(TABLE, row, self.password_hash.as_ref())?,
            subject,
            guests: guests.iter().map(|guest| parse(TABLE, row, guest)).collect::<Result<_, _>>()?,
            profile: Profile {
                display_name: parse_some(TABLE, row, self.display_name.as_ref())?,
                about: parse_some(TABLE, row, self.about.as_ref())?,
                time_zone: parse_some(TABLE, row, self.time_zone.as_ref())?,
            },
            created_at: Timestamp::from_millis(self.created_at),
            disabled_at: self.disabled_at.map(Timestamp::from_millis),
        })
    }
}

/// A username in `account_names`.
pub(super) fn username(text: &str) -> Result<Username, StoreError> {
    parse("account_names", text, text)
}

pub(super) fn user_id(text: &str) -> Result<UserId, StoreError> {
    parse("accounts", text, text)
}

/// The text of a role. [`Role`] may get further roles, which this version can't store.
pub(super) fn role_text(role: Role) -> Result<&'static str, StoreError> {
    match role {
        Role::User => Ok("user"),
        Role::Moderator => Ok("moderator"),
        Role::Admin => Ok("admin"),
        _ => Err(StoreError::other(format!("the role {role:?} can't be stored"))),
    }
}

fn role(text: &str) -> Option<Role> {
    [Role::User, Role::Moderator, Role::Admin]
        .into_iter()
        .find(|role| role_text(*role).is_ok_and(|code| code == text))
}

pub(super) fn kind_text(kind: TokenKind) -> &'static str {
    match kind {
        TokenKind::Session => "session",
        TokenKind::Api => "api",
    }
}

fn kind(text: &str) -> Option<TokenKind> {
    [TokenKind::Session, TokenKind::Api].into_iter().find(|kind| kind_text(*kind) == text)
}

fn notify_text(notify: Notify) -> &'static str {
    match notify {
        Notify::All => "all",
        Notify::Mentions => "mentions",
        _ => "none",
    }
}

fn notify(text: &str) -> Option<Notify> {
    [Notify::All, Notify::Mentions, Notify::None].into_iter().find(|notify| notify_text(*notify) == text)
}

impl TokenRow {
    pub(super) fn new(token: &Token) -> Self {
        Self {
            id: owned(&token.id),
            account: owned(&token.account),
            kind: kind_text(token.kind).to_owned(),
            label: token.label.as_ref().map(owned),
            created_at: token.created_at.as_millis(),
            last_used_at: token.last_used_at.as_millis(),
            expires_at: token.expires_at.map(Timestamp::as_millis),
        }
    }

    pub(super) fn token(&self) -> Result<Token, StoreError> {
        const TABLE: &str = "account_tokens";
        let row = &*self.id;
        Ok(Token {
            id: parse(TABLE, row, &self.id)?,
            account: parse(TABLE, row, &self.account)?,
            kind: kind(&self.kind).ok_or_else(|| damaged(TABLE, row, &"an unknown kind"))?,
            label: parse_some(TABLE, row, self.label.as_ref())?,
            created_at: Timestamp::from_millis(self.created_at),
            last_used_at: Timestamp::from_millis(self.last_used_at),
            expires_at: self.expires_at.map(Timestamp::from_millis),
        })
    }
}

impl InviteRow {
    pub(super) fn new(invite: &Invite) -> Self {
        Self {
            id: owned(&invite.id),
            uses_left: invite.uses_left.get().into(),
            created_by: invite.created_by.as_ref().map(owned),
            created_at: invite.created_at.as_millis(),
            expires_at: invite.expires_at.map(Timestamp::as_millis),
        }
    }

    pub(super) fn invite(&self) -> Result<Invite, StoreError> {
        const TABLE: &str = "registration_invites";
        let row = &*self.id;
        let uses_left = u32::try_from(self.uses_left).ok().and_then(NonZeroU32::new);
        Ok(Invite {
            id: parse(TABLE, row, &self.id)?,
            uses_left: uses_left.ok_or_else(|| damaged(TABLE, row, &"an invalid number of uses"))?,
            created_by: parse_some(TABLE, row, self.created_by.as_ref())?,
            created_at: Timestamp::from_millis(self.created_at),
            expires_at: self.expires_at.map(Timestamp::from_millis),
        })
    }
}

impl RoomRow {
    pub(super) fn new(account: &UserId, entry: &RoomEntry) -> Self {
        Self {
            account: owned(account),
            room: owned(&entry.room),
            favourite: entry.favourite,
            notify: notify_text(entry.notify).to_owned(),
            epoch: stored(entry.epoch.as_str()),
            // no room has that many events
            read_up_to: i64::try_from(entry.read_up_to).unwrap_or(i64::MAX),
        }
    }

    pub(super) fn entry(&self) -> Result<RoomEntry, StoreError> {
        const TABLE: &str = "account_rooms";
        let row = format!("{} {}", self.account, self.room);
        let room: RoomName = parse(TABLE, &row, &self.room)?;
        Ok(RoomEntry {
            room,
            favourite: self.favourite,
            notify: notify(&self.notify).ok_or_else(|| damaged(TABLE, &row, &"an unknown setting"))?,
            epoch: Epoch::new(restored(&self.epoch)),
            read_up_to: u64::try_from(self.read_up_to)
                .map_err(|_| damaged(TABLE, &row, &"a negative number"))?,
        })
    }
}

diesel::allow_tables_to_appear_in_same_query!(account_names, accounts, account_rooms);
