//! Who sends a request: the header `Authorization: Bearer TOKEN`.

use axum::extract::FromRequestParts;
use chat_accounts::{Account, Token};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use http::request::Parts;

use super::error::ApiError;
use crate::accounts::{Accounts, SignedIn};
use crate::admission::addresses::ClientAddress;
use crate::admission::permit::Peer;
use crate::api::RouteState;

/// The accounts of the server.
pub(super) fn accounts(state: &RouteState) -> Result<&Accounts, ApiError> {
    state.context.accounts.as_ref().ok_or_else(|| ApiError::not_found("this server has no accounts"))
}

/// Where a request comes from.
pub(super) fn address(state: &RouteState, headers: &HeaderMap) -> ClientAddress {
    let context = &state.context;
    let address = match state.connection_permit.peer() {
        Peer::Client { address, .. } => *address,
        Peer::Proxy(proxy) => context.config().proxies.client(headers, *proxy),
    };
    context.addresses.client(address)
}

/// The user whose token, of any kind, a request has.
pub(super) struct Caller(pub(super) SignedIn);

/// The user whose session on a device a request has. API tokens are refused: a program that leaks
/// one must not lose the account.
pub(super) struct Device {
    pub(super) account: Account,
    pub(super) token: Token,
}

impl FromRequestParts<RouteState> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &RouteState) -> Result<Self, ApiError> {
        let accounts = accounts(state)?;
        let header = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = header.and_then(|value| {
            let (scheme, token) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
        });
        let Some(token) = token else {
            return Err(ApiError::unauthorized("the header Authorization must be \"Bearer\" and a token"));
        };
        Ok(Self(accounts.authenticate(token).await?))
    }
}

impl FromRequestParts<RouteState> for Device {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &RouteState) -> Result<Self, ApiError> {
        let Caller(SignedIn { account, credential }) = Caller::from_request_parts(parts, state).await?;
        match credential.session() {
            Some(token) => Ok(Self { account, token: token.clone() }),
            None => Err(ApiError::forbidden("this needs the session of a device: sign in with the password")),
        }
    }
}
