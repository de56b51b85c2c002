//! The announcement to all users.

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use chat_protocol::v2::NoticeLevel;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::error::{ApiError, Problem, bad_request, not_found, unavailable};
use super::rooms::Level;
use crate::Admin;

/// The maximum length of an announcement, in bytes.
const MAX_ANNOUNCEMENT_BYTES: usize = 4_096;

/// An announcement to all users.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAnnouncement {
    /// The text, in Markdown: 1 to 4,096 bytes, and not only white space.
    #[schema(min_length = 1, max_length = 4096)]
    pub body: String,
    /// The importance.
    #[serde(default)]
    pub level: Level,
}

/// An announcement that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Announcement {
    /// Its id.
    pub id: String,
    /// The importance.
    pub level: Level,
    /// The text, in Markdown.
    pub body: String,
    /// When it was made, RFC 3339 in UTC.
    pub made_at: String,
}

/// The current announcement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CurrentAnnouncement {
    /// The announcement. Absent if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub announcement: Option<Announcement>,
}

impl From<chat_access::Announcement> for Announcement {
    fn from(made: chat_access::Announcement) -> Self {
        Self {
            id: made.id.to_string(),
            level: match made.level {
                NoticeLevel::Warning => Level::Warning,
                _ => Level::Info,
            },
            body: made.body.as_ref().to_owned(),
            made_at: made.made_at.to_string(),
        }
    }
}

/// Show the announcement.
#[utoipa::path(get, path = "/v1/announcement", operation_id = "show_announcement",
    responses((status = 200, body = CurrentAnnouncement)))]
pub(super) async fn show(State(admin): State<Admin>) -> Json<CurrentAnnouncement> {
    Json(CurrentAnnouncement { announcement: admin.control.announcement().map(Announcement::from) })
}

/// Make an announcement to all users, in place of the one before. It stays until it is withdrawn.
/// If the current announcement has this level and this text, nothing changes.
#[utoipa::path(put, path = "/v1/announcement", operation_id = "make_announcement", request_body = NewAnnouncement,
    responses((status = 200, body = Announcement), (status = 400, body = Problem),
        (status = 503, body = Problem, description = "the database does not answer")))]
pub(super) async fn make(
    State(admin): State<Admin>,
    request: Result<Json<NewAnnouncement>, JsonRejection>,
) -> Result<Json<Announcement>, ApiError> {
    let Json(NewAnnouncement { body, level }) = request.map_err(|error| bad_request(error.body_text()))?;
    if body.trim().is_empty() || body.len() > MAX_ANNOUNCEMENT_BYTES {
        return Err(bad_request(format!(
            "an announcement must have 1 to {MAX_ANNOUNCEMENT_BYTES} bytes, and not only white space"
        )));
    }
    let made = admin.control.announce(level.into(), body).await.map_err(|error| unavailable(&error))?;
    tracing::info!(id = %made.id, "announcement made by an admin");
    Ok(Json(made.into()))
}

/// Withdraw the announcement.
#[utoipa::path(delete, path = "/v1/announcement", operation_id = "withdraw_announcement",
    responses((status = 204), (status = 404, body = Problem, description = "there is no announcement"),
        (status = 503, body = Problem, description = "the database does not answer")))]
pub(super) async fn withdraw(State(admin): State<Admin>) -> Result<StatusCode, ApiError> {
    let withdrawn = admin.control.withdraw_announcement().await.map_err(|error| unavailable(&error))?;
    let withdrawn = withdrawn.ok_or_else(|| not_found("there is no announcement"))?;
    tracing::info!(id = %withdrawn.id, "announcement withdrawn by an admin");
    Ok(StatusCode::NO_CONTENT)
}
