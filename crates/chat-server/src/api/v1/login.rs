//! Signing in and out.

use std::fmt;

use axum::Json;
use axum::extract::State;
use chat_accounts::Account;
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::accounts::label;
use super::bearer::{Caller, accounts, address};
use super::error::{ApiError, Body, Problem};
use super::me::Me;
use crate::accounts::NewSession;
use crate::api::RouteState;

/// A name and a password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Login {
    username: String,
    password: String,
    /// What the user calls this device.
    device: Option<String>,
}

/// A session on a device.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(super) struct Session {
    /// The secret of the session, for the header `Authorization: Bearer TOKEN` and for `token` of
    /// `hello`.
    pub token: String,
    /// When it expires if it is not used, RFC 3339 in UTC.
    pub expires_at: Option<String>,
    /// The user.
    pub user: Me,
}

impl Session {
    pub(super) fn new(session: &NewSession, account: &Account) -> Self {
        let expires_at = session.token.expires_at.map(|time| time.to_string());
        Self { token: session.secret.to_text(), expires_at, user: Me::new(account) }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("user", &self.user).finish_non_exhaustive()
    }
}

/// Sign in: start a session on a device.
#[utoipa::path(post, path = "/api/v1/login", operation_id = "log_in",
    request_body = Login,
    responses((status = 200, body = Session),
        (status = 401, body = Problem, description = "the name or the password is wrong"),
        (status = 403, body = Problem, description = "the account is disabled"),
        (status = 404, body = Problem, description = "the server has no accounts"),
        (status = 429, body = Problem, description = "too many attempts"),
        (status = 503, body = Problem, description = "the server is busy, or the database does not answer")))]
pub(super) async fn log_in(
    State(state): State<RouteState>,
    headers: HeaderMap,
    Body(Login { username, password, device }): Body<Login>,
) -> Result<Json<Session>, ApiError> {
    let (accounts, device) = (accounts(&state)?, label("device", device)?);
    let from = address(&state, &headers);
    let (session, account) = accounts.sign_in(&username, &password, device, from).await?;
    if let Some(replaced) = &session.replaced {
        state.context.sessions.end_token(&account.id, replaced);
    }
    Ok(Json(Session::new(&session, &account)))
}

/// Sign out: end this session. Its connections are closed.
#[utoipa::path(post, path = "/api/v1/logout", operation_id = "log_out", security(("token" = [])),
    responses((status = 204), (status = 401, body = Problem),
        (status = 403, body = Problem, description = "the token is one of an identity provider")))]
pub(super) async fn log_out(
    State(state): State<RouteState>,
    Caller(caller): Caller,
) -> Result<StatusCode, ApiError> {
    let account = &caller.account.id;
    let Some(token) = caller.credential.token().map(|token| &token.id) else {
        return Err(ApiError::forbidden("sign out at your identity provider"));
    };
    accounts(&state)?.store().remove_token(account.clone(), token.clone()).await?;
    state.context.sessions.end_token(account, token);
    tracing::info!(user = %account, username = %caller.account.username, session = %token, "a user has signed out");
    Ok(StatusCode::NO_CONTENT)
}
