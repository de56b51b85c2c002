//! `/chat/get_signed_user/{room}/{username}`: whether a name is taken.

use axum::Json;
use axum::extract::{RawPathParams, State};
use axum::response::{IntoResponse, Response};
use chat_protocol::{RoomName, Username};
use http::header::ALLOW;
use http::{HeaderValue, Method, StatusCode};
use serde_json::json;

use super::Visit;

/// What can be asked with, as a 405 and an OPTIONS say it.
const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, OPTIONS");

pub(super) async fn answer(
    State(Visit { context, .. }): State<Visit>,
    method: Method,
    path: RawPathParams,
) -> Response {
    match method {
        Method::GET | Method::HEAD => {}
        Method::OPTIONS => return (StatusCode::NO_CONTENT, [(ALLOW, METHODS)]).into_response(),
        Method::POST | Method::PUT | Method::PATCH | Method::DELETE => {
            return (StatusCode::BAD_REQUEST, Json(json!({"message": "bad request"}))).into_response();
        }
        _ => return (StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, METHODS)]).into_response(),
    }
    let mut names = path.iter().map(|(_, segment)| segment);
    let (room, username) = (names.next().map(RoomName::parse), names.next().map(Username::parse));
    // what can't be a name is nobody's
    let (Some(Ok(room)), Some(Ok(username))) = (room, username) else {
        return Json(json!({"user_exists": false})).into_response();
    };
    match context.engine.is_present(&room, &username).await {
        Ok(present) => Json(json!({"user_exists": present})).into_response(),
        Err(error) => {
            tracing::warn!(%error, "a look-up can't be answered");
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
    }
}
