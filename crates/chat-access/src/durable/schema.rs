//! The tables, and the conversion of rows.

use std::fmt::Display;
use std::str::FromStr;

use chat_protocol::{RoomName, Timestamp, UserId};
use diesel::prelude::*;

use super::{Backend, text};
use crate::audit::{ActParts, AuditRecord, Named};
use crate::store::{Invitation, NewReport, Report, Restriction, RestrictionKind, RoleEntry};
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
        network -> Nullable<Text>,
        network_until -> Nullable<BigInt>,
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
        message -> Nullable<BigInt>,
        user -> Nullable<Text>,
        username -> Nullable<Text>,
        reason -> Nullable<Text>,
    }
}

diesel::table! {
    invitations (room, user) {
        room -> Text,
        user -> Text,
        username -> Text,
        by_user -> Nullable<Text>,
        by_username -> Nullable<Text>,
        expires_at -> BigInt,
    }
}

diesel::table! {
    invite_links (hash) {
        hash -> Binary,
        room -> Text,
        uses -> BigInt,
        expires_at -> BigInt,
    }
}

diesel::table! {
    direct_rooms (first, second) {
        first -> Text,
        second -> Text,
        room -> Text,
    }
}

diesel::table! {
    reports (number) {
        number -> BigInt,
        at -> BigInt,
        room -> Text,
        by_user -> Text,
        by_username -> Text,
        target -> BigInt,
        user -> Text,
        username -> Text,
        body -> Nullable<Text>,
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
        single -> BigInt,
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

fn named_or_none(id: &Option<String>, username: &Option<String>) -> Result<Option<Named>, AccessError> {
    match (id, username) {
        (Some(id), Some(username)) => named(id, username).map(Some),
        _ => Ok(None),
    }
}

pub(super) fn parsed<T: FromStr<Err: Display>>(column: &str, text: &str) -> Result<T, AccessError> {
    text.parse().map_err(|error| damaged(&format!("{column} {text:?}"), &error))
}

pub(super) fn damaged(what: &str, error: &dyn Display) -> AccessError {
    AccessError::new(AccessErrorKind::Damaged, format!("{what}: {error}"))
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = room_roles, check_for_backend(Backend))]
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

/// The text of a kind of restriction.
pub(super) fn kind_text(kind: RestrictionKind) -> &'static str {
    match kind {
        RestrictionKind::Ban => "ban",
        RestrictionKind::Mute => "mute",
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = restrictions, check_for_backend(Backend))]
pub(super) struct RestrictionRow {
    pub(super) user: String,
    kind: String,
    username: String,
    until: Option<i64>,
    record: i64,
    network: Option<String>,
    network_until: Option<i64>,
}

impl RestrictionRow {
    pub(super) fn restriction(&self) -> Result<Restriction, AccessError> {
        let kinds = [RestrictionKind::Ban, RestrictionKind::Mute];
        let kind = kinds.into_iter().find(|kind| kind_text(*kind) == self.kind);
        let kind = kind.ok_or_else(|| damaged("the kind of a restriction", &self.kind))?;
        let until = self.until.map(Timestamp::from_millis);
        let network = match (&self.network, self.network_until) {
            (Some(network), Some(until)) => {
                Some((parsed("network", network)?, Timestamp::from_millis(until)))
            }
            _ => None,
        };
        let user = named(&self.user, &self.username)?;
        Ok(Restriction::new(user, kind, until, unsigned(self.record)).network(network))
    }
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = audit_log, check_for_backend(Backend))]
pub(super) struct RecordRow {
    number: i64,
    at: i64,
    room: String,
    by_user: Option<String>,
    by_username: Option<String>,
    act: String,
    role: Option<String>,
    until: Option<i64>,
    message: Option<i64>,
    user: Option<String>,
    username: Option<String>,
    reason: Option<String>,
}

impl RecordRow {
    pub(super) fn new(record: &AuditRecord) -> Self {
        let ActParts { role, until, number } = record.kind.parts();
        let target = record.target.as_ref();
        Self {
            number: signed(record.number),
            at: record.at.as_millis(),
            room: scope_text(&record.scope).to_owned(),
            by_user: record.by.as_ref().map(|by| by.id.as_str().to_owned()),
            by_username: record.by.as_ref().map(|by| by.username.as_str().to_owned()),
            act: record.kind.as_str().to_owned(),
            role: role.map(|role| role.as_str().to_owned()),
            until: until.map(Timestamp::as_millis),
            message: number.map(signed),
            user: target.map(|target| target.id.as_str().to_owned()),
            username: target.map(|target| target.username.as_str().to_owned()),
            reason: record.reason.as_ref().map(|reason| reason.as_str().to_owned()),
        }
    }

    pub(super) fn record(&self) -> Result<AuditRecord, AccessError> {
        let role = self.role.as_deref().map(|role| parsed("role", role)).transpose()?;
        let (until, number) = (self.until.map(Timestamp::from_millis), self.message.map(unsigned));
        let kind = ActKind::parse(&self.act, ActParts { role, until, number });
        Ok(AuditRecord {
            number: unsigned(self.number),
            at: Timestamp::from_millis(self.at),
            scope: scope(&self.room)?,
            by: named_or_none(&self.by_user, &self.by_username)?,
            kind: kind.ok_or_else(|| damaged("the act of an audit record", &self.act))?,
            target: named_or_none(&self.user, &self.username)?,
            reason: self.reason.as_deref().map(|reason| parsed("reason", reason)).transpose()?,
        })
    }
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = invitations, check_for_backend(Backend))]
pub(super) struct InvitationRow {
    room: String,
    user: String,
    username: String,
    by_user: Option<String>,
    by_username: Option<String>,
    expires_at: i64,
}

impl InvitationRow {
    pub(super) fn new(invitation: &Invitation) -> Self {
        let Invitation { room, user, by, expires_at } = invitation;
        Self {
            room: room.as_str().to_owned(),
            user: user.id.as_str().to_owned(),
            username: user.username.as_str().to_owned(),
            by_user: by.as_ref().map(|by| by.id.as_str().to_owned()),
            by_username: by.as_ref().map(|by| by.username.as_str().to_owned()),
            expires_at: expires_at.as_millis(),
        }
    }

    pub(super) fn invitation(&self) -> Result<Invitation, AccessError> {
        let by = named_or_none(&self.by_user, &self.by_username)?;
        let user = named(&self.user, &self.username)?;
        Ok(Invitation::new(room(&self.room)?, user, by, Timestamp::from_millis(self.expires_at)))
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = reports, check_for_backend(Backend))]
pub(super) struct ReportRow {
    number: i64,
    at: i64,
    room: String,
    by_user: String,
    by_username: String,
    target: i64,
    user: String,
    username: String,
    body: Option<String>,
    reason: Option<String>,
}

impl ReportRow {
    pub(super) fn report(self) -> Result<Report, AccessError> {
        let report = NewReport {
            room: room(&self.room)?,
            by: named(&self.by_user, &self.by_username)?,
            target: unsigned(self.target),
            author: named(&self.user, &self.username)?,
            body: self.body.map(|body| text::from_stored(body).into()),
            reason: self.reason.as_deref().map(|reason| parsed("reason", reason)).transpose()?,
            at: Timestamp::from_millis(self.at),
        };
        Ok(Report { number: unsigned(self.number), report })
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
