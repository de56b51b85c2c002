//! Handshakes that are not the first request of their connection: proxies keep connections alive
//! and send them over any.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::Request as HttpRequest;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;

use super::Visit;
use crate::admission::permit::ChatPermit;
use crate::connection::{self, OpenConnection};
use crate::handshake::{self, Accepted, Admitted};
use crate::transport::prefixed::Prefixed;
use crate::transport::stream::Stream;

pub(super) async fn answer(State(visit): State<Visit>, request: Request) -> Response {
    let (mut parts, _) = request.into_parts();
    let upgrade = parts.extensions.remove::<OnUpgrade>();
    match handshake::admit(&HttpRequest::from_parts(parts, ()), &visit.place, &visit.context).await {
        Err(refusal) => refusal.response().map(axum::body::Body::from).into_response(),
        Ok(Admitted { response, deflates, entrant, permit }) => {
            if let Some(upgrade) = upgrade {
                let context = Arc::clone(&visit.context);
                context.tasks.spawn(hand_over(upgrade, deflates, entrant, permit, visit));
            }
            response.map(|()| axum::body::Body::empty()).into_response()
        }
    }
}

/// Waits until the response is sent, and takes the connection over from HTTP.
async fn hand_over(upgrade: OnUpgrade, deflates: bool, entrant: Accepted, permit: ChatPermit, visit: Visit) {
    // if the client is gone or does not read the response, the admission is released
    let patience = visit.context.config().timings.head;
    let Ok(Ok(upgraded)) = tokio::time::timeout(patience, upgrade).await else { return };
    let Ok(parts) = upgraded.downcast::<TokioIo<Prefixed<Stream>>>() else { return };
    let (unread, stream) = parts.io.into_inner().into_parts();
    let unread = [parts.read_buf, unread].concat().into();
    let opened = OpenConnection { stream, unread, answer: Vec::new(), deflates };
    connection::start(opened, entrant, (permit, visit.place), &visit.context).await;
}
