//! Health checks for process monitors and load balancers.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;

use super::RouteState;

/// Liveness: the process runs and answers.
pub(super) async fn alive() -> &'static str {
    "alive\n"
}

/// Readiness: whether the server would admit a new client, and if not, why.
pub(super) async fn ready(State(RouteState { context, .. }): State<RouteState>) -> Response {
    match context.ready().await {
        Ok(()) => "ready\n".into_response(),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {reason}\n")).into_response(),
    }
}
