//! `/chat/get_signed_user/{room}/{username}`: whether a name is taken.

use std::error::Error;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use chat_log::Passed;
use chat_protocol::{RoomName, Username};
use http::header::ALLOW;
use http::{HeaderValue, Method, StatusCode, Uri};
use serde_json::json;

use super::RouteState;
use crate::admission::client_log::LogKind;
use crate::context::Context;
use crate::handshake::decoded;

pub(super) const PATH: &str = "/chat/get_signed_user";

/// Methods that a 405 and an OPTIONS response list in `Allow`.
const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, OPTIONS");

pub(super) async fn answer(
    State(RouteState { context, .. }): State<RouteState>,
    method: Method,
    uri: Uri,
) -> Response {
    let Some((room, username)) = segments(uri.path()) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    match method {
        Method::GET | Method::HEAD => {}
        Method::OPTIONS => return (StatusCode::NO_CONTENT, [(ALLOW, METHODS)]).into_response(),
        Method::POST | Method::PUT | Method::PATCH | Method::DELETE => {
            return (StatusCode::BAD_REQUEST, Json(json!({"message": "bad request"}))).into_response();
        }
        _ => return (StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, METHODS)]).into_response(),
    }
    let room = decoded(room).and_then(|room| RoomName::parse(&room).ok());
    let username = decoded(username).and_then(|username| Username::parse(&username).ok());
    // nobody can have a name that is not valid
    let (Some(room), Some(username)) = (room, username) else {
        return Json(json!({"user_exists": false})).into_response();
    };
    match is_taken(&context, &room, &username).await {
        Ok(taken) => Json(json!({"user_exists": taken})).into_response(),
        Err(error) => {
            if let Some(Passed { suppressed }) = context.log.pass(LogKind::LookUp) {
                tracing::warn!(%error, suppressed, "a look-up could not be answered");
            }
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
    }
}

/// Whether a guest could not have this name in the room.
async fn is_taken(
    context: &Context,
    room: &RoomName,
    username: &Username,
) -> Result<bool, Box<dyn Error + Send + Sync>> {
    if let Some(accounts) = &context.accounts
        && accounts.check_guest(username.clone()).await?.is_err()
    {
        return Ok(true);
    }
    // nobody learns who is in a private room, or whether there is one
    Ok(!room.is_address() && context.engine.is_present(room, username).await?)
}

/// The two path segments after [`PATH`], still percent-encoded. `None` if there are more or fewer,
/// or if one is empty.
fn segments(path: &str) -> Option<(&str, &str)> {
    let (room, username) = path.strip_prefix(PATH)?.strip_prefix('/')?.split_once('/')?;
    (!room.is_empty() && !username.is_empty() && !username.contains('/')).then_some((room, username))
}
