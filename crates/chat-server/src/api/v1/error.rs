//! Errors of the API, and the extractors that produce them.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::response::{IntoResponse, Response};
use chat_accounts::StoreError;
use http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::accounts::{RegisterError, SignInError, TooManyAttempts};

/// Why a request was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(super) struct Problem {
    /// The reason, for programs. Clients must accept unknown values.
    pub code: String,
    /// The reason, a sentence for people.
    pub message: String,
    /// What is wrong with single fields of the request, by their names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, String>,
}

/// An error.
#[derive(Debug)]
pub(super) struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
    fields: BTreeMap<String, String>,
    retry_after: Option<Duration>,
}

impl ApiError {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), fields: BTreeMap::new(), retry_after: None }
    }

    /// A field of the request is not acceptable.
    pub(super) fn field(name: &str, reason: &(impl ToString + ?Sized)) -> Self {
        Self::fields([(name.to_owned(), reason.to_string())].into())
    }

    /// Several fields of the request are not acceptable.
    pub(super) fn all(errors: impl IntoIterator<Item = Self>) -> Self {
        Self::fields(errors.into_iter().flat_map(|error| error.fields).collect())
    }

    fn fields(fields: BTreeMap<String, String>) -> Self {
        let message = "a field of the request is not acceptable";
        Self { fields, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_field", message) }
    }

    pub(super) fn unauthorized(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", message)
    }

    pub(super) fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", message)
    }

    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    pub(super) fn conflict(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, message)
    }

    /// The server could not do it now.
    pub(super) fn unavailable(error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::warn!(%error, "a request of the API failed");
        let message = "storage is unavailable; try again later";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "store_unavailable", message)
    }

    fn too_many(TooManyAttempts(after): TooManyAttempts, message: String) -> Self {
        let error = Self::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", message);
        Self { retry_after: Some(after), ..error }
    }

    fn busy(message: String) -> Self {
        let error = Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", message);
        Self { retry_after: Some(Duration::from_secs(2)), ..error }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        Self::unavailable(&error)
    }
}

impl From<SignInError> for ApiError {
    fn from(error: SignInError) -> Self {
        let message = error.to_string();
        match error {
            SignInError::Wrong => Self::new(StatusCode::UNAUTHORIZED, "wrong_password", message),
            SignInError::NotAccepted | SignInError::NewSubject(_) => Self::unauthorized(message),
            SignInError::Disabled => Self::new(StatusCode::FORBIDDEN, "disabled", message),
            SignInError::TooMany(attempts) => Self::too_many(attempts, message),
            SignInError::Busy => Self::busy(message),
            SignInError::Hash(error) => Self::unavailable(&error),
            SignInError::Store(error) => error.into(),
        }
    }
}

impl From<RegisterError> for ApiError {
    fn from(error: RegisterError) -> Self {
        let message = error.to_string();
        match error {
            RegisterError::NameTaken(_) => Self::conflict("name_reserved", message),
            RegisterError::Invite => Self::field("invite", &message),
            RegisterError::TooMany(attempts) => Self::too_many(attempts, message),
            RegisterError::Busy => Self::busy(message),
            RegisterError::Hash(error) => Self::unavailable(&error),
            RegisterError::Store(error) => error.into(),
            RegisterError::Other(_) => Self::conflict("conflict", message),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let Self { status, code, message, fields, retry_after } = self;
        let mut response = (status, Json(Problem { code: code.to_owned(), message, fields })).into_response();
        let headers = response.headers_mut();
        if let Some(after) = retry_after {
            // rounded up: a client that waits this long is not early
            headers.insert(RETRY_AFTER, (after.as_millis().div_ceil(1_000) as u64).max(1).into());
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

pub(super) async fn no_such_path() -> ApiError {
    ApiError::not_found("there is nothing at this path")
}

pub(super) async fn no_such_method() -> ApiError {
    let message = "this path does not support this method";
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
}

/// The body of a request as JSON, as [`Json`], but with an error in JSON that does not quote the
/// body: it may contain a password.
pub(super) struct Body<T>(pub(super) T);

impl<T, S> FromRequest<S> for Body<T>
where
    Json<T>: FromRequest<S, Rejection = JsonRejection>,
    S: Send + Sync,
{
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        match Json::<T>::from_request(request, state).await {
            Ok(Json(body)) => Ok(Self(body)),
            Err(JsonRejection::MissingJsonContentType(_)) => Err(ApiError::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "not_json",
                "the header Content-Type must be application/json",
            )),
            Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                let message = format!("the body has more than {} bytes", super::BODY_BYTES);
                Err(ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message))
            }
            Err(rejection) => {
                let status = match rejection {
                    JsonRejection::JsonDataError(_) => StatusCode::UNPROCESSABLE_ENTITY,
                    _ => StatusCode::BAD_REQUEST,
                };
                let message = "the body is not a JSON object with the fields of this request";
                Err(ApiError::new(status, "bad_json", message))
            }
        }
    }
}

/// A part of the path, as [`Path`], but with an error in JSON.
pub(super) struct PathParam(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for PathParam {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let read: Result<_, PathRejection> = Path::<String>::from_request_parts(parts, state).await;
        read.map(|Path(part)| Self(part)).map_err(|_| ApiError::not_found("there is nothing at this path"))
    }
}
