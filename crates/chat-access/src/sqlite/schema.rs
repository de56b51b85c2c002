//! The tables, and the conversion of rows.

use std::fmt::Display;
use std::str::FromStr;

use chat_protocol::{RoomName, Timestamp, UserId};
use diesel::prelude::*;

use crate::audit::{AuditRecord, Named};
use crate::store::{Restriction, RestrictionKind, RoleEntry};
use crate::{AccessError, AccessErrorKind, ActKind, Scope};

diesel::table! {
    room_roles (room, user) {
        room -> Text,
        user -> Text,
        username -> Text,
        role -> Text,
    }
}

diesel::table! {
    restrictions (room, user, kind) {
        room -> Text,
        user -> Text,
        kind -> Text,
        username -> Text,
        until -> Nullable<BigInt>,
        record -> BigInt,
    }
}

diesel::table! {
    audit_log (number) {
        number -> BigInt,
        at -> BigInt,
        room -> Text,
        by_user -> Nullable<Text>,
        by_username -> Nullable<Text>,
        act -> Text,
        role -> Nullable<Text>,
        until -> Nullable<BigInt>,
        user -> Text,
        username -> Text,
        reason -> Nullable<Text>,
    }
}

diesel::table! {
    warnings (record) {
        record -> BigInt,
        user -> Text,
    }
}

diesel::table! {
    announcement (single) {
        single -> Integer,
        id -> Text,
        level -> Text,
        body -> Text,
        made_at -> BigInt,
    }
}

diesel::allow_tables_to_appear_in_same_query!(audit_log, warnings);

/// The value of the column `room`: a name, or nothing for the whole server.
pub(super) fn scope_text(scope: &Scope) -> &str {
    scope.room().map_or("", RoomName::as_str)
}

fn scope(text: &str) -> Result<Scope, AccessError> {
    if text.is_empty() { Ok(Scope::Server) } else { room(text).map(Scope::Room) }
}

pub(super) fn room(text: &str) -> Result<RoomName, AccessError> {
    RoomName::parse(text).map_err(|error| damaged(&format!("the room {text:?}"), &error))
}

pub(super) fn user(text: &str) -> Result<UserId, AccessError> {
    parsed("user", text)
}

fn named(id: &str, username: &str) -> Result<Named, AccessError> {
    Ok(Named::new(parsed("user", id)?, parsed("username", username)?))
}

pub(super) fn parsed<T: FromStr<Err: Display>>(column: &str, text: &str) -> Result<T, AccessError> {
    text.parse().map_err(|error| damaged(&format!("{column} {text:?}"), &error))
}

pub(super) fn damaged(what: &str, error: &dyn Display) -> AccessError {
    AccessError::new(AccessErrorKind::Damaged, format!("{what}: {error}"))
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = room_roles, check_for_backend(diesel::sqlite::Sqlite))]
pub(super) struct RoleRow {
    user: String,
    username: String,
    role: String,
}

impl RoleRow {
    pub(super) fn entry(&self) -> Result<RoleEntry, AccessError> {
        Ok(RoleEntry::new(named(&self.user, &self.username)?, parsed("role", &self.role)?))
    }
}

impl RestrictionKind {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Ban => "ban",
            Self::Mute => "mute",
        }
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = restrictions, check_for_backend(diesel::sqlite::Sqlite))]
pub(super) struct RestrictionRow {
    pub(super) user: String,
    kind: String,
    username: String,
    until: Option<i64>,
    record: i64,
}

impl RestrictionRow {
    pub(super) fn restriction(&self) -> Result<Restriction, AccessError> {
        let kinds = [RestrictionKind::Ban, RestrictionKind::Mute];
        let kind = kinds.into_iter().find(|kind| kind.as_str() == self.kind);
        let kind = kind.ok_or_else(|| damaged("the kind of a restriction", &self.kind))?;
        let until = self.until.map(Timestamp::from_millis);
        Ok(Restriction::new(named(&self.user, &self.username)?, kind, until, unsigned(self.record)))
    }
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = audit_log, check_for_backend(diesel::sqlite::Sqlite))]
pub(super) struct RecordRow {
    number: i64,
    at: i64,
    room: String,
    by_user: Option<String>,
    by_username: Option<String>,
    act: String,
    role: Option<String>,
    until: Option<i64>,
    user: String,
    username: String,
    reason: Option<String>,
}

impl RecordRow {
    pub(super) fn new(record: &AuditRecord) -> Self {
        let (role, until) = record.kind.parts();
        Self {
            number: signed(record.number),
            at: record.at.as_millis(),
            room: scope_text(&record.scope).to_owned(),
            by_user: record.by.as_ref().map(|by| by.id.as_str().to_owned()),
            by_username: record.by.as_ref().map(|by| by.username.as_str().to_owned()),
            act: record.kind.as_str().to_owned(),
            role: role.map(|role| role.as_str().to_owned()),
            until: until.map(Timestamp::as_millis),
            user: record.target.id.as_str().to_owned(),
            username: record.target.username.as_str().to_owned(),
            reason: record.reason.as_ref().map(|reason| reason.as_str().to_owned()),
        }
    }

    pub(super) fn record(&self) -> Result<AuditRecord, AccessError> {
        let role = self.role.as_deref().map(|role| parsed("role", role)).transpose()?;
        let kind = ActKind::parse(&self.act, role, self.until.map(Timestamp::from_millis));
        let by = match (&self.by_user, &self.by_username) {
            (Some(id), Some(username)) => Some(named(id, username)?),
            _ => None,
        };
        Ok(AuditRecord {
            number: unsigned(self.number),
            at: Timestamp::from_millis(self.at),
            scope: scope(&self.room)?,
            by,
            kind: kind.ok_or_else(|| damaged("the act of an audit record", &self.act))?,
            target: named(&self.user, &self.username)?,
            reason: self.reason.as_deref().map(|reason| parsed("reason", reason)).transpose()?,
        })
    }
}

/// A number as the API has it. Negative numbers occur only if another program has written them.
pub(super) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

/// A number as the database has it.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
