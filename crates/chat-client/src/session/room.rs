//! A room that the user wants to be in.

use std::sync::Arc;

use chat_protocol::InviteCode;
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
    /// Joined, but events were missed. They are requested, under this key.
    Resyncing(u64),
    /// Joined, but events were missed, and the request was refused; to be requested again at this
    /// time.
    ResyncAt(Instant),
}

impl Stage {
    /// Whether the session is in the room.
    pub(super) fn is_joined(self) -> bool {
        matches!(self, Self::Joined | Self::Resyncing(_) | Self::ResyncAt(_))
    }

    /// Whether this waits for the answer to the `join` under a key.
    pub(super) fn waits_for(self, key: u64) -> bool {
        matches!(self, Self::Requested(requested) | Self::Resyncing(requested) if requested == key)
    }

    /// The stage after a `join` under a key.
    pub(super) fn requested(self, key: u64) -> Self {
        if self.is_joined() { Self::Resyncing(key) } else { Self::Requested(key) }
    }

    /// The stage after a `join` was refused for now.
    pub(super) fn refused_until(self, at: Instant) -> Self {
        if self.is_joined() { Self::ResyncAt(at) } else { Self::RetryAt(at) }
    }

    /// The time at which to send the next `join`.
    pub(super) fn retry_at(self) -> Option<Instant> {
        match self {
            Self::RetryAt(at) | Self::ResyncAt(at) => Some(at),
            _ => None,
        }
    }
}

/// A room that the user wants to be in. The client rejoins it after each reconnect until the user
/// leaves it.
#[derive(Debug)]
pub(super) struct Room {
    /// The number of newest messages to request if missed ones cannot be recovered.
    pub(super) history: u64,
    pub(super) stage: Stage,
    /// The code of an invite link, for the first join.
    pub(super) invite: Option<InviteCode>,
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
    pub(super) fn new(invite: Option<InviteCode>, history: u64, joining: Responder<Arc<Joined>>) -> Self {
        Self {
            history,
            invite,
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
        self.stage.retry_at().into_iter().chain(self.send_queue.deadline()).min()
    }
}
