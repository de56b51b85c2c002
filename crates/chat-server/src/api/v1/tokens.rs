//! API tokens: what a user's programs have instead of a password.

use std::fmt;

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use chat_accounts::{AddTokenError, NewToken, TokenId, TokenKind, TokenSecret};
use chat_protocol::Timestamp;
use http::StatusCode;
use serde::de::value::{Error as ValueError, StrDeserializer};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::accounts::label;
use super::bearer::{Device, accounts};
use super::error::{ApiError, Body, PathParam, Problem};
use crate::api::RouteState;

/// The API tokens of a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(super) struct Tokens {
    /// Most recently used first.
    pub tokens: Vec<Token>,
}

/// An API token, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(super) struct Token {
    /// The id.
    pub id: String,
    /// What the user calls it.
    pub label: Option<String>,
    /// When it was created, RFC 3339 in UTC.
    pub created_at: String,
    /// When it was last used, to the hour.
    pub last_used_at: String,
    /// When it expires.
    pub expires_at: Option<String>,
}

impl From<&chat_accounts::Token> for Token {
    fn from(token: &chat_accounts::Token) -> Self {
        Self {
            id: token.id.to_string(),
            label: token.label.as_ref().map(ToString::to_string),
            created_at: token.created_at.to_string(),
            last_used_at: token.last_used_at.to_string(),
            expires_at: token.expires_at.map(|time| time.to_string()),
        }
    }
}

/// A token to be created.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Create {
    /// What the user calls it.
    label: Option<String>,
    /// When it expires, RFC 3339. Absent: never.
    expires_at: Option<String>,
}

/// An API token that was created.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(super) struct Created {
    /// The secret. It is not shown again.
    pub secret: String,
    /// The token.
    pub token: Token,
}

impl fmt::Debug for Created {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Created").field("token", &self.token).finish_non_exhaustive()
    }
}

/// List your API tokens.
#[utoipa::path(get, path = "/api/v1/me/tokens", operation_id = "list_tokens", security(("token" = [])),
    responses((status = 200, body = Tokens), (status = 401, body = Problem),
        (status = 403, body = Problem, description = "API tokens can't do this")))]
pub(super) async fn list(State(state): State<RouteState>, caller: Device) -> Result<Json<Tokens>, ApiError> {
    let tokens = accounts(&state)?.store().tokens(caller.account.id, Timestamp::now()).await?;
    let tokens = tokens.iter().filter(|token| token.kind == TokenKind::Api).map(Token::from).collect();
    Ok(Json(Tokens { tokens }))
}

/// Create an API token for a program of yours.
///
/// It can do what you can, except for `/me/password`, `/me/tokens`, `/me/sessions` and deleting the
/// account.
#[utoipa::path(post, path = "/api/v1/me/tokens", operation_id = "create_token", security(("token" = [])),
    request_body = Create,
    responses((status = 201, body = Created), (status = 401, body = Problem),
        (status = 403, body = Problem, description = "API tokens can't do this"),
        (status = 409, body = Problem, description = "the account has too many API tokens"),
        (status = 422, body = Problem, description = "a field is not acceptable")))]
pub(super) async fn create(
    State(state): State<RouteState>,
    caller: Device,
    Body(Create { label: text, expires_at }): Body<Create>,
) -> Result<impl IntoResponse, ApiError> {
    let (secret, now) = (TokenSecret::random(), Timestamp::now());
    let mut new = NewToken::api(caller.account.id.clone(), secret.hash(), now);
    new.label = label("label", text)?;
    if let Some(text) = expires_at {
        let expires_at = Timestamp::deserialize(StrDeserializer::<ValueError>::new(&text))
            .map_err(|_| ApiError::field("expires_at", "it is not a time as in RFC 3339"))?;
        if expires_at <= now {
            return Err(ApiError::field("expires_at", "it is in the past"));
        }
        new.expires_at = Some(expires_at);
    }
    let added = accounts(&state)?.store().add_token(new).await.map_err(|error| match error {
        AddTokenError::LimitReached => ApiError::conflict("limit_reached", error.to_string()),
        AddTokenError::Store(error) => error.into(),
        other => ApiError::unauthorized(other.to_string()),
    })?;
    tracing::info!(user = %caller.account.id, token = %added.token.id, "a user has created an API token");
    let created = Created { secret: secret.to_text(), token: Token::from(&added.token) };
    Ok((StatusCode::CREATED, Json(created)))
}

/// Delete an API token. Its connections are closed.
#[utoipa::path(delete, path = "/api/v1/me/tokens/{token}", operation_id = "delete_token", security(("token" = [])),
    params(("token" = String, Path, description = "The id of the token")),
    responses((status = 204), (status = 401, body = Problem),
        (status = 403, body = Problem, description = "API tokens can't do this"),
        (status = 404, body = Problem, description = "there is no such token")))]
pub(super) async fn remove(
    State(state): State<RouteState>,
    caller: Device,
    PathParam(token): PathParam,
) -> Result<StatusCode, ApiError> {
    let no_such = || ApiError::not_found("there is no such token");
    let token: TokenId = token.parse().map_err(|_| no_such())?;
    let account = caller.account.id;
    if !accounts(&state)?.store().remove_token(account.clone(), token.clone()).await? {
        return Err(no_such());
    }
    state.context.sessions.end_token(&account, &token);
    tracing::info!(user = %account, %token, "a user has deleted an API token");
    Ok(StatusCode::NO_CONTENT)
}
