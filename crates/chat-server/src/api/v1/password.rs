//! Changing the password.

use axum::extract::State;
use chat_accounts::{HashError, Password};
use chat_protocol::CloseCode;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use utoipa::ToSchema;

use super::bearer::{Device, accounts, address};
use super::error::{ApiError, Body, Problem};
use crate::accounts::SignInError;
use crate::api::RouteState;

/// The old password and the new one.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangePassword {
    old: String,
    /// At least 8 characters.
    new: String,
}

/// Change the password. All other sessions of the account end.
#[utoipa::path(post, path = "/api/v1/me/password", operation_id = "change_password", security(("token" = [])),
    request_body = ChangePassword,
    responses((status = 204), (status = 401, body = Problem, description = "the token or the old password is wrong"),
        (status = 403, body = Problem, description = "API tokens can't do this"),
        (status = 422, body = Problem, description = "the new password is not acceptable"),
        (status = 429, body = Problem, description = "too many attempts"),
        (status = 503, body = Problem, description = "the server is busy, or the database does not answer")))]
pub(super) async fn change(
    State(state): State<RouteState>,
    headers: HeaderMap,
    caller: Device,
    Body(ChangePassword { old, new }): Body<ChangePassword>,
) -> Result<StatusCode, ApiError> {
    let (accounts, account) = (accounts(&state)?, &caller.account);
    let new = Password::new(&new).map_err(|error| ApiError::field("new", &error))?;
    accounts.confirm(account, &old, address(&state, &headers)).await?;
    let hash = accounts.hasher().hash(new).await.map_err(|error: HashError| SignInError::from(error))?;
    let keep = caller.token.id;
    accounts.store().set_password(account.id.clone(), Some(hash), Some(keep.clone())).await?;
    state.context.sessions.end_user(&account.id, Some(&keep), CloseCode::NotAccepted);
    tracing::info!(user = %account.id, username = %account.username, "a user has changed the password");
    Ok(StatusCode::NO_CONTENT)
}
