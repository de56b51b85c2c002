//! The link to the server: a connection, a delay, or an attempt to connect.

use std::future::{pending, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use chat_protocol::v2::{Hello, Welcome};
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::time::{Sleep, sleep};

use super::dial::dial;
use super::wire::{Incoming, Wire};
use crate::model::{ConnectError, Options};

type Dialed = Result<(Box<Wire>, Welcome), ConnectError>;

/// The link to the server.
pub(crate) enum Link {
    /// A connection with a session.
    Connected(Box<Wire>),
    /// The delay before the next attempt.
    Waiting(Pin<Box<Sleep>>),
    /// An attempt to connect.
    Dialing(BoxFuture<'static, Dialed>),
}

/// What happened on the link.
pub(crate) enum Progress {
    /// Something arrived.
    Incoming(Incoming),
    /// The delay is over.
    DelayOver,
    /// The attempt is over.
    Dialed(Box<Dialed>),
}

impl Link {
    pub(crate) fn wait(delay: Duration) -> Self {
        Self::Waiting(Box::pin(sleep(delay)))
    }

    pub(crate) fn dial(options: &Arc<Options>, hello: Hello) -> Self {
        let options = Arc::clone(options);
        Self::Dialing(async move { dial(&options, hello).await }.boxed())
    }

    /// The connection, if there is one.
    pub(crate) fn wire(&mut self) -> Option<&mut Wire> {
        match self {
            Self::Connected(wire) => Some(wire),
            _ => None,
        }
    }

    /// Writes the frames that `next_frame` returns, and resolves with what happens next. While
    /// `reading` is false, nothing is read, and no attempt is made. Cancel-safe.
    pub(crate) async fn next(
        &mut self,
        mut next_frame: impl FnMut() -> Option<String>,
        reading: bool,
    ) -> Progress {
        match self {
            Self::Connected(wire) => {
                Progress::Incoming(poll_fn(|cx| wire.poll(cx, &mut next_frame, reading)).await)
            }
            _ if !reading => pending().await,
            Self::Waiting(delay) => {
                delay.as_mut().await;
                Progress::DelayOver
            }
            Self::Dialing(dialing) => Progress::Dialed(Box::new(dialing.as_mut().await)),
        }
    }
}
