//! Export and deletion of the messages of a user.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use chat_server::EraseError;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{MAX_TIME, WalkQuery, certain, next_found, request};
use crate::Admin;
use crate::v1::error::{ApiError, PathParams, Problem, query, unavailable};

/// A page of a user's messages, room by room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Messages {
    /// About 1 MiB of text at most. It may be empty although there are more pages.
    pub messages: Vec<Message>,
    /// The value of `after` for the next page; `null` on the last page.
    pub next: Option<String>,
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Message {
    /// The room's name.
    pub room: String,
    /// The message's number in the room.
    pub seq: u64,
    /// When the message was sent, RFC 3339 in UTC.
    pub sent_at: String,
    /// The id that the sender gave to the message.
    pub id: String,
    /// The user's name when the message was sent.
    #[serde(default)]
    pub username: String,
    /// The text, as it was written.
    pub body: String,
}

/// The result of erasing messages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErasedMessages {
    /// The number of messages that were erased.
    pub messages: usize,
    /// The number of open reports whose copy of the text was erased.
    #[serde(default)]
    pub reports: usize,
    /// The value of `after` for the next request; `null` when all messages are erased.
    pub next: Option<String>,
}

/// Export a page of a user's messages in all rooms.
///
/// The messages from before messages had the id of their sender belong to the user `g_0`;
/// `username` tells their senders apart.
#[utoipa::path(get, path = "/v1/users/{user}/messages", operation_id = "export_messages",
    params(("user" = String, Path, description = "The user's id"), WalkQuery),
    responses((status = 200, body = Messages), (status = 400, body = Problem),
        (status = 409, body = Problem, description = "messages are not stored"),
        (status = 503, body = Problem, description = "the database does not answer")))]
pub(in crate::v1) async fn export(
    State(admin): State<Admin>,
    PathParams(user): PathParams<String>,
    params: Result<Query<WalkQuery>, QueryRejection>,
) -> Result<Json<Messages>, ApiError> {
    let (theirs, after, users) = request(&admin, &user, query(params)?)?;
    let step = next_found(|after| users.page(theirs.clone(), after), after).await?;
    let messages = step.found.iter().filter_map(|message| exported(message)).collect();
    Ok(Json(Messages { messages, next: step.next.map(|next| next.to_string()) }))
}

/// Erase a user's messages in all rooms.
///
/// The text, sender and id of each message are removed from the database; its number and time stay.
/// The last request also erases the copies of the texts in open reports. The audit log of each room
/// has a record that is written before. Open pages and other clients are notified, and stop showing
/// the messages. This may take several requests. Messages that are sent meanwhile may stay, so
/// close the user's sessions first. The user `g_0` has the messages of all senders from before
/// messages had the id of their sender, so `username` is required for it.
#[utoipa::path(delete, path = "/v1/users/{user}/messages", operation_id = "erase_messages",
    params(("user" = String, Path, description = "The user's id"), WalkQuery),
    responses((status = 200, body = ErasedMessages), (status = 400, body = Problem),
        (status = 409, body = Problem, description = "messages are not stored"),
        (status = 503, body = Problem, description = "the database does not answer")))]
pub(in crate::v1) async fn erase(
    State(admin): State<Admin>,
    PathParams(user): PathParams<String>,
    params: Result<Query<WalkQuery>, QueryRejection>,
) -> Result<Json<ErasedMessages>, ApiError> {
    let (theirs, after, users) = request(&admin, &user, query(params)?)?;
    certain(&theirs)?;
    let users = Arc::clone(users);
    // a task of its own: if the client disconnects, what has begun is finished and logged
    let erasing = tokio::spawn(async move {
        let erased = admin.control.erase_messages(&*users, theirs.clone(), after, MAX_TIME).await?;
        let username = theirs.name.as_ref().map(tracing::field::display);
        let (messages, reports) = (erased.count, erased.reports);
        tracing::info!(user = %theirs.user, username, messages, reports, "messages erased by an admin");
        Ok::<_, EraseError>(erased)
    });
    let erased = erasing.await.map_err(|error| unavailable(&error))?.map_err(|error| unavailable(&error))?;
    let next = erased.next.map(|next| next.to_string());
    Ok(Json(ErasedMessages { messages: erased.count, reports: erased.reports, next }))
}

fn exported(message: &chat_protocol::Message) -> Option<Message> {
    let text = message.text()?;
    Some(Message {
        room: message.room.to_string(),
        seq: message.seq,
        sent_at: message.sent_at.to_string(),
        id: text.id.to_string(),
        username: text.from.to_string(),
        body: text.body.to_string(),
    })
}
