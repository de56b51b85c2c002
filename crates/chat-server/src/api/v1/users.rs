//! What everyone may know about a user.

use axum::Json;
use axum::extract::State;
use chat_protocol::{Role, UserKind, Username};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::bearer::accounts;
use super::error::{ApiError, PathParam, Problem};
use crate::api::RouteState;

/// A user with an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(super) struct User {
    /// The id.
    pub id: String,
    /// The name.
    pub username: String,
    /// `account` or `service`.
    #[schema(value_type = String)]
    pub kind: UserKind,
    /// What the user may do on the whole server: `user`, `moderator` or `admin`.
    #[schema(value_type = String)]
    pub role: Role,
    /// What the user wants to be called.
    pub display_name: Option<String>,
    /// What the user says about themselves.
    pub about: Option<String>,
    /// The user's time zone, such as `Europe/Vienna`.
    pub time_zone: Option<String>,
    /// When the account was created, RFC 3339 in UTC.
    pub created_at: String,
}

/// Show the public profile of a user.
#[utoipa::path(get, path = "/api/v1/users/{username}", operation_id = "show_user",
    params(("username" = String, Path, description = "The user's name")),
    responses((status = 200, body = User),
        (status = 404, body = Problem, description = "no account has this name")))]
pub(super) async fn show(
    State(state): State<RouteState>,
    PathParam(username): PathParam,
) -> Result<Json<User>, ApiError> {
    let no_such = || ApiError::not_found("no account has this name");
    let username = Username::parse(&username).map_err(|_| no_such())?;
    let account = accounts(&state)?.store().by_username(username).await?;
    let account = account.filter(|account| account.disabled_at.is_none()).ok_or_else(no_such)?;
    Ok(Json(User {
        id: account.id.to_string(),
        username: account.username.to_string(),
        kind: account.kind(),
        role: account.role,
        display_name: account.profile.display_name.map(|text| text.to_string()),
        about: account.profile.about.map(|text| text.to_string()),
        time_zone: account.profile.time_zone.map(|text| text.to_string()),
        created_at: account.created_at.to_string(),
    }))
}
