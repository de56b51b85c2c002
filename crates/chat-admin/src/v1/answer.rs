//! How it is told that something can't be done.

use std::str::FromStr;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequestParts, Path, Query};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa::openapi::path::Operation;
use utoipa::openapi::{ContentBuilder, Ref, ResponseBuilder};

/// Why a request was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// The reason, for people.
    pub error: String,
}

/// A status, and why.
pub(super) struct Refused(pub(super) StatusCode, pub(super) String);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.0, Json(Problem { error: self.1 })).into_response()
    }
}

pub(super) fn bad(error: impl Into<String>) -> Refused {
    Refused(StatusCode::BAD_REQUEST, error.into())
}

pub(super) fn missing(what: impl Into<String>) -> Refused {
    Refused(StatusCode::NOT_FOUND, what.into())
}

/// What any request may be answered with.
pub(super) fn describe_refusals(operation: &mut Operation) {
    let refusals = [
        ("400", "a name, a day or another part of the request is not valid"),
        ("401", "the token is missing or wrong"),
        ("403", "the server has no admin token"),
    ];
    for (status, why) in refusals {
        let problem = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
        let refusal = ResponseBuilder::new().description(why).content("application/json", problem);
        operation.responses.responses.entry(status.to_owned()).or_insert_with(|| refusal.into());
    }
}

/// It is kept in a database file, and there is none.
pub(super) fn not_kept(what: &str, need: &str) -> Refused {
    Refused(StatusCode::CONFLICT, format!("this server does not store {what}: that needs {need}"))
}

pub(super) fn unavailable(error: &impl ToString) -> Refused {
    Refused(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
}

/// A name, a day or whatever else stands in a request.
pub(super) fn parsed<T: FromStr<Err: ToString>>(text: &str) -> Result<T, Refused> {
    text.parse().map_err(|error: T::Err| bad(error.to_string()))
}

/// What stands behind the question mark.
pub(super) fn query<T>(query: Result<Query<T>, QueryRejection>) -> Result<T, Refused> {
    query.map(|Query(query)| query).map_err(|error| bad(error.body_text()))
}

pub(super) async fn no_such_path() -> Refused {
    missing("there is nothing at this path")
}

pub(super) async fn no_such_method() -> Refused {
    Refused(StatusCode::METHOD_NOT_ALLOWED, "this path does not support this method".to_owned())
}

/// What stands in the path: as [`Path`], but a path that can't be read is refused as everything else is, in JSON.
pub(super) struct InPath<T>(pub(super) T);

impl<T, S> FromRequestParts<S> for InPath<T>
where
    Path<T>: FromRequestParts<S, Rejection = axum::extract::rejection::PathRejection>,
    S: Send + Sync,
{
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        let read = Path::<T>::from_request_parts(parts, state).await;
        read.map(|Path(parts)| Self(parts)).map_err(|error| bad(error.body_text()))
    }
}
