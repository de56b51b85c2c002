//! The way to the server: a connection, a pause, or an attempt.

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
use crate::session::Session;

type Dialed = Result<(Box<Wire>, Welcome), ConnectError>;

/// The way to the server.
pub(crate) enum Link {
    /// There is a connection with a session.
    Up(Box<Wire>),
    /// The next attempt waits.
    Pausing(Pin<Box<Sleep>>),
    /// An attempt is made.
    Dialing(BoxFuture<'static, Dialed>),
}

/// What happened on the way.
pub(crate) enum Progress {
    /// Something came in.
    Incoming(Incoming),
    /// The pause is over.
    Rested,
    /// The attempt is over.
    Dialed(Dialed),
}

impl Link {
    pub(crate) fn pause(pause: Duration) -> Self {
        Self::Pausing(Box::pin(sleep(pause)))
    }

    pub(crate) fn dial(options: &Arc<Options>, hello: Hello) -> Self {
        let options = Arc::clone(options);
        Self::Dialing(async move { dial(&options, hello).await }.boxed())
    }

    pub(crate) fn wire(&mut self) -> Option<&mut Wire> {
        match self {
            Self::Up(wire) => Some(wire),
            _ => None,
        }
    }

    /// Goes on: writes what there is to write, and gives what happens next. While `reading` is false nothing comes in, and no
    /// attempt is made. Cancel-safe.
    pub(crate) async fn next(&mut self, session: &mut Session, reading: bool) -> Progress {
        match self {
            Self::Up(wire) => {
                let incoming = poll_fn(|cx| wire.poll(cx, || session.next_frame(), reading)).await;
                Progress::Incoming(incoming)
            }
            _ if !reading => pending().await,
            Self::Pausing(pause) => {
                pause.as_mut().await;
                Progress::Rested
            }
            Self::Dialing(dialing) => Progress::Dialed(dialing.as_mut().await),
        }
    }
}
