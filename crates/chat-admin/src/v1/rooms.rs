//! Rooms, their members, and notices.

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Query, State};
use chat_protocol::v2::NoticeLevel;
use chat_protocol::{MemberId, RoomName, Username};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::error::{ApiError, PathParams, Problem, bad_request, not_found, parse, query, unavailable};
use crate::Admin;

/// The maximum number of members of a page.
const PAGE_MEMBERS: usize = 100;

/// The maximum length of a notice, in bytes.
const MAX_NOTICE_BYTES: usize = 4_096;

/// The rooms that have members, by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Rooms {
    /// One entry per room.
    pub rooms: Vec<Room>,
}

/// A room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Room {
    /// The room's name.
    pub room: String,
    /// The number of members.
    pub members: usize,
}

/// A page of the members of a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Members {
    /// At most 100 members, in the order in which they joined.
    pub members: Vec<Member>,
    /// The number of members of the room.
    pub total: usize,
    /// The value of `after` for the next page; `null` on the last page.
    pub next: Option<String>,
}

/// The parameters of the query: the page.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct PageQuery {
    /// `next` of the previous page.
    after: Option<i64>,
}

/// A member of a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Member {
    /// The user's id.
    #[serde(default)]
    pub user: String,
    /// The user's name.
    pub username: String,
    /// When the user joined, RFC 3339 in UTC.
    pub joined_at: String,
}

/// The result of closing a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RoomClosed {
    /// The number of members that were removed.
    pub members: usize,
}

/// A notice to users.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Notice {
    /// The text: 1 to 4,096 bytes.
    #[schema(min_length = 1, max_length = 4096)]
    pub body: String,
    /// The importance.
    #[serde(default)]
    pub level: Level,
}

/// The importance of a notice.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// For information.
    #[default]
    Info,
    /// Users should act on it.
    Warning,
}

/// The result of sending a notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NoticeSent {
    /// The number of rooms that received it.
    pub rooms: usize,
}

impl From<Level> for NoticeLevel {
    fn from(level: Level) -> Self {
        match level {
            Level::Info => Self::Info,
            Level::Warning => Self::Warning,
        }
    }
}

/// List the rooms that have members.
#[utoipa::path(get, path = "/v1/rooms", operation_id = "list_rooms", responses((status = 200, body = Rooms)))]
pub(super) async fn list(State(admin): State<Admin>) -> Json<Rooms> {
    let rooms = admin.control.engine().rooms().into_iter();
    Json(Rooms { rooms: rooms.map(|(room, members)| Room { room: room.to_string(), members }).collect() })
}

/// List the members of a room.
#[utoipa::path(get, path = "/v1/rooms/{room}/members", params(("room" = String, Path), PageQuery),
    responses((status = 200, body = Members), (status = 404, body = Problem, description = "the room has no members")))]
pub(super) async fn members(
    State(admin): State<Admin>,
    PathParams(room): PathParams<String>,
    params: Result<Query<PageQuery>, QueryRejection>,
) -> Result<Json<Members>, ApiError> {
    let engine = admin.control.engine();
    let after = query(params)?.after.map(MemberId::new);
    let (members, total) =
        engine.members_after(&parse(&room)?, after, PAGE_MEMBERS).ok_or_else(|| no_members(&room))?;
    // the last member of a full page may be the last of the room; the next page is empty then
    let next = members.last().filter(|_| members.len() == PAGE_MEMBERS).map(|last| last.id.get().to_string());
    let member = |member: &std::sync::Arc<chat_protocol::Member>| Member {
        user: member.user.to_string(),
        username: member.username.to_string(),
        joined_at: member.joined_at.to_string(),
    };
    Ok(Json(Members { members: members.iter().map(member).collect(), total, next }))
}

/// Remove a user from a room. This is not a ban: the user can rejoin at once.
#[utoipa::path(delete, path = "/v1/rooms/{room}/members/{username}", params(("room" = String, Path), ("username" = String, Path)),
    responses((status = 204), (status = 404, body = Problem, description = "the room has no member with this name")))]
pub(super) async fn kick(
    State(admin): State<Admin>,
    PathParams((room, username)): PathParams<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let (room, username): (RoomName, Username) = (parse(&room)?, parse(&username)?);
    if !admin.control.engine().kick(&room, &username) {
        return Err(not_found(format!("there is no member \"{username}\" in the room \"{room}\"")));
    }
    tracing::info!(%room, %username, "member removed by an admin");
    Ok(StatusCode::NO_CONTENT)
}

/// Remove all members from a room. Its messages stay, and the next user who joins opens it again.
#[utoipa::path(delete, path = "/v1/rooms/{room}", operation_id = "close_room", params(("room" = String, Path)),
    responses((status = 200, body = RoomClosed), (status = 404, body = Problem, description = "the room has no members")))]
pub(super) async fn close(
    State(admin): State<Admin>,
    PathParams(room): PathParams<String>,
) -> Result<Json<RoomClosed>, ApiError> {
    let room: RoomName = parse(&room)?;
    let (engine, name) = (admin.control.engine().clone(), room.clone());
    // a large room takes some time, which this worker should not spend
    let closed = tokio::task::spawn_blocking(move || engine.close_room(&name));
    match closed.await.map_err(|error| unavailable(&error))? {
        0 => Err(no_members(room.as_str())),
        members => {
            tracing::info!(%room, members, "room closed by an admin");
            Ok(Json(RoomClosed { members }))
        }
    }
}

/// Send a notice to all members of a room.
#[utoipa::path(post, path = "/v1/rooms/{room}/notice", params(("room" = String, Path)), request_body = Notice,
    responses((status = 200, body = NoticeSent), (status = 400, body = Problem), (status = 404, body = Problem, description = "the room has no members")))]
pub(super) async fn notice(
    State(admin): State<Admin>,
    PathParams(room): PathParams<String>,
    notice: Result<Json<Notice>, JsonRejection>,
) -> Result<Json<NoticeSent>, ApiError> {
    let Notice { body, level } = validate(notice)?;
    if !admin.control.engine().notice(&parse(&room)?, level.into(), body) {
        return Err(no_members(&room));
    }
    Ok(Json(NoticeSent { rooms: 1 }))
}

/// Send a notice to all users.
#[utoipa::path(post, path = "/v1/notice", request_body = Notice,
    responses((status = 200, body = NoticeSent), (status = 400, body = Problem)))]
pub(super) async fn notice_all(
    State(admin): State<Admin>,
    notice: Result<Json<Notice>, JsonRejection>,
) -> Result<Json<NoticeSent>, ApiError> {
    let Notice { body, level } = validate(notice)?;
    Ok(Json(NoticeSent { rooms: admin.control.notice_all(level.into(), body) }))
}

fn validate(notice: Result<Json<Notice>, JsonRejection>) -> Result<Notice, ApiError> {
    let Json(notice) = notice.map_err(|error| bad_request(error.body_text()))?;
    if notice.body.is_empty() || notice.body.len() > MAX_NOTICE_BYTES {
        return Err(bad_request(format!("a notice must have 1 to {MAX_NOTICE_BYTES} bytes")));
    }
    Ok(notice)
}

fn no_members(room: &str) -> ApiError {
    not_found(format!("the room \"{room}\" has no members"))
}
