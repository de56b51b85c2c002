//! The client against a scripted server, over real sockets.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod commands;
mod connecting;
mod identity;
mod liveness;
mod moderation;
mod reconnect;
mod recovery;
mod server;
#[cfg(feature = "tls")]
mod tls;
mod token;
