//! Who may.

use std::fmt;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{AUTHORIZATION, HeaderValue, WWW_AUTHENTICATE};
use http::{HeaderMap, StatusCode};
use subtle::ConstantTimeEq;

use super::answer::Refused;
use crate::Admin;

/// What lets one in.
#[derive(Clone)]
pub(crate) struct Token(Arc<str>);

impl Token {
    pub(crate) fn new(token: &str) -> Self {
        Self(token.into())
    }

    /// Whether it stands in a request, as RFC 6750, section 2.1, has it. How long that takes does not tell how much of it is right.
    fn is_in(&self, headers: &HeaderMap) -> bool {
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

/// Lets those pass who have it.
pub(super) async fn ask(State(admin): State<Admin>, request: Request, next: Next) -> Response {
    let Some(token) = &admin.token else {
        let how = "this server has no admin token: start it with --admin-token-file";
        return Refused(StatusCode::FORBIDDEN, how.to_owned()).into_response();
    };
    if token.is_in(request.headers()) {
        return next.run(request).await;
    }
    let refused = Refused(
        StatusCode::UNAUTHORIZED,
        "the admin token is missing or wrong: send it as Authorization: Bearer TOKEN".to_owned(),
    );
    ([(WWW_AUTHENTICATE, "Bearer")], refused).into_response()
}
