//! Handshakes that are not the first request of their connection: proxies keep connections alive
//! and send them over any.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::Request as HttpRequest;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;

use super::RouteState;
use crate::admission::permit::ChatPermit;
use crate::connection::{self, Joined, OpenConnection};
use crate::handshake::refusal::Refusal;
use crate::handshake::{self, Admitted};
use crate::transport::prefixed::Prefixed;
use crate::transport::stream::Stream;

pub(super) async fn answer(State(state): State<RouteState>, request: Request) -> Response {
    let (mut parts, _) = request.into_parts();
    let upgrade = parts.extensions.remove::<OnUpgrade>();
    match handshake::admit(&HttpRequest::from_parts(parts, ()), &state.connection_permit, &state.context)
        .await
    {
        Err(refusal) => refusal.response().map(axum::body::Body::from).into_response(),
        Ok(Admitted { response, deflates, accepted, permit }) => {
            // before the response, so that a client that has received it is a member
            let Some(joined) =
                connection::join_early(accepted, deflates, permit.client, &state.context).await
            else {
                return Refusal::Store.response().map(axum::body::Body::from).into_response();
            };
            if let Some(upgrade) = upgrade {
                let context = Arc::clone(&state.context);
                context.tasks.spawn(finish_upgrade(upgrade, deflates, joined, permit, state));
            }
            response.map(|()| axum::body::Body::empty()).into_response()
        }
    }
}

/// Waits until the response is sent, and takes the connection over from HTTP.
async fn finish_upgrade(
    upgrade: OnUpgrade,
    deflates: bool,
    joined: Joined,
    permit: ChatPermit,
    state: RouteState,
) {
    // if the client is gone or does not read the response, the member leaves
    let timeout = state.context.config().timings.head;
    let Ok(Ok(upgraded)) = tokio::time::timeout(timeout, upgrade).await else { return };
    let Ok(parts) = upgraded.downcast::<TokioIo<Prefixed<Stream>>>() else { return };
    let (unread, stream) = parts.io.into_inner().into_parts();
    let unread = [parts.read_buf, unread].concat().into();
    let opened = OpenConnection { stream, unread, answer: Vec::new(), deflates };
    connection::start_joined(opened, joined, (permit, state.connection_permit), &state.context);
}
