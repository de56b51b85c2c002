//! Accounts, as an admin manages them.

use std::fmt;

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Query, State};
use axum::response::IntoResponse;
use chat_accounts::{Account as Stored, CreateError, HashError, NewAccount, Password, PasswordHash};
use chat_protocol::{Role, Timestamp, Username};
use chat_server::{Accounts as Service, DeleteError};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::error::{
    ApiError, PathParams, Problem, bad_request, body, conflict, not_found, not_stored, parse, query,
    unavailable,
};
use crate::Admin;

/// The number of accounts on a page.
const PAGE: usize = 100;

/// Accounts, in the order of their names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Accounts {
    /// At most 100.
    pub accounts: Vec<Account>,
    /// The value of `after` for the next page; `null` on the last page.
    pub next: Option<String>,
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Account {
    /// The id. It never changes.
    pub id: String,
    /// The name.
    pub username: String,
    /// `account` or `service`.
    pub kind: String,
    /// What the user may do on the whole server: `user`, `moderator` or `admin`.
    #[schema(value_type = String)]
    pub role: Role,
    /// Whether the account has a password.
    pub has_password: bool,
    /// When the account was created, RFC 3339 in UTC.
    pub created_at: String,
    /// Since when the account is disabled; `null` if it is not.
    pub disabled_at: Option<String>,
    /// The ids that the user had as a guest.
    pub was: Vec<String>,
}

impl From<&Stored> for Account {
    fn from(account: &Stored) -> Self {
        Self {
            id: account.id.to_string(),
            username: account.username.to_string(),
            kind: if account.is_service { "service" } else { "account" }.to_owned(),
            role: account.role,
            has_password: account.password_hash.is_some(),
            created_at: account.created_at.to_string(),
            disabled_at: account.disabled_at.map(|time| time.to_string()),
            was: account.guests.iter().map(ToString::to_string).collect(),
        }
    }
}

/// The parameters of the query: the page.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct PageQuery {
    /// `next` of the previous answer.
    after: Option<String>,
}

/// An account to be created.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    /// The name. It can't be changed later.
    pub username: String,
    /// At least 8 characters. Absent: nobody can sign in with a password.
    pub password: Option<String>,
    /// What the user may do on the whole server: `user` (default), `moderator` or `admin`.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub role: Role,
    /// Whether this is the account of a program.
    #[serde(default)]
    pub service: bool,
}

impl fmt::Debug for NewUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewUser").field("username", &self.username).finish_non_exhaustive()
    }
}

/// Changes of an account. Absent fields stay.
#[derive(Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountChange {
    /// The new password. All sessions of the account end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// What the user may do on the whole server: `user`, `moderator` or `admin`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub role: Option<Role>,
    /// Whether the account is disabled. A disabled account can't be used: its sessions end, and
    /// those on devices can go on when it is enabled again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
}

impl fmt::Debug for AccountChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { role, disabled, .. } = self;
        f.debug_struct("AccountChange")
            .field("role", role)
            .field("disabled", disabled)
            .finish_non_exhaustive()
    }
}

/// The parameters of the query.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct DeleteQuery {
    /// Whether the messages of the user are erased, too.
    #[serde(default)]
    erase_messages: bool,
}

/// The sessions and API tokens of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Tokens {
    /// Most recently used first.
    pub tokens: Vec<Token>,
}

/// A session on a device, or an API token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Token {
    /// The id.
    pub id: String,
    /// `session` or `api`.
    pub kind: String,
    /// What the user calls the device or the program.
    pub label: Option<String>,
    /// When it was created, RFC 3339 in UTC.
    pub created_at: String,
    /// When it was last used, to the hour.
    pub last_used_at: String,
    /// When it expires.
    pub expires_at: Option<String>,
}

/// How many tokens were removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokensRemoved {
    /// The number of sessions and API tokens.
    pub tokens: usize,
}

/// List accounts.
#[utoipa::path(get, path = "/v1/accounts", operation_id = "list_accounts", params(PageQuery),
    responses((status = 200, body = Accounts),
        (status = 409, body = Problem, description = "the server has no accounts"),
        (status = 503, body = Problem, description = "the database does not answer")))]
