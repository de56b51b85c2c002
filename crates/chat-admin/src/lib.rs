#![doc = include_str!("../README.md")]

mod health;
mod metrics;
pub mod v1;

use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use chat_history::UserMessages;
use chat_server::Control;
use chat_usage::Usage;
use tokio::net::TcpListener;

use crate::metrics::Metrics;
use crate::v1::Token;

/// The admin interface of a running server: health checks, metrics and the admin API.
#[derive(Debug, Clone)]
pub struct Admin {
    control: Control,
    metrics: Option<Metrics>,
    token: Option<Token>,
    usage: Option<Usage>,
    users: Option<Arc<dyn UserMessages>>,
}

impl Admin {
    /// The admin interface of the server behind `control`.
    pub fn new(control: Control) -> Self {
        Self { control, metrics: None, token: None, usage: None, users: None }
    }

    /// Serves `/metrics` with the result of `render`, in the text format of Prometheus. Without it
    /// there is no such path. `render` is called inside the runtime and must not block. The gauges
    /// of the server are up to date when it is called.
    pub fn metrics(mut self, render: impl Fn() -> String + Send + Sync + 'static) -> Self {
        self.metrics = Some(Metrics::new(render));
        self
    }

    /// Accepts requests to `/v1` with this token. Without a token, all requests to `/v1` are
    /// refused.
    pub fn token(mut self, token: &str) -> Self {
        self.token = Some(Token::new(token));
        self
    }

    /// Serves the usage of rooms. With `None`, requests for it are refused.
    pub fn usage(mut self, usage: Option<Usage>) -> Self {
        self.usage = usage;
        self
    }

    /// Exports and erases the messages of users. With `None`, requests for that are refused.
    pub fn users(mut self, users: Option<Arc<dyn UserMessages>>) -> Self {
        self.users = users;
        self
    }

    /// Serves all connections of the listener, forever. Dropping the future aborts the requests in
    /// progress.
    ///
    /// # Errors
    /// The listener fails. An error of a connection ends only that connection.
    pub async fn serve(self, listener: TcpListener) -> std::io::Result<()> {
        axum::serve(listener, self.routes()).await
    }

    fn routes(self) -> Router {
        Router::new()
            .route("/livez", get(health::alive))
            .route("/readyz", get(health::ready))
            .route("/metrics", get(metrics::metrics))
            .nest("/v1", v1::routes(&self))
            .with_state(self)
    }
}
