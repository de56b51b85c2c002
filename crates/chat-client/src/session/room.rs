//! A room that the user wants to be in.

use std::sync::Arc;

use tokio::time::Instant;

use super::send_queue::SendQueue;
use super::stream::Stream;
use crate::command::Responder;
use crate::model::Joined;

/// The progress of joining a room on the current connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Not requested.
    NotJoined,
    /// Requested, under this key.
    Requested(u64),
    /// Refused for now; to be requested again at this time.
    RetryAt(Instant),
    /// Joined.
    Joined,
}

/// A room that the user wants to be in. The client rejoins it after each reconnect until the user
/// leaves it.
#[derive(Debug)]
pub(super) struct Room {
    /// The number of newest messages to request if missed ones cannot be recovered.
    pub(super) history: u64,
    pub(super) stage: Stage,
    /// The position in the room's stream. `None` before the first join.
    pub(super) stream: Option<Stream>,
    /// The caller of the first `join`, until the answer.
    pub(super) joining: Option<Responder<Arc<Joined>>>,
    /// The caller of `leave`, until the answer.
    pub(super) leaving: Option<Responder<()>>,
    /// The number of consecutive refusals.
    pub(super) attempts: u32,
    /// The messages to this room without an ack.
    pub(super) send_queue: SendQueue,
}

impl Room {
    pub(super) fn new(history: u64, joining: Responder<Arc<Joined>>) -> Self {
        Self {
            history,
            stage: Stage::NotJoined,
            stream: None,
            joining: Some(joining),
            leaving: None,
            attempts: 0,
            send_queue: SendQueue::new(),
        }
    }

    /// Whether a refused join is repeated: the room was joined before.
    pub(super) fn is_rejoin(&self) -> bool {
        self.stream.is_some()
    }

    /// The connection ended.
    pub(super) fn on_disconnected(&mut self) {
        self.stage = Stage::NotJoined;
        self.attempts = 0;
        self.send_queue.close();
    }

    /// When the room needs attention although nothing has arrived.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let rejoin = match self.stage {
            Stage::RetryAt(at) => Some(at),
            _ => None,
        };
        rejoin.into_iter().chain(self.send_queue.deadline()).min()
    }
}
