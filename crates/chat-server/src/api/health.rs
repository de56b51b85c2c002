//! For whoever watches over the process.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;

use super::Visit;

/// The process runs and answers.
pub(super) async fn alive() -> &'static str {
    "alive\n"
}

/// Whether somebody who comes now would be let in; if not, why.
pub(super) async fn ready(State(Visit { context, .. }): State<Visit>) -> Response {
    match context.ready().await {
        Ok(()) => "ready\n".into_response(),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {reason}\n")).into_response(),
    }
}