pub(super) async fn list(
    State(admin): State<Admin>,
    params: Result<Query<PageQuery>, QueryRejection>,
) -> Result<Json<Accounts>, ApiError> {
    let after = query(params)?.after.map(|after| parse(&after)).transpose()?;
    let page = service(&admin)?.store().list(after, PAGE).await.map_err(|error| unavailable(&error))?;
    let last = page.accounts.last().map(|account| account.username.to_string());
    let next = last.filter(|_| page.more);
    Ok(Json(Accounts { accounts: page.accounts.iter().map(Account::from).collect(), next }))
}

/// Create an account. Guests who have its name, or one that looks like it, are disconnected.
#[utoipa::path(post, path = "/v1/accounts", operation_id = "create_account", request_body = NewUser,
    responses((status = 201, body = Account), (status = 400, body = Problem),
        (status = 409, body = Problem, description = "the name, or one that looks like it, is taken, or the server has no accounts"),
        (status = 503, body = Problem, description = "the database does not answer")))]
pub(super) async fn create(
    State(admin): State<Admin>,
    request: Result<Json<NewUser>, JsonRejection>,
) -> Result<impl IntoResponse, ApiError> {
    let NewUser { username, password, role, service: is_service } = body(request)?;
    let username: Username = parse(&username)?;
    let mut new = NewAccount::new(username, Timestamp::now()).with_role(role).replacing_deleted();
    new.is_service = is_service;
    if let Some(password) = password {
        new.password_hash = Some(hash(service(&admin)?, &password).await?);
    }
    // a task of its own: if the client disconnects, guests do not keep the name
    let creating = tokio::spawn(async move { admin.control.create_account(new).await });
    let account = creating.await.map_err(|error| unavailable(&error))?.map_err(|error| match error {
        CreateError::Store(error) => unavailable(&error),
        other => conflict(other.to_string()),
    })?;
    tracing::info!(user = %account.id, username = %account.username, "account created by an admin");
    Ok((StatusCode::CREATED, Json(Account::from(&account))))
}

/// Show an account.
#[utoipa::path(get, path = "/v1/accounts/{username}", operation_id = "show_account",
    params(("username" = String, Path, description = "The user's name")),
    responses((status = 200, body = Account), (status = 400, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 503, body = Problem, description = "the database does not answer")))]
pub(super) async fn show(
    State(admin): State<Admin>,
    PathParams(username): PathParams<String>,
) -> Result<Json<Account>, ApiError> {
    find(&admin, &username).await.map(|account| Json(Account::from(&account)))
}

/// Change an account.
#[utoipa::path(patch, path = "/v1/accounts/{username}", operation_id = "change_account",
    params(("username" = String, Path, description = "The user's name")),
    request_body = AccountChange,
    responses((status = 200, body = Account), (status = 400, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 503, body = Problem, description = "the database does not answer")))]
pub(super) async fn change(
    State(admin): State<Admin>,
    PathParams(username): PathParams<String>,
    request: Result<Json<AccountChange>, JsonRejection>,
) -> Result<Json<Account>, ApiError> {
    let AccountChange { password, role, disabled } = body(request)?;
    let account = find(&admin, &username).await?;
    let (accounts, id) = (service(&admin)?, account.id.clone());
    let hash = match password {
        Some(password) => Some(hash(accounts, &password).await?),
        None => None,
    };
    let store = accounts.store();
    let changing = async {
        if let Some(hash) = hash {
            store.set_password(id.clone(), Some(hash), None).await?;
        }
        if let Some(role) = role {
            store.set_role(id.clone(), role).await?;
        }
        if let Some(disabled) = disabled {
            store.set_disabled(id.clone(), disabled.then(Timestamp::now)).await?;
        }
        store.account(id.clone()).await
    };
    let changed = changing.await.map_err(|error| unavailable(&error))?;
    // a session has the role that the account had when it began
    admin.control.disconnect_user(&id);
    tracing::info!(user = %id, username, role = ?role, disabled, "account changed by an admin");
    changed.map(|account| Json(Account::from(&account))).ok_or_else(|| no_such(&username))
}

