//! The settings of rooms.

use std::fmt::Display;
use std::str::FromStr;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use chat_protocol::{MayJoin, MayPost, RoomName, RoomSettings};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::error::{ApiError, PathParams, Problem, bad_request, body, conflict, parse, unavailable};
use crate::Admin;

/// The settings of a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Settings {
    /// What the room is called. Absent: by its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What the room is about, in Markdown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// Who can find the room.
    pub visibility: Visibility,
    /// Who may join.
    pub join: Join,
    /// Who may post.
    pub post: Post,
    /// How many seconds must pass between two messages of one user; 0: no time.
    pub slow_mode_s: u32,
    /// Who may address everyone with `@room`.
    pub mention_room: MentionRoom,
}

/// A change of the settings of a room. What is absent stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SettingsChange {
    /// What the room is called; at most 80 characters. An empty text removes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What the room is about, in Markdown; at most 500 characters. An empty text removes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// Who can find the room: public, unlisted or private. A room without a name is always private.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visibility: Option<Visibility>,
    /// Who may join.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub join: Option<Join>,
    /// Who may post.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post: Option<Post>,
    /// How many seconds must pass between two messages of one user; 0: no time, at most 86,400.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slow_mode_s: Option<u32>,
    /// Who may address everyone with `@room`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mention_room: Option<MentionRoom>,
}

/// Who can find a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Visibility {
    /// Everyone: the room is in the directory.
    Public,
    /// Users who know its name.
    Unlisted,
    /// Users who have a role in the room. Nobody else may join.
    Private,
    /// The two users of a direct room, whose settings cannot be changed.
    Direct,
}

/// Who may join a room, from the most users to the fewest. Moderators and admins of the server
/// always may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Join {
    /// Everyone.
    Everyone,
    /// Users with an account.
    Accounts,
    /// Users who have a role in the room.
    Members,
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
    /// Users who have a role in the room.
    Members,
    /// Moderators and owners of the room.
    Moderators,
}

/// Who may address everyone in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum MentionRoom {
    /// Moderators and owners of the room.
    Moderators,
    /// Everyone who may post.
    Everyone,
}

impl Visibility {
    /// The values that a room can be given.
    pub const ALL: [Self; 3] = [Self::Public, Self::Unlisted, Self::Private];

    /// The name of the value in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Unlisted => "unlisted",
            Self::Private => "private",
            Self::Direct => "direct",
        }
    }
}

impl Join {
    /// All values.
    pub const ALL: [Self; 3] = [Self::Everyone, Self::Accounts, Self::Members];

    /// The name of the value in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Everyone => "everyone",
            Self::Accounts => "accounts",
            Self::Members => "members",
        }
    }
}

impl Post {
    /// All values.
    pub const ALL: [Self; 4] = [Self::Everyone, Self::Accounts, Self::Members, Self::Moderators];

    /// The name of the value in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Everyone => "everyone",
            Self::Accounts => "accounts",
            Self::Members => "members",
            Self::Moderators => "moderators",
        }
    }
}

impl MentionRoom {
    /// All values.
    pub const ALL: [Self; 2] = [Self::Moderators, Self::Everyone];

    /// The name of the value in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Moderators => "moderators",
            Self::Everyone => "everyone",
        }
    }
}

/// The settings as the API shows them.
fn shown(settings: &RoomSettings) -> Result<Json<Settings>, ApiError> {
    let newer = || unavailable(&"a newer version has written the settings of this room");
    let join = match settings.join {
        MayJoin::Everyone => Join::Everyone,
        MayJoin::Accounts => Join::Accounts,
        MayJoin::Members => Join::Members,
        _ => return Err(newer()),
    };
    let post = match settings.post {
        MayPost::Everyone => Post::Everyone,
        MayPost::Accounts => Post::Accounts,
        MayPost::Members => Post::Members,
        MayPost::Moderators => Post::Moderators,
        _ => return Err(newer()),
    };
    let mention_room = match settings.mention_room {
        chat_protocol::MentionRoom::Moderators => MentionRoom::Moderators,
        chat_protocol::MentionRoom::Everyone => MentionRoom::Everyone,
        _ => return Err(newer()),
    };
    let visibility = match settings.visibility {
        chat_protocol::Visibility::Public => Visibility::Public,
        chat_protocol::Visibility::Unlisted => Visibility::Unlisted,
        chat_protocol::Visibility::Private => Visibility::Private,
        chat_protocol::Visibility::Direct => Visibility::Direct,
        _ => return Err(newer()),
    };
    Ok(Json(Settings {
        title: settings.title.as_ref().map(ToString::to_string),
        topic: settings.topic.as_ref().map(ToString::to_string),
        visibility,
        join,
        post,
        slow_mode_s: settings.slow_mode_s,
        mention_room,
    }))
}

