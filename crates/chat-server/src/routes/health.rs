//! For whoever watches over the process.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;

use super::{PROBE, Visit};

/// The process runs and answers.
pub(super) async fn alive() -> &'static str {
    "alive\n"
}

/// Whether somebody who comes now would be let in; if not, why.
pub(super) async fn ready(State(Visit { context, .. }): State<Visit>) -> Response {
    if context.members.available_permits() == 0 {
        return not_ready("there are as many connections as there may be");
    }
    let reason = match tokio::time::timeout(PROBE, context.engine.check()).await {
        Ok(Ok(())) => return "ready\n".into_response(),
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("the presence store has not answered within {PROBE:?}"),
    };
    not_ready(&reason)
}

fn not_ready(reason: &str) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {reason}\n")).into_response()
}
