#![doc = include_str!("../README.md")]

mod health;

use axum::Router;
use axum::routing::get;
use chat_server::Control;
use tokio::net::TcpListener;

/// The operator's side of a running server.
#[derive(Debug, Clone)]
pub struct Admin {
    control: Control,
}

impl Admin {
    /// Of this server.
    pub fn new(control: Control) -> Self {
        Self { control }
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
            .with_state(self)
    }
}
