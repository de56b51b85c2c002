//! What moderators, owners and the operator have done.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use chat_access::{ActKind, ActParts, AuditQuery, Scope};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::error::{ApiError, Problem, parse, query, unavailable};
use crate::Admin;

/// How many records a page has, unless the request says.
const PAGE: usize = 100;

/// A page of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Audit {
    /// The newest first.
    pub records: Vec<AuditRecord>,
    /// For `before` in the next request; absent if there are no older ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}

/// Something that was done. Records are never changed and never removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditRecord {
    /// The number of the record: 1, 2, 3 and so on, without gaps.
    pub number: u64,
    /// When it was done, RFC 3339 in UTC.
    pub at: String,
    /// The room. Absent: the whole server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<String>,
    /// Who did it. Absent: who runs the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Named>,
    /// What was done: register, set_role, configure, kick, ban, unban, mute, unmute, warn, delete,
    /// invite, accept, end_invitation, invite_link, use_link, end_links, enter, close_report,
    /// erase_messages, erase_reactions, erase_report, announce or withdraw_announcement.
    pub act: String,
    /// The role that was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Until when a ban, a mute, an invitation or a link holds. Absent: until it is ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// To whom. Absent: it concerns the room, or the whole server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Named>,
    /// The number of the message that was deleted, or of the report that was closed or whose text
    /// was erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<u64>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A user, with the name that it had at that time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Named {
    /// The id.
    pub user: String,
    /// The name.
    pub username: String,
}

impl From<&chat_access::Named> for Named {
    fn from(named: &chat_access::Named) -> Self {
        Self { user: named.id.to_string(), username: named.username.to_string() }
    }
}

impl From<&chat_access::AuditRecord> for AuditRecord {
    fn from(record: &chat_access::AuditRecord) -> Self {
        let ActParts { role, until, number } = record.kind.parts();
        let role = role.filter(|_| matches!(record.kind, ActKind::SetRole(_)));
        Self {
            number: record.number,
            at: record.at.to_string(),
            room: record.scope.room().map(ToString::to_string),
            by: record.by.as_ref().map(Named::from),
            act: record.kind.as_str().to_owned(),
            role: role.map(|role| role.to_string()),
            until: until.map(|until| until.to_string()),
            target: record.target.as_ref().map(Named::from),
            message: number,
            reason: record.reason.as_ref().map(ToString::to_string),
        }
    }
}

/// The parameters of the query.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct AuditParams {
    /// Only records of this room.
    room: Option<String>,
    /// Only records with a smaller number: `next` of the previous answer.
    before: Option<u64>,
    /// The maximum number of records (default: 100, at most 500).
    limit: Option<usize>,
}

/// Read the audit log, newest first: what moderators, owners and the operator have done.
#[utoipa::path(get, path = "/v1/audit", operation_id = "audit", params(AuditParams),
    responses((status = 200, body = Audit), (status = 503, body = Problem, description = "the database does not answer")))]
pub(super) async fn list(
    State(admin): State<Admin>,
    params: Result<Query<AuditParams>, QueryRejection>,
) -> Result<Json<Audit>, ApiError> {
    let AuditParams { room, before, limit } = query(params)?;
    let limit = limit.unwrap_or(PAGE).clamp(1, chat_access::MAX_PAGE);
    let mut asked = AuditQuery::newest(limit).before(before);
    if let Some(room) = room {
        asked = asked.of(Scope::Room(parse(&room)?));
    }
    let found = admin.control.engine().access().audit(asked).await;
    let found = found.map_err(|error| unavailable(&error))?;
    let next = (found.len() == limit).then(|| found.last().map(|record| record.number)).flatten();
    Ok(Json(Audit { records: found.iter().map(AuditRecord::from).collect(), next }))
}
