//! Sessions of `chat.v2`.

use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::answer::{Problem, Refused, missing};
use crate::Admin;

/// The sessions that have said `hello`, the oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Sessions {
    /// One entry for each.
    pub sessions: Vec<Session>,
}

/// A session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Session {
    /// As it stands in `welcome`, and as `connection` in the log.
    pub session: String,
    /// Who it is.
    pub username: String,
    /// When it said `hello`, RFC 3339 in UTC.
    pub began_at: String,
}

/// The sessions there are.
#[utoipa::path(get, path = "/v1/sessions", operation_id = "list_sessions", responses((status = 200, body = Sessions)))]
pub(super) async fn list(State(admin): State<Admin>) -> Json<Sessions> {
    let sessions = admin.control.sessions().into_iter().map(|session| Session {
        session: session.id,
        username: session.username.to_string(),
        began_at: session.began_at.to_string(),
    });
    Json(Sessions { sessions: sessions.collect() })
}

/// Closes a session with 4403. It can't be resumed.
#[utoipa::path(delete, path = "/v1/sessions/{session}", operation_id = "close_session", params(("session" = String, Path)),
    responses((status = 204), (status = 404, body = Problem)))]
pub(super) async fn close(
    State(admin): State<Admin>,
    Path(session): Path<String>,
) -> Result<StatusCode, Refused> {
    if !admin.control.close_session(&session) {
        return Err(missing("there is no such session"));
    }
    tracing::info!(connection = %session, "closed by the operator");
    Ok(StatusCode::NO_CONTENT)
}
