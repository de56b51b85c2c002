//! Authentication by the admin token.

use std::fmt;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{AUTHORIZATION, HeaderValue, WWW_AUTHENTICATE};
use http::{HeaderMap, StatusCode};
use subtle::ConstantTimeEq;

use super::error::ApiError;
use crate::Admin;

/// The admin token.
#[derive(Clone)]
pub(crate) struct Token(Arc<str>);

impl Token {
    pub(crate) fn new(token: &str) -> Self {
        Self(token.into())
    }

    /// Whether a request has the token in its `Authorization` header (RFC 6750, section 2.1). The
    /// comparison takes constant time, so its duration does not reveal a prefix of the token.
    fn is_member(&self, headers: &HeaderMap) -> bool {
        let given = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes).and_then(|line| {
            let (scheme, given) = line.split_at_checked("Bearer ".len())?;
            scheme.eq_ignore_ascii_case(b"Bearer ").then_some(given)
        });
        given.is_some_and(|given| given.ct_eq(self.0.as_bytes()).into())
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

/// Passes on requests that have the token, and refuses all others.
pub(super) async fn require(State(admin): State<Admin>, request: Request, next: Next) -> Response {
    let Some(token) = &admin.token else {
        let reason = "this server has no admin token: start it with --admin-token-file";
        return ApiError(StatusCode::FORBIDDEN, reason.to_owned()).into_response();
    };
    if token.is_member(request.headers()) {
        return next.run(request).await;
    }
    let refused = ApiError(
        StatusCode::UNAUTHORIZED,
        "the admin token is missing or wrong: send it as Authorization: Bearer TOKEN".to_owned(),
    );
    ([(WWW_AUTHENTICATE, "Bearer")], refused).into_response()
}
