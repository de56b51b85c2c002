//! Errors of the API, and the extractors that produce them.

use std::str::FromStr;

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
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

/// An error: a status and the reason.
pub(super) struct ApiError(pub(super) StatusCode, pub(super) String);

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (self.0, Json(Problem { error: self.1 })).into_response()
    }
}

pub(super) fn bad_request(error: impl Into<String>) -> ApiError {
    ApiError(StatusCode::BAD_REQUEST, error.into())
}

pub(super) fn not_found(what: impl Into<String>) -> ApiError {
    ApiError(StatusCode::NOT_FOUND, what.into())
}

/// Adds the errors that any request may get to the description of an operation.
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

pub(super) fn conflict(reason: impl Into<String>) -> ApiError {
    ApiError(StatusCode::CONFLICT, reason.into())
}

/// The body of the request. The error does not quote it: it may contain a password.
pub(super) fn body<T>(body: Result<Json<T>, JsonRejection>) -> Result<T, ApiError> {
    body.map(|Json(body)| body)
        .map_err(|_| bad_request("the body is not a JSON object with the fields of this request"))
}

/// This server does not store the data, because it has no database file.
pub(super) fn not_stored(what: &str, need: &str) -> ApiError {
    ApiError(StatusCode::CONFLICT, format!("this server does not store {what}: that needs {need}"))
}

pub(super) fn unavailable(error: &impl ToString) -> ApiError {
    ApiError(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
}

/// Parses a name, a day or another part of a request.
pub(super) fn parse<T: FromStr<Err: ToString>>(text: &str) -> Result<T, ApiError> {
    text.parse().map_err(|error: T::Err| bad_request(error.to_string()))
}

/// The parameters of the query.
pub(super) fn query<T>(query: Result<Query<T>, QueryRejection>) -> Result<T, ApiError> {
    query.map(|Query(query)| query).map_err(|error| bad_request(error.body_text()))
}

pub(super) async fn no_such_path() -> ApiError {
    not_found("there is nothing at this path")
}

pub(super) async fn no_such_method() -> ApiError {
    ApiError(StatusCode::METHOD_NOT_ALLOWED, "this path does not support this method".to_owned())
}

/// The parameters of the path, as [`Path`], but with an error in JSON.
pub(super) struct PathParams<T>(pub(super) T);

impl<T, S> FromRequestParts<S> for PathParams<T>
where
    Path<T>: FromRequestParts<S, Rejection = axum::extract::rejection::PathRejection>,
    S: Send + Sync,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let read = Path::<T>::from_request_parts(parts, state).await;
        read.map(|Path(parts)| Self(parts)).map_err(|error| bad_request(error.body_text()))
    }
}
