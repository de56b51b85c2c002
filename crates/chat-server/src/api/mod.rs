//! Plain HTTP: look-ups, health, the page, and handshakes that are not the first request of their
//! connection.

mod cors;
mod health;
mod lookup;
mod page;
mod upgrade;
pub(crate) mod v1;

use std::sync::Arc;

use axum::Router;
use axum::routing::{any, get};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;

use crate::admission::permit::ConnectionPermit;
use crate::config::HEAD_BYTES;
use crate::context::Context;
use crate::transport::prefixed::Prefixed;
use crate::transport::stream::Stream;

/// State shared by the routes: the server, and the permit of the connection that carries the
/// request.
#[derive(Debug, Clone)]
struct RouteState {
    context: Arc<Context>,
    connection_permit: ConnectionPermit,
}

/// Serves the requests of one connection until it ends or the server shuts down.
pub(crate) async fn serve(
    stream: Prefixed<Stream>,
    connection_permit: ConnectionPermit,
    context: Arc<Context>,
) {
    let timings = &context.config().timings;
    let service =
        TowerToHyperService::new(routes(RouteState { context: Arc::clone(&context), connection_permit }));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(timings.head)
        .max_buf_size(HEAD_BYTES)
        // a client that has finished sending may still wait for the response
        .half_close(true)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        // the client ended the connection, or sent something invalid that hyper has already
        // answered
        _ = connection.as_mut() => return,
        () = context.stopping.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    let _ = tokio::time::timeout(timings.close, connection).await;
}

fn routes(state: RouteState) -> Router {
    // the look-up splits its path itself: a router would reject segments that do not decode
    Router::new()
        .route(lookup::PATH, any(lookup::answer))
        .route(&format!("{}/", lookup::PATH), any(lookup::answer))
        .route(&format!("{}/{{*path}}", lookup::PATH), any(lookup::answer))
        .nest(v1::PREFIX, v1::routes())
        .layer(axum::middleware::from_fn_with_state(state.clone(), cors::allow_cross_origin))
        .route("/livez", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/ws", any(upgrade::answer))
        .route("/ws/{*path}", any(upgrade::answer))
        .fallback(page::answer)
        .with_state(state)
}
