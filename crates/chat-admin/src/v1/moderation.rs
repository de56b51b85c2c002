//! Roles, bans and mutes in a room, given and ended by the operator.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use chat_access::{ActError, ActKind, Doer, NewAct, Person, RestrictionKind, Scope};
use chat_protocol::{Moderation, Role, RoomName, RoomRole, Timestamp, UserId, UserKind};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::audit::Named;
use super::error::{ApiError, PathParams, Problem, body, conflict, not_found, parse, unavailable};
use crate::Admin;

/// The users who have a role in a room, and who is banned or muted there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Rules {
    /// The users who have a role, ordered by their ids.
    pub roles: Vec<RoleEntry>,
    /// The bans and mutes that hold, ordered by the users' ids.
    pub restrictions: Vec<Restriction>,
}

/// A user who has a role in a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RoleEntry {
    /// The user, with the name at the time at which it got the role.
    pub target: Named,
    /// The role: member, moderator or owner.
    pub role: String,
}

/// A ban or a mute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Restriction {
    /// The user, with the name at that time.
    pub target: Named,
    /// What it is: ban or mute.
    pub kind: String,
    /// Until when it holds, RFC 3339 in UTC. Absent: until it is ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// The network of a guest, whose other guests it concerns, too, for at most 30 days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// The number of its record in the audit log.
    pub number: u64,
}

/// A role to be given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RoleChange {
    /// The role: member, moderator or owner. Absent or null: none.
    #[serde(default)]
    pub role: Option<String>,
}

/// Something that is done to a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ModerationRequest {
    /// The id of the user, as the lists of sessions, members and messages have it.
    pub user: String,
    /// What is done: kick, ban, unban, mute, unmute or warn.
    pub action: String,
    /// Why; at most 300 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// For how many seconds a ban or a mute holds. Absent: until it is ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_s: Option<u64>,
}

/// What has become of a request to change something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Done {
    /// Whether anything has changed. If so, the audit log has a record of it.
    pub changed: bool,
}

/// The maximum number of pages of one list.
const MAX_PAGES: usize = 100;

/// Show who has a role in a room, and who is banned or muted there.
#[utoipa::path(get, path = "/v1/rooms/{room}/rules", operation_id = "room_rules", params(("room" = String, Path)),
    responses((status = 200, body = Rules), (status = 503, body = Problem, description = "the database does not answer")))]
pub(super) async fn show(
    State(admin): State<Admin>,
    PathParams(room): PathParams<String>,
) -> Result<Json<Rules>, ApiError> {
    let room: RoomName = parse(&room)?;
    let access = admin.control.engine().access();
    let mut roles = Vec::new();
    let mut after: Option<UserId> = None;
    for _ in 0..MAX_PAGES {
        let page = access.roles(room.clone(), after.take(), chat_access::MAX_PAGE).await;
        let page = page.map_err(|error| unavailable(&error))?;
        after = page.last().map(|entry| entry.user.id.clone());
        let is_last = page.len() < chat_access::MAX_PAGE;
        roles.extend(
            page.iter()
                .map(|entry| RoleEntry { target: Named::from(&entry.user), role: entry.role.to_string() }),
        );
        if is_last {
            break;
        }
    }
    Ok(Json(Rules { roles, restrictions: restrictions(&admin, &Scope::Room(room)).await? }))
}

/// Show who is banned or muted on the whole server.
#[utoipa::path(get, path = "/v1/rules", operation_id = "server_rules",
    responses((status = 200, body = Rules), (status = 503, body = Problem, description = "the database does not answer")))]
pub(super) async fn show_server(State(admin): State<Admin>) -> Result<Json<Rules>, ApiError> {
    Ok(Json(Rules { roles: Vec::new(), restrictions: restrictions(&admin, &Scope::Server).await? }))
}

async fn restrictions(admin: &Admin, scope: &Scope) -> Result<Vec<Restriction>, ApiError> {
    let access = admin.control.engine().access();
    let (mut restrictions, mut after) = (Vec::new(), None);
    for _ in 0..MAX_PAGES {
        let page = access.restrictions(scope.clone(), after, chat_access::MAX_PAGE).await;
        let page = page.map_err(|error| unavailable(&error))?;
        after = page.last().map(|found| found.user.id.clone());
        if after.is_none() {
            break;
        }
        restrictions.extend(page.iter().map(|found| Restriction {
            target: Named::from(&found.user),
            kind: match found.kind {
                RestrictionKind::Ban => "ban".to_owned(),
                RestrictionKind::Mute => "mute".to_owned(),
            },
            until: found.until.map(|until| until.to_string()),
            network: found.network.map(|(network, _)| network.to_string()),
            number: found.number,
        }));
    }
    Ok(restrictions)
}

