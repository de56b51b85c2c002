//! What one user said.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use chat_history::{Cursor, UserMessages};
use chat_protocol::{Content, Message, Username};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::answer::{InPath, Problem, Refused, not_kept, parsed, query, unavailable};
use crate::Admin;

type Users = Arc<dyn UserMessages>;

/// A request walks for so long at most; whoever asked goes on with the next.
const WALK: Duration = Duration::from_secs(2);

/// Where to go on.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    /// `next` of the previous answer.
    after: Option<String>,
}

/// A page of a user's messages, room by room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Said {
    /// About 1 MiB of text at most. It may be empty although there are more pages.
    pub messages: Vec<SaidMessage>,
    /// The value of `after` for the next page; `null` on the last page.
    pub next: Option<String>,
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SaidMessage {
    /// The room's name.
    pub room: String,
    /// The message's number in the room.
    pub seq: u64,
    /// When the message was sent, RFC 3339 in UTC.
    pub sent_at: String,
    /// The id that the sender gave to the message.
    pub id: String,
    /// The text, as it was written.
    pub body: String,
}

/// The result of erasing messages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Erased {
    /// The number of messages that were erased.
    pub messages: usize,
    /// The value of `after` for the next request; `null` when all messages are erased.
    pub next: Option<String>,
}

/// Export a page of a user's messages in all rooms.
#[utoipa::path(get, path = "/v1/users/{username}/messages", operation_id = "export_messages",
    params(("username" = String, Path), Asked),
    responses((status = 200, body = Said), (status = 400, body = Problem),
        (status = 409, body = Problem, description = "messages are not stored"),
        (status = 503, body = Problem, description = "the database does not answer")))]
pub(super) async fn export(
    State(admin): State<Admin>,
    InPath(username): InPath<String>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Json<Said>, Refused> {
    let (user, mut after, users) = question(&admin, &username, query(asked)?)?;
    let begun = Instant::now();
    loop {
        let step = users.page(user.clone(), after).await.map_err(|error| unavailable(&error))?;
        if step.found.is_empty() && step.next.is_some() && begun.elapsed() < WALK {
            after = step.next;
            continue;
        }
        let messages = step.found.iter().filter_map(|message| said(message)).collect();
        return Ok(Json(Said { messages, next: step.next.map(|next| next.to_string()) }));
    }
}

/// Erase a user's messages in all rooms. The text, sender and id of each message are removed from the database; its number and time stay. This
/// may take several requests. Messages that are sent meanwhile may stay, so close the user's session first.
#[utoipa::path(delete, path = "/v1/users/{username}/messages", operation_id = "erase_messages",
    params(("username" = String, Path), Asked),
    responses((status = 200, body = Erased), (status = 400, body = Problem),
        (status = 409, body = Problem, description = "messages are not stored"),
        (status = 503, body = Problem, description = "the database does not answer")))]
pub(super) async fn erase(
    State(admin): State<Admin>,
    InPath(username): InPath<String>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Json<Erased>, Refused> {
    let (user, mut after, users) = question(&admin, &username, query(asked)?)?;
    let users = Arc::clone(users);
    // a task of its own: whether or not the one who asks stays, what is erased is forgotten by the rooms, too
    let walk = tokio::spawn(async move {
        let (begun, mut messages) = (Instant::now(), 0);
        loop {
            let step = users.erase(user.clone(), after).await?;
            step.found.iter().for_each(|erased| admin.control.engine().forget(&erased.room, erased.seq));
            messages += step.found.len();
            after = step.next;
            if after.is_none() || begun.elapsed() >= WALK {
                tracing::info!(username = %user, messages, "messages erased by an admin");
                return Ok::<_, chat_history::HistoryError>((messages, after));
            }
        }
    });
    let (messages, next) =
        walk.await.map_err(|error| unavailable(&error))?.map_err(|error| unavailable(&error))?;
    Ok(Json(Erased { messages, next: next.map(|next| next.to_string()) }))
}

fn question<'a>(
    admin: &'a Admin,
    username: &str,
    asked: Asked,
) -> Result<(Username, Option<Cursor>, &'a Users), Refused> {
    let users = admin
        .users
        .as_ref()
        .ok_or_else(|| not_kept("messages", "a database file (--database) and --history on"))?;
    Ok((parsed(username)?, asked.after.map(|after| parsed(&after)).transpose()?, users))
}

fn said(message: &Message) -> Option<SaidMessage> {
    let Content::Said { id, body, .. } = &message.content else { return None };
    Some(SaidMessage {
        room: message.room.to_string(),
        seq: message.seq,
        sent_at: message.sent_at.to_string(),
        id: id.to_string(),
        body: body.to_string(),
    })
}
