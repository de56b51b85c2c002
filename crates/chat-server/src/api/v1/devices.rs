//! The devices on which a user has signed in.

use axum::Json;
use axum::extract::State;
use chat_accounts::{TokenId, TokenKind};
use chat_protocol::Timestamp;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::bearer::{Device as CallerOnDevice, accounts};
use super::error::{ApiError, PathParam, Problem};
use crate::api::RouteState;

/// The sessions of a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(super) struct Devices {
    /// Most recently used first.
    pub sessions: Vec<Device>,
}

/// A session on a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(super) struct Device {
    /// The id.
    pub id: String,
    /// What the user calls the device.
    pub device: Option<String>,
    /// When the user signed in, RFC 3339 in UTC.
    pub created_at: String,
    /// When it was last used, to the hour.
    pub last_used_at: String,
    /// When it expires if it is not used.
    pub expires_at: Option<String>,
    /// Whether it is the session that sent the request.
    pub current: bool,
}

/// List the devices on which you have signed in.
#[utoipa::path(get, path = "/api/v1/me/sessions", operation_id = "list_sessions", security(("token" = [])),
    responses((status = 200, body = Devices), (status = 401, body = Problem),
        (status = 403, body = Problem, description = "API tokens can't do this")))]
pub(super) async fn list(
    State(state): State<RouteState>,
    caller: CallerOnDevice,
) -> Result<Json<Devices>, ApiError> {
    let tokens = accounts(&state)?.store().tokens(caller.account.id, Timestamp::now()).await?;
    let sessions = tokens.into_iter().filter(|token| token.kind == TokenKind::Session);
    let device = |token: chat_accounts::Token| Device {
        current: token.id == caller.token.id,
        id: token.id.to_string(),
        device: token.label.map(|label| label.to_string()),
        created_at: token.created_at.to_string(),
        last_used_at: token.last_used_at.to_string(),
        expires_at: token.expires_at.map(|time| time.to_string()),
    };
    Ok(Json(Devices { sessions: sessions.map(device).collect() }))
}

/// Sign out a device. Its connections are closed.
#[utoipa::path(delete, path = "/api/v1/me/sessions/{session}", operation_id = "end_session", security(("token" = [])),
    params(("session" = String, Path, description = "The id of the session")),
    responses((status = 204), (status = 401, body = Problem),
        (status = 403, body = Problem, description = "API tokens can't do this"),
        (status = 404, body = Problem, description = "there is no such session")))]
pub(super) async fn end(
    State(state): State<RouteState>,
    caller: CallerOnDevice,
    PathParam(session): PathParam,
) -> Result<StatusCode, ApiError> {
    let no_such = || ApiError::not_found("there is no such session");
    let token: TokenId = session.parse().map_err(|_| no_such())?;
    let account = caller.account.id;
    if !accounts(&state)?.store().remove_token(account.clone(), token.clone()).await? {
        return Err(no_such());
    }
    state.context.sessions.end_token(&account, &token);
    tracing::info!(user = %account, session = %token, "a user has signed out a device");
    Ok(StatusCode::NO_CONTENT)
}
