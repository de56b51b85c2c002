//! How it is told that something can't be done.

use std::str::FromStr;

use axum::Json;
use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa::openapi::path::Operation;
use utoipa::openapi::{ContentBuilder, Ref, ResponseBuilder};

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// In a sentence, for a person.
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
        ("400", "a name, a day or another part of the question is none"),
        ("401", "the token is missing, or another one"),
        ("403", "the server has no token"),
    ];
    for (status, why) in refusals {
        let problem = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
        let refusal = ResponseBuilder::new().description(why).content("application/json", problem);
        operation.responses.responses.entry(status.to_owned()).or_insert_with(|| refusal.into());
    }
}

/// It is kept in a database file, and there is none.
pub(super) fn not_kept(what: &str) -> Refused {
    Refused(StatusCode::CONFLICT, format!("{what} is not stored here: --database and --history"))
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
    missing("there is no such path")
}