/// Delete an account. Its sessions end, and nobody can register its name for 90 days.
#[utoipa::path(delete, path = "/v1/accounts/{username}", operation_id = "delete_account",
    params(("username" = String, Path, description = "The user's name"), DeleteQuery),
    responses((status = 204), (status = 400, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem, description = "the server has no accounts, or does not store messages"),
        (status = 503, body = Problem, description = "the database does not answer")))]
pub(super) async fn delete(
    State(admin): State<Admin>,
    PathParams(username): PathParams<String>,
    params: Result<Query<DeleteQuery>, QueryRejection>,
) -> Result<StatusCode, ApiError> {
    let erases = query(params)?.erase_messages;
    let account = find(&admin, &username).await?;
    // a task of its own: if the client disconnects, what has begun is finished
    let deleting = tokio::spawn(async move { admin.control.delete_account(&account, erases).await });
    match deleting.await.map_err(|error| unavailable(&error))? {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(DeleteError::NotStored) => Err(not_stored("messages", "a database file and --history on")),
        Err(error) => Err(unavailable(&error)),
    }
}

/// List the sessions and API tokens of an account.
#[utoipa::path(get, path = "/v1/accounts/{username}/tokens", operation_id = "list_account_tokens",
    params(("username" = String, Path, description = "The user's name")),
    responses((status = 200, body = Tokens), (status = 400, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 503, body = Problem, description = "the database does not answer")))]
pub(super) async fn tokens(
    State(admin): State<Admin>,
    PathParams(username): PathParams<String>,
) -> Result<Json<Tokens>, ApiError> {
    let account = find(&admin, &username).await?;
    let listing = service(&admin)?.store().tokens(account.id, Timestamp::now());
    let tokens = listing.await.map_err(|error| unavailable(&error))?;
    let token = |token: chat_accounts::Token| Token {
        id: token.id.to_string(),
        kind: if token.kind == chat_accounts::TokenKind::Api { "api" } else { "session" }.to_owned(),
        label: token.label.map(|label| label.to_string()),
        created_at: token.created_at.to_string(),
        last_used_at: token.last_used_at.to_string(),
        expires_at: token.expires_at.map(|time| time.to_string()),
    };
    Ok(Json(Tokens { tokens: tokens.into_iter().map(token).collect() }))
}

/// Remove all sessions and API tokens of an account. Its connections are closed.
#[utoipa::path(delete, path = "/v1/accounts/{username}/tokens", operation_id = "remove_account_tokens",
    params(("username" = String, Path, description = "The user's name")),
    responses((status = 200, body = TokensRemoved), (status = 400, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 503, body = Problem, description = "the database does not answer")))]
pub(super) async fn remove_tokens(
    State(admin): State<Admin>,
    PathParams(username): PathParams<String>,
) -> Result<Json<TokensRemoved>, ApiError> {
    let account = find(&admin, &username).await?;
    let removing = service(&admin)?.store().remove_tokens(account.id.clone(), None, None);
    let removed = removing.await.map_err(|error| unavailable(&error))?;
    admin.control.disconnect_user(&account.id);
    tracing::info!(user = %account.id, %username, tokens = removed.len(), "tokens removed by an admin");
    Ok(Json(TokensRemoved { tokens: removed.len() }))
}

/// The accounts of the server.
pub(super) fn service(admin: &Admin) -> Result<&Service, ApiError> {
    admin.control.accounts().ok_or_else(|| conflict("this server has no accounts".to_owned()))
}

async fn find(admin: &Admin, username: &str) -> Result<Stored, ApiError> {
    let name: Username = parse(username)?;
    let found = service(admin)?.store().by_username(name).await.map_err(|error| unavailable(&error))?;
    found.ok_or_else(|| no_such(username))
}

fn no_such(username: &str) -> ApiError {
    not_found(format!("there is no account {username:?}"))
}

async fn hash(accounts: &Service, password: &str) -> Result<PasswordHash, ApiError> {
    let password = Password::new(password).map_err(|error| bad_request(format!("password: {error}")))?;
    accounts.hasher().hash(password).await.map_err(|error: HashError| unavailable(&error))
}
