//! The web page and the JavaScript client.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;

use super::RouteState;

/// Answers every request that no other route matches.
pub(super) async fn answer(
    State(RouteState { context, .. }): State<RouteState>,
    request: Request,
) -> Response {
    let (request, _) = request.into_parts();
    match context.pages.as_ref().and_then(|pages| pages.answer(&request)) {
        Some(response) => response.map(Body::from),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
