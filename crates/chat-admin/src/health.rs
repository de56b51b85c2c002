//! Health checks of the process.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;

use crate::Admin;

/// Whether the process runs and answers.
pub(crate) async fn alive() -> &'static str {
    "alive\n"
}

/// Whether the server accepts a new client; if not, the reason.
pub(crate) async fn ready(State(admin): State<Admin>) -> Response {
    match admin.control.ready().await {
        Ok(()) => "ready\n".into_response(),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {reason}\n")).into_response(),
    }
}
