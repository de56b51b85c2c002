//! What a client has to know before its user is known.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::RouteState;

/// How users get in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(super) struct Site {
    /// Whether users without an account may use the server.
    pub guests: bool,
    /// Whether users can sign in.
    pub accounts: bool,
    /// Who may register an account: `open`, `invite` or `closed`.
    pub registration: String,
}

/// Show how users get in.
#[utoipa::path(get, path = "/api/v1/site", operation_id = "show_site",
    responses((status = 200, body = Site)))]
pub(super) async fn describe(State(state): State<RouteState>) -> Json<Site> {
    let config = state.context.config();
    let accounts = state.context.accounts.is_some();
    let registration = if accounts { config.registration.name() } else { "closed" };
    Json(Site { guests: config.guests, accounts, registration: registration.to_owned() })
}
