//! Invites to register.

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::response::IntoResponse;
use chat_accounts::{AddError, InviteCode, InviteId, NewInvite};
use chat_protocol::Timestamp;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::accounts::service;
use super::error::{ApiError, PathParams, Problem, body, conflict, not_found, parse, unavailable};
use crate::Admin;

/// How long an invite is valid by default, in seconds: one week.
const WEEK: u64 = 7 * 86_400;

/// The invites that can be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Invites {
    /// Oldest first.
    pub invites: Vec<Invite>,
}

/// An invite, without its code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Invite {
    /// The id.
    pub id: String,
    /// How many users can still register with it.
    pub uses_left: u32,
    /// When it was created, RFC 3339 in UTC.
    pub created_at: String,
    /// When it expires.
    pub expires_at: Option<String>,
}

impl From<&chat_accounts::Invite> for Invite {
    fn from(invite: &chat_accounts::Invite) -> Self {
        Self {
            id: invite.id.to_string(),
            uses_left: invite.uses_left.get(),
            created_at: invite.created_at.to_string(),
            expires_at: invite.expires_at.map(|time| time.to_string()),
        }
    }
}

/// An invite to be created.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InviteRequest {
    /// How many users can register with it (default: 1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u32>)]
    pub uses: Option<NonZeroU32>,
    /// For how many seconds it is valid (default: 604,800, one week).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_s: Option<u64>,
}

/// An invite that was created.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CreatedInvite {
    /// The code. It is not shown again.
    pub code: String,
    /// The invite.
    pub invite: Invite,
}

impl fmt::Debug for CreatedInvite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CreatedInvite").field("invite", &self.invite).finish_non_exhaustive()
    }
}

/// List the invites that can be used.
#[utoipa::path(get, path = "/v1/invites", operation_id = "list_invites",
    responses((status = 200, body = Invites),
        (status = 409, body = Problem, description = "the server has no accounts"),
        (status = 503, body = Problem, description = "the database does not answer")))]
pub(super) async fn list(State(admin): State<Admin>) -> Result<Json<Invites>, ApiError> {
    let listing = service(&admin)?.store().invites(Timestamp::now());
    let invites = listing.await.map_err(|error| unavailable(&error))?;
    Ok(Json(Invites { invites: invites.iter().map(Invite::from).collect() }))
}

/// Create an invite to register.
#[utoipa::path(post, path = "/v1/invites", operation_id = "create_invite", request_body = InviteRequest,
    responses((status = 201, body = CreatedInvite), (status = 400, body = Problem),
        (status = 409, body = Problem, description = "there are too many invites, or the server has no accounts"),
        (status = 503, body = Problem, description = "the database does not answer")))]
pub(super) async fn create(
    State(admin): State<Admin>,
    request: Result<Json<InviteRequest>, JsonRejection>,
) -> Result<impl IntoResponse, ApiError> {
    let InviteRequest { uses, for_s } = body(request)?;
    let (code, now) = (InviteCode::random(), Timestamp::now());
    let valid = Duration::from_secs(for_s.unwrap_or(WEEK));
    let expires_at = now.saturating_add(valid);
    let new =
        NewInvite::new(code.hash(), now).with_uses(uses.unwrap_or(NonZeroU32::MIN)).expiring_at(expires_at);
    let invite = service(&admin)?.store().add_invite(new).await.map_err(|error| match error {
        AddError::Store(error) => unavailable(&error),
        other => conflict(other.to_string()),
    })?;
    tracing::info!(invite = %invite.id, uses = invite.uses_left, "invite created by an admin");
    let created = CreatedInvite { code: code.to_text(), invite: Invite::from(&invite) };
    Ok((StatusCode::CREATED, Json(created)))
}

/// Remove an invite.
#[utoipa::path(delete, path = "/v1/invites/{invite}", operation_id = "remove_invite",
    params(("invite" = String, Path, description = "The id of the invite")),
    responses((status = 204), (status = 400, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem, description = "the server has no accounts"),
        (status = 503, body = Problem, description = "the database does not answer")))]
pub(super) async fn remove(
    State(admin): State<Admin>,
    PathParams(invite): PathParams<String>,
) -> Result<StatusCode, ApiError> {
    let id: InviteId = parse(&invite)?;
    let removed = service(&admin)?.store().remove_invite(id).await.map_err(|error| unavailable(&error))?;
    if !removed {
        return Err(not_found(format!("there is no invite {invite:?}")));
    }
    tracing::info!(%invite, "invite removed by an admin");
    Ok(StatusCode::NO_CONTENT)
}