/// Give a user a role in a room, or take it away.
#[utoipa::path(put, path = "/v1/rooms/{room}/roles/{user}", operation_id = "set_role",
    params(("room" = String, Path), ("user" = String, Path, description = "The id of the user")), request_body = RoleChange,
    responses((status = 200, body = Done), (status = 404, body = Problem, description = "there is no such user"),
        (status = 409, body = Problem, description = "the user is a guest, or has the highest rank"),
        (status = 503, body = Problem, description = "the database does not answer")))]
pub(super) async fn set_role(
    State(admin): State<Admin>,
    PathParams((room, user)): PathParams<(String, String)>,
    request: Result<Json<RoleChange>, JsonRejection>,
) -> Result<Json<Done>, ApiError> {
    let RoleChange { role } = body(request)?;
    let role: Option<RoomRole> = role.map(|role| parse(&role)).transpose()?;
    let scope = Scope::Room(parse(&room)?);
    let target = person(&admin, &user, &scope).await?;
    act(&admin, scope, ActKind::SetRole(role), target, None).await
}

/// Remove, ban, mute or warn a user, or end a ban or a mute.
#[utoipa::path(post, path = "/v1/rooms/{room}/moderation", operation_id = "moderate", params(("room" = String, Path)),
    request_body = ModerationRequest,
    responses((status = 200, body = Done), (status = 404, body = Problem, description = "there is no such user"),
        (status = 409, body = Problem, description = "there are too many bans or mutes"),
        (status = 503, body = Problem, description = "the database does not answer")))]
pub(super) async fn moderate(
    State(admin): State<Admin>,
    PathParams(room): PathParams<String>,
    request: Result<Json<ModerationRequest>, JsonRejection>,
) -> Result<Json<Done>, ApiError> {
    carry_out(&admin, Scope::Room(parse(&room)?), body(request)?).await
}

/// Remove, ban, mute or warn a user on the whole server, or end a ban or a mute. A banned user
/// cannot connect any more.
#[utoipa::path(post, path = "/v1/moderation", operation_id = "moderate_on_server",
    request_body = ModerationRequest,
    responses((status = 200, body = Done), (status = 404, body = Problem, description = "there is no such user"),
        (status = 409, body = Problem, description = "there are too many bans or mutes"),
        (status = 503, body = Problem, description = "the database does not answer")))]
pub(super) async fn moderate_on_server(
    State(admin): State<Admin>,
    request: Result<Json<ModerationRequest>, JsonRejection>,
) -> Result<Json<Done>, ApiError> {
    carry_out(&admin, Scope::Server, body(request)?).await
}

async fn carry_out(
    admin: &Admin,
    scope: Scope,
    ModerationRequest { user, action, reason, for_s }: ModerationRequest,
) -> Result<Json<Done>, ApiError> {
    let action = Moderation::ALL.into_iter().find(|known| known.as_str() == action).ok_or_else(|| {
        super::error::bad_request("the action must be kick, ban, unban, mute, unmute or warn")
    })?;
    let reason = reason.map(|reason| parse(&reason)).transpose()?;
    let until = for_s.map(|seconds| Timestamp::now().saturating_add(Duration::from_secs(seconds)));
    let until = until.filter(|_| matches!(action, Moderation::Ban | Moderation::Mute));
    let target = person(admin, &user, &scope).await?;
    act(admin, scope, ActKind::Moderate(action, until), target, reason).await
}

/// The user who is meant: one who is connected, has an account, or is banned or muted.
async fn person(admin: &Admin, user: &str, scope: &Scope) -> Result<Person, ApiError> {
    let id: UserId = parse(user)?;
    let found = admin.control.person(&id).await.map_err(|error| unavailable(&error))?;
    if let Some(person) = found {
        return Ok(person);
    }
    let restricted = admin.control.engine().access().restriction(scope.clone(), id).await;
    let restriction = restricted.map_err(|error| unavailable(&error))?;
    let restriction = restriction
        .ok_or_else(|| not_found(format!("there is no user {user:?} with an account or a connection")))?;
    let chat_access::Named { id, username, .. } = restriction.user;
    let kind = if id.is_guest() { UserKind::Guest } else { UserKind::Account };
    Ok(Person { id, username, kind, role: Role::User, network: None })
}

async fn act(
    admin: &Admin,
    scope: Scope,
    kind: ActKind,
    target: Person,
    reason: Option<chat_protocol::Reason>,
) -> Result<Json<Done>, ApiError> {
    let room = scope.room().map(ToString::to_string);
    let (act, user) = (kind.as_str(), target.id.clone());
    let new = NewAct::new(scope, Doer::Operator, kind, target).reason(reason);
    let changed = match admin.control.act(new).await {
        Ok(record) => record.is_some(),
        Err(ActError::Refused(refused)) => return Err(conflict(refused.to_string())),
        Err(error) => return Err(unavailable(&error)),
    };
    tracing::info!(room, %user, act, changed, "moderation by an admin");
    Ok(Json(Done { changed }))
}
