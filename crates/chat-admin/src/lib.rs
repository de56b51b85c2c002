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

/// The operator's side of a running server.
#[derive(Debug, Clone)]
pub struct Admin {
    control: Control,
    metrics: Option<Metrics>,
    token: Option<Token>,
    usage: Option<Usage>,
    users: Option<Arc<dyn UserMessages>>,
}

impl Admin {
    /// Of this server.
    pub fn new(control: Control) -> Self {
        Self { control, metrics: None, token: None, usage: None, users: None }
    }

    /// What `/metrics` answers, in the text format of Prometheus; without this there is no such path. It is called in the runtime and must
    /// not block; what the server tells of itself is up to date by then.
    pub fn metrics(mut self, render: impl Fn() -> String + Send + Sync + 'static) -> Self {
        self.metrics = Some(Metrics::new(render));
        self
    }

    /// Whoever has this token may do what is under `/v1`; without one nobody may.
    pub fn token(mut self, token: &str) -> Self {
        self.token = Some(Token::new(token));
        self
    }

    /// The usage of the rooms, where it is kept; without it it is not told.
    pub fn usage(mut self, usage: Option<Usage>) -> Self {
        self.usage = usage;
        self
    }

    /// The messages by who said them, where they are stored; without it nothing is exported or erased.
    pub fn users(mut self, users: Option<Arc<dyn UserMessages>>) -> Self {
        self.users = users;
        self
    }

    /// Answers whoever connects, for ever. Dropped, it ends in the middle of whatever it does.
    ///
    /// # Errors
    /// What the system says about the listener. A connection's errors are its own.
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