impl SettingsChange {
    /// The settings of a room with this change.
    fn apply(self, room: &RoomName, mut settings: RoomSettings) -> Result<RoomSettings, ApiError> {
        if settings.visibility == chat_protocol::Visibility::Direct {
            return Err(conflict("the settings of a direct room cannot be changed"));
        }
        if let Some(title) = self.title {
            settings.title = text("title", &title)?;
        }
        if let Some(topic) = self.topic {
            settings.topic = text("topic", &topic)?;
        }
        if let Some(visibility) = self.visibility {
            settings.visibility = match visibility {
                Visibility::Private => chat_protocol::Visibility::Private,
                _ if room.is_address() => {
                    return Err(bad_request("a room without a name is always private"));
                }
                Visibility::Public => chat_protocol::Visibility::Public,
                Visibility::Unlisted => chat_protocol::Visibility::Unlisted,
                Visibility::Direct => return Err(bad_request("no room can be made a direct room")),
            };
        }
        if let Some(join) = self.join {
            settings.join = match join {
                Join::Everyone => MayJoin::Everyone,
                Join::Accounts => MayJoin::Accounts,
                Join::Members => MayJoin::Members,
            };
        }
        if let Some(post) = self.post {
            settings.post = match post {
                Post::Everyone => MayPost::Everyone,
                Post::Accounts => MayPost::Accounts,
                Post::Members => MayPost::Members,
                Post::Moderators => MayPost::Moderators,
            };
        }
        if let Some(seconds) = self.slow_mode_s {
            settings.slow_mode_s = seconds;
        }
        if let Some(mention_room) = self.mention_room {
            settings.mention_room = match mention_room {
                MentionRoom::Moderators => chat_protocol::MentionRoom::Moderators,
                MentionRoom::Everyone => chat_protocol::MentionRoom::Everyone,
            };
        }
        Ok(settings)
    }
}

/// A text that an empty one removes.
fn text<T: FromStr<Err: Display>>(name: &str, text: &str) -> Result<Option<T>, ApiError> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|error| bad_request(format!("{name} is invalid: {error}")))
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
        (status = 409, body = Problem, description = "it is a direct room"),
        (status = 503, body = Problem, description = "the database does not answer")))]
pub(super) async fn change(
    State(admin): State<Admin>,
    PathParams(room): PathParams<String>,
    request: Result<Json<SettingsChange>, JsonRejection>,
) -> Result<Json<Settings>, ApiError> {
    let change: SettingsChange = body(request)?;
    let max = RoomSettings::MAX_SLOW_MODE_S;
    if change.slow_mode_s.is_some_and(|seconds| seconds > max) {
        return Err(bad_request(format!("slow_mode_s must be at most {max}")));
    }
    let room: RoomName = parse(&room)?;
    let engine = admin.control.engine();
    let before = engine.settings(&room).await.map_err(|error| unavailable(&error))?;
    let settings = change.apply(&room, RoomSettings::clone(&before))?;
    engine.configure(&room, settings.clone()).await.map_err(|error| unavailable(&error))?;
    let settings = shown(&settings)?;
    let (visibility, join, post) = (settings.visibility.name(), settings.join.name(), settings.post.name());
    tracing::info!(%room, visibility, join, post, "room configured by an admin");
    Ok(settings)
}
