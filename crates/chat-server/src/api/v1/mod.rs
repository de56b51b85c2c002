//! The HTTP API for clients, `/api/v1`: accounts, sessions on devices, API tokens, profiles.
//! `docs/api.openapi.json` describes it.

mod accounts;
mod bearer;
mod devices;
mod error;
mod login;
mod me;
mod password;
mod site;
mod tokens;
mod users;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use utoipa::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};

use super::RouteState;

/// Where the API is served.
pub(super) const PREFIX: &str = "/api/v1";

/// The maximum size of a request's body, in bytes.
const BODY_BYTES: usize = 16 << 10;

pub(super) fn routes() -> Router<RouteState> {
    Router::new()
        .route("/site", get(site::describe))
        .route("/accounts", post(accounts::register))
        .route("/login", post(login::log_in))
        .route("/logout", post(login::log_out))
        .route("/me", get(me::show).patch(me::change).delete(me::delete))
        .route("/me/password", post(password::change))
        .route("/me/sessions", get(devices::list))
        .route("/me/sessions/{session}", delete(devices::end))
        .route("/me/tokens", get(tokens::list).post(tokens::create))
        .route("/me/tokens/{token}", delete(tokens::remove))
        .route("/users/{username}", get(users::show))
        .route("/openapi.json", get(description))
        .fallback(error::no_such_path)
        .method_not_allowed_fallback(error::no_such_method)
        .layer(DefaultBodyLimit::max(BODY_BYTES))
        .layer(map_response(not_stored))
}

/// Answers contain secrets and personal data: no cache may keep them.
async fn not_stored(mut response: Response) -> Response {
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "chatd API",
        description = "Accounts of a chatd server: registering, signing in, devices, API tokens, profiles. The token of a session is also the `token` of `hello` in chat.v2."
    ),
    paths(
        site::describe,
        accounts::register,
        login::log_in,
        login::log_out,
        me::show,
        me::change,
        me::delete,
        password::change,
        devices::list,
        devices::end,
        tokens::list,
        tokens::create,
        tokens::remove,
        users::show
    )
)]
struct Description;

/// The description of the API in OpenAPI 3.1, as JSON.
pub fn openapi() -> String {
    let mut description = Description::openapi();
    let token = SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build());
    description.components.get_or_insert_default().add_security_scheme("token", token);
    // every value in the description can be written as JSON
    description.to_pretty_json().unwrap_or_default()
}

async fn description() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], openapi())
}
