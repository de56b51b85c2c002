//! The connected clients.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::error::{ApiError, PathParams, Problem, not_found};
use crate::Admin;

/// The connected clients, the oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Sessions {
    /// The `chat.v2` sessions that have sent `hello`.
    pub sessions: Vec<Session>,
    /// The classic clients.
    #[serde(default)]
    pub classic: Vec<ClassicClient>,
}

/// A `chat.v2` session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Session {
    /// The session's id, as in `welcome`, and as `connection` in the log.
    pub session: String,
    /// The user's id.
    #[serde(default)]
    pub user: String,
    /// The user's name.
    pub username: String,
    /// The client's address. Behind a trusted proxy, it is the address that the proxy reports.
    #[serde(default)]
    pub address: String,
    /// When the session sent `hello`, RFC 3339 in UTC.
    pub began_at: String,
}

/// A classic client: one connection, which is one member of one room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ClassicClient {
    /// The user's id, which is that of this connection alone.
    #[serde(default)]
    pub user: String,
    /// The user's name.
    pub username: String,
    /// The name of the room.
    pub room: String,
    /// The client's address. Behind a trusted proxy, it is the address that the proxy reports.
    pub address: String,
    /// When the client joined, RFC 3339 in UTC.
    pub began_at: String,
}

/// List the connected clients.
#[utoipa::path(get, path = "/v1/sessions", operation_id = "list_sessions", responses((status = 200, body = Sessions)))]
pub(super) async fn list(State(admin): State<Admin>) -> Json<Sessions> {
    let sessions = admin.control.sessions().into_iter().map(|session| Session {
        session: session.id,
        user: session.user.to_string(),
        username: session.username.to_string(),
        address: session.address.to_canonical().to_string(),
        began_at: session.began_at.to_string(),
    });
    let classic = admin.control.classic_clients().into_iter().map(|client| ClassicClient {
        user: client.member.user.to_string(),
        username: client.member.username.to_string(),
        room: client.member.room.to_string(),
        address: client.address.to_canonical().to_string(),
        began_at: client.member.joined_at.to_string(),
    });
    Json(Sessions { sessions: sessions.collect(), classic: classic.collect() })
}

/// End a `chat.v2` session. Its connection is closed with 4403, and the client
/// does not reconnect.
#[utoipa::path(delete, path = "/v1/sessions/{session}", operation_id = "close_session", params(("session" = String, Path)),
    responses((status = 204), (status = 404, body = Problem)))]
pub(super) async fn close(
    State(admin): State<Admin>,
    PathParams(session): PathParams<String>,
) -> Result<StatusCode, ApiError> {
    if !admin.control.close_session(&session) {
        return Err(not_found(format!("there is no session {session:?}")));
    }
    tracing::info!(connection = %session, "session closed by an admin");
    Ok(StatusCode::NO_CONTENT)
}
