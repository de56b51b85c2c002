//! Registering.

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use chat_accounts::{InviteCode, Label, Password};
use chat_protocol::{GuestToken, Identity, Username};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use utoipa::ToSchema;

use super::bearer::{accounts, address};
use super::error::{ApiError, Body, Problem};
use super::login::Session;
use crate::accounts::{NewUser, Registration};
use crate::api::RouteState;

/// A user who registers.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Register {
    /// The name. It can't be changed later.
    username: String,
    /// At least 8 characters.
    password: String,
    /// The code of an invite; required if registration is `invite`.
    invite: Option<String>,
    /// The token of the guest who registers its own name. The account is then the author of what
    /// the guest has written.
    guest_token: Option<String>,
    /// What the user calls this device.
    device: Option<String>,
}

/// Register an account, and start a session.
#[utoipa::path(post, path = "/api/v1/accounts", operation_id = "register",
    request_body = Register,
    responses((status = 201, body = Session),
        (status = 403, body = Problem, description = "users can't register here"),
        (status = 404, body = Problem, description = "the server has no accounts"),
        (status = 409, body = Problem, description = "`name_reserved`: the name, or one that looks like it, belongs to an account. `username_taken`: a guest who is connected has it"),
        (status = 422, body = Problem, description = "a field is not acceptable: `fields` has the reasons"),
        (status = 429, body = Problem, description = "too many registrations from this address"),
        (status = 503, body = Problem, description = "the server is busy, or the database does not answer")))]
pub(super) async fn register(
    State(state): State<RouteState>,
    headers: HeaderMap,
    Body(request): Body<Register>,
) -> Result<impl IntoResponse, ApiError> {
    let (accounts, context) = (accounts(&state)?, &state.context);
    let registration = context.config().registration;
    if registration == Registration::Closed {
        return Err(ApiError::forbidden("only an admin creates accounts on this server"));
    }
    let (new, device) = check(request, registration)?;
    let (username, guest) = (new.username.clone(), new.guest.clone());
    let others = context.guests_like(&username).await.map_err(|error| ApiError::unavailable(&error))?;
    if others.has_others(guest.as_ref()) {
        let message = "a guest who is connected has this name, or one that looks like it";
        return Err(ApiError::conflict("username_taken", message));
    }
    let from = address(&state, &headers);
    // a task of its own: whoever has the name is ended even if this client disconnects
    let registering = tokio::spawn({
        let (accounts, context) = (accounts.clone(), context.clone());
        async move {
            let account = accounts.register(new, from).await?;
            context.end_guests(&username).await;
            let session = accounts.start_session(&account, device).await?;
            Ok::<_, ApiError>(Session::new(&session, &account))
        }
    });
    let session = registering.await.map_err(|error| ApiError::unavailable(&error))??;
    Ok((StatusCode::CREATED, Json(session)))
}

/// Checks all fields, so that a form can show everything that is wrong at once.
fn check(request: Register, registration: Registration) -> Result<(NewUser, Option<Label>), ApiError> {
    let Register { username, password, invite, guest_token, device } = request;
    let username = Username::parse(&username).map_err(|error| ApiError::field("username", &error));
    let password = Password::new(&password).map_err(|error| ApiError::field("password", &error));
    let invite = invite.filter(|_| registration == Registration::Invite);
    let invite = match invite.map(|code| code.trim().parse::<InviteCode>()).transpose() {
        Ok(None) if registration == Registration::Invite => {
            Err(ApiError::field("invite", "you need an invite to register on this server"))
        }
        other => other.map_err(|_| ApiError::field("invite", "the invite is not valid, or is used up")),
    };
    let guest = guest_token.map(|token| token.parse::<GuestToken>()).transpose();
    let guest = guest.map_err(|error| ApiError::field("guest_token", &error));
    let device = label("device", device);
    match (username, password, invite, guest, device) {
        (Ok(username), Ok(password), Ok(invite), Ok(guest), Ok(device)) => {
            let guest = guest.map(|token| Identity::guest(&token, username.clone()).id().clone());
            Ok((NewUser { username, password, invite, guest }, device))
        }
        (username, password, invite, guest, device) => {
            let errors = [username.err(), password.err(), invite.err(), guest.err(), device.err()];
            Err(ApiError::all(errors.into_iter().flatten()))
        }
    }
}

/// An optional text in a field.
pub(super) fn label(field: &str, text: Option<String>) -> Result<Option<Label>, ApiError> {
    let text = text.filter(|text| !text.trim().is_empty());
    text.map(|text| text.parse::<Label>()).transpose().map_err(|error| ApiError::field(field, &error))
}
