//! The settings of rooms.

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use chat_protocol::{MayJoin, MayPost, RoomName, RoomSettings};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::error::{ApiError, PathParams, Problem, body, parse, unavailable};
use crate::Admin;

/// The settings of a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Settings {
    /// Who may join.
    pub join: Join,
    /// Who may post.
    pub post: Post,
}

/// A change of the settings of a room. What is absent stays as it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SettingsChange {
    /// Who may join.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub join: Option<Join>,
    /// Who may post.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post: Option<Post>,
}

/// Who may join a room. Moderators and admins of the server always may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Join {
    /// Everyone.
    Everyone,
    /// Users with an account.
    Accounts,
}

/// Who may post in a room. Moderators and admins of the server always may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Post {
    /// Everyone in the room.
    Everyone,
    /// Users with an account.
    Accounts,
    /// Moderators and admins of the server.
    Moderators,
}

impl Join {
    /// All values.
    pub const ALL: [Self; 2] = [Self::Everyone, Self::Accounts];

    /// The name of the value in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Everyone => "everyone",
            Self::Accounts => "accounts",
        }
    }
}

impl Post {
    /// All values.
    pub const ALL: [Self; 3] = [Self::Everyone, Self::Accounts, Self::Moderators];

    /// The name of the value in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Everyone => "everyone",
            Self::Accounts => "accounts",
            Self::Moderators => "moderators",
        }
    }
}

/// The settings as the API shows them.
fn shown(settings: &RoomSettings) -> Result<Json<Settings>, ApiError> {
    let newer = || unavailable(&"a newer version has written the settings of this room");
    let join = match settings.join {
        MayJoin::Everyone => Join::Everyone,
        MayJoin::Accounts => Join::Accounts,
        _ => return Err(newer()),
    };
    let post = match settings.post {
        MayPost::Everyone => Post::Everyone,
        MayPost::Accounts => Post::Accounts,
        MayPost::Moderators => Post::Moderators,
        _ => return Err(newer()),
    };
    Ok(Json(Settings { join, post }))
}

impl SettingsChange {
    fn apply(self, mut settings: RoomSettings) -> RoomSettings {
        if let Some(join) = self.join {
            settings.join = match join {
                Join::Everyone => MayJoin::Everyone,
                Join::Accounts => MayJoin::Accounts,
            };
        }
        if let Some(post) = self.post {
            settings.post = match post {
                Post::Everyone => MayPost::Everyone,
                Post::Accounts => MayPost::Accounts,
                Post::Moderators => MayPost::Moderators,
            };
        }
        settings
    }
}

/// Show the settings of a room. A room that nobody has configured has the default settings.
#[utoipa::path(get, path = "/v1/rooms/{room}/settings", operation_id = "room_settings", params(("room" = String, Path)),
    responses((status = 200, body = Settings), (status = 503, body = Problem, description = "the database does not answer")))]
pub(super) async fn show(
    State(admin): State<Admin>,
    PathParams(room): PathParams<String>,
) -> Result<Json<Settings>, ApiError> {
    let found = admin.control.engine().settings(&parse(&room)?).await;
    shown(&*found.map_err(|error| unavailable(&error))?)
}

/// Change the settings of a room. They hold at once: users whom they do not admit leave it.
#[utoipa::path(patch, path = "/v1/rooms/{room}/settings", operation_id = "configure_room", params(("room" = String, Path)),
    request_body = SettingsChange,
    responses((status = 200, body = Settings), (status = 400, body = Problem),
        (status = 503, body = Problem, description = "the database does not answer")))]
pub(super) async fn change(
    State(admin): State<Admin>,
    PathParams(room): PathParams<String>,
    request: Result<Json<SettingsChange>, JsonRejection>,
) -> Result<Json<Settings>, ApiError> {
    let change = body(request)?;
    let room: RoomName = parse(&room)?;
    let engine = admin.control.engine();
    let configuring = async {
        let before = engine.settings(&room).await?;
        let settings = change.apply(RoomSettings::clone(&before));
        engine.configure(&room, settings.clone()).await?;
        Ok(settings)
    };
    let settings = configuring.await.map_err(|error: chat_history::HistoryError| unavailable(&error))?;
    let settings = shown(&settings)?;
    tracing::info!(%room, join = settings.join.name(), post = settings.post.name(), "room configured by an admin");
    Ok(settings)
}
