//! Export and deletion of the reactions of a user.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use chat_history::UserReaction;
use chat_server::EraseError;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{MAX_TIME, WalkQuery, certain, next_found, request};
use crate::Admin;
use crate::v1::error::{ApiError, PathParams, Problem, query, unavailable};

/// A page of a user's reactions, room by room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reactions {
    /// It may be empty although there are more pages.
    pub reactions: Vec<Reaction>,
    /// The value of `after` for the next page; `null` on the last page.
    pub next: Option<String>,
}

/// A reaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reaction {
    /// The room's name.
    pub room: String,
    /// The number of the message in the room.
    pub seq: u64,
    /// The user's name when the user reacted.
    pub username: String,
    /// The emoji.
    pub emoji: String,
}

/// The result of removing reactions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErasedReactions {
    /// The number of reactions that were removed.
    pub reactions: usize,
    /// The value of `after` for the next request; `null` when all reactions are removed.
    pub next: Option<String>,
}

/// Export a page of a user's reactions in all rooms.
#[utoipa::path(get, path = "/v1/users/{user}/reactions", operation_id = "export_reactions",
    params(("user" = String, Path, description = "The user's id"), WalkQuery),
    responses((status = 200, body = Reactions), (status = 400, body = Problem),
        (status = 409, body = Problem, description = "messages are not stored"),
        (status = 503, body = Problem, description = "the database does not answer")))]
pub(in crate::v1) async fn export(
    State(admin): State<Admin>,
    PathParams(user): PathParams<String>,
    params: Result<Query<WalkQuery>, QueryRejection>,
) -> Result<Json<Reactions>, ApiError> {
    let (theirs, after, users) = request(&admin, &user, query(params)?)?;
    let step = next_found(|after| users.reactions(theirs.clone(), after), after).await?;
    let reactions = step.found.iter().map(exported).collect();
    Ok(Json(Reactions { reactions, next: step.next.map(|next| next.to_string()) }))
}

/// Remove a user's reactions in all rooms.
///
/// The audit log of each room has a record that is written before. Open pages and other clients are
/// notified. This may take several requests. Reactions that are
/// added meanwhile may stay, so close the user's sessions first.
#[utoipa::path(delete, path = "/v1/users/{user}/reactions", operation_id = "erase_reactions",
    params(("user" = String, Path, description = "The user's id"), WalkQuery),
    responses((status = 200, body = ErasedReactions), (status = 400, body = Problem),
        (status = 409, body = Problem, description = "messages are not stored"),
        (status = 503, body = Problem, description = "the database does not answer")))]
pub(in crate::v1) async fn erase(
    State(admin): State<Admin>,
    PathParams(user): PathParams<String>,
    params: Result<Query<WalkQuery>, QueryRejection>,
) -> Result<Json<ErasedReactions>, ApiError> {
    let (theirs, after, users) = request(&admin, &user, query(params)?)?;
    certain(&theirs)?;
    let users = Arc::clone(users);
    // a task of its own: if the client disconnects, what has begun is finished and logged
    let erasing = tokio::spawn(async move {
        let erased = admin.control.erase_reactions(&*users, theirs.clone(), after, MAX_TIME).await?;
        let username = theirs.name.as_ref().map(tracing::field::display);
        tracing::info!(user = %theirs.user, username, reactions = erased.count, "reactions removed by an admin");
        Ok::<_, EraseError>(erased)
    });
    let erased = erasing.await.map_err(|error| unavailable(&error))?.map_err(|error| unavailable(&error))?;
    Ok(Json(ErasedReactions { reactions: erased.count, next: erased.next.map(|next| next.to_string()) }))
}

fn exported(reaction: &UserReaction) -> Reaction {
    Reaction {
        room: reaction.message.room.to_string(),
        seq: reaction.message.seq,
        username: reaction.username.to_string(),
        emoji: reaction.emoji.to_string(),
    }
}
