//! The account of the user who sends the request.

use axum::Json;
use axum::extract::State;
use chat_accounts::{About, Account, DisplayName, ProfileChange, TimeZone};
use chat_protocol::{DeletedBy, Role};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use super::bearer::{Caller, Device, accounts, address};
use super::error::{ApiError, Body, Problem};
use crate::api::RouteState;

/// The user's own account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(super) struct Me {
    /// The id. It never changes.
    pub id: String,
    /// The name.
    pub username: String,
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
    /// The ids that the user had as a guest.
    pub was: Vec<String>,
}

impl Me {
    pub(super) fn new(account: &Account) -> Self {
        let profile = &account.profile;
        Self {
            id: account.id.to_string(),
            username: account.username.to_string(),
            role: account.role,
            display_name: profile.display_name.as_ref().map(ToString::to_string),
            about: profile.about.as_ref().map(ToString::to_string),
            time_zone: profile.time_zone.as_ref().map(ToString::to_string),
            created_at: account.created_at.to_string(),
            was: account.guests.iter().map(ToString::to_string).collect(),
        }
    }
}

/// Changes of a profile. An absent field stays, `null` removes it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    /// One line of up to 50 characters.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    display_name: Option<Option<String>>,
    /// Up to 500 characters.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    about: Option<Option<String>>,
    /// The name of a time zone, such as `Europe/Vienna`.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    time_zone: Option<Option<String>>,
}

/// A field that is there, even if it is `null`.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// How to delete an account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Delete {
    /// The password of the account. An account that signs in elsewhere has none.
    password: Option<String>,
    /// Whether the messages of the user are erased, too.
    #[serde(default)]
    erase_messages: bool,
}

/// Show your account.
#[utoipa::path(get, path = "/api/v1/me", operation_id = "show_me", security(("token" = [])),
    responses((status = 200, body = Me), (status = 401, body = Problem)))]
pub(super) async fn show(Caller(caller): Caller) -> Json<Me> {
    Json(Me::new(&caller.account))
}

/// Change your profile.
#[utoipa::path(patch, path = "/api/v1/me", operation_id = "change_me", security(("token" = [])),
    request_body = Change,
    responses((status = 200, body = Me), (status = 401, body = Problem),
        (status = 422, body = Problem, description = "a field is not acceptable: `fields` has the reasons")))]
pub(super) async fn change(
    State(state): State<RouteState>,
    Caller(caller): Caller,
    Body(request): Body<Change>,
) -> Result<Json<Me>, ApiError> {
    let mut change = ProfileChange::new();
    change.display_name = parse::<DisplayName>("display_name", request.display_name)?;
    change.about = parse::<About>("about", request.about)?;
    change.time_zone = parse::<TimeZone>("time_zone", request.time_zone)?;
    let (accounts, id) = (accounts(&state)?, caller.account.id);
    accounts.store().set_profile(id.clone(), change).await?;
    let account = accounts.account(&id).await?;
    account
        .map(|account| Json(Me::new(&account)))
        .ok_or_else(|| ApiError::unauthorized("the account is gone"))
}

/// A changed field. An empty text removes it, as `null` does.
fn parse<T: std::str::FromStr<Err: ToString>>(
    field: &str,
    text: Option<Option<String>>,
) -> Result<Option<Option<T>>, ApiError> {
    let text = text.map(|text| text.filter(|text| !text.trim().is_empty()));
    let parsed = text.map(|text| text.map(|text| text.parse::<T>()).transpose()).transpose();
    parsed.map_err(|error| ApiError::field(field, &error))
}

/// Delete your account.
///
/// Its sessions and tokens end, and its connections are closed. Nobody can have the name, or one
/// that looks like it, for 90 days. Messages stay unless they are erased: then the server stops
/// accepting the account first, everyone who sees the messages is notified, and their copies in
/// reports are erased, too.
#[utoipa::path(delete, path = "/api/v1/me", operation_id = "delete_me", security(("token" = [])),
    request_body = Delete,
    responses((status = 204), (status = 401, body = Problem, description = "the token or the password is wrong"),
        (status = 403, body = Problem, description = "API tokens can't do this"),
        (status = 409, body = Problem, description = "messages are not stored, so they can't be erased"),
        (status = 429, body = Problem, description = "too many attempts"),
        (status = 503, body = Problem, description = "the database does not answer")))]
pub(super) async fn delete(
    State(state): State<RouteState>,
    headers: HeaderMap,
    caller: Device,
    Body(request): Body<Delete>,
) -> Result<StatusCode, ApiError> {
    let (accounts, account) = (accounts(&state)?.clone(), caller.account);
    if request.erase_messages && accounts.messages().is_none() {
        return Err(ApiError::conflict("not_stored", "this server does not store messages"));
    }
    if account.password_hash.is_some() {
        let password = request.password.unwrap_or_default();
        accounts.confirm(&account, &password, address(&state, &headers)).await?;
    }
    let context = state.context.clone();
    // a task of its own: if the client disconnects, what has begun is finished
    let erases = request.erase_messages.then_some(DeletedBy::Author);
    let deleting = tokio::spawn(async move { context.delete_account(&accounts, &account, erases).await });
    let deleted = deleting.await.map_err(|error| ApiError::unavailable(&error))?;
    deleted.map_err(|error| ApiError::unavailable(&error))?;
    Ok(StatusCode::NO_CONTENT)
}
