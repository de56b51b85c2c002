//! CORS: which origins may read a response.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, VARY,
};
use http::{HeaderValue, Method, StatusCode};

use super::RouteState;

/// Methods that a preflight allows: all that get a response, even if it is a 400.
const METHODS: HeaderValue = HeaderValue::from_static("DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT");

/// How long a browser may cache a preflight, in seconds: one day.
const MAX_AGE: HeaderValue = HeaderValue::from_static("86400");

/// Lets pages of allowed origins read the response, whatever its status, and answers preflights
/// (Fetch standard, section "CORS protocol").
pub(super) async fn allow_cross_origin(
    State(RouteState { context, .. }): State<RouteState>,
    request: Request,
    next: Next,
) -> Response {
    let headers = request.headers();
    let allow_origin = context.config().origins.allow_origin(headers);
    let is_preflight =
        request.method() == Method::OPTIONS && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = if is_preflight {
        let mut response = StatusCode::OK.into_response();
        let allowed = response.headers_mut();
        allowed.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        allowed.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
        if let Some(requested) = headers.get(ACCESS_CONTROL_REQUEST_HEADERS) {
            allowed.insert(ACCESS_CONTROL_ALLOW_HEADERS, requested.clone());
        }
        response
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    headers.insert(VARY, HeaderValue::from_static("Origin"));
    if let Some(allow_origin) = allow_origin {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, allow_origin);
    }
    response
}
