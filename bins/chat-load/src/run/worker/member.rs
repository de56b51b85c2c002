//! One connection of a worker, and the member that it stands for.

use crate::connection::Connection;
use crate::measure::StreamChecker;
use crate::plan::Participant;

pub(super) struct Member {
    pub(super) participant: Participant,
    /// `None` before it is opened, and after it has ended.
    pub(super) connection: Option<Connection>,
    pub(super) stage: Stage,
    pub(super) checker: StreamChecker,
    /// Messages that this member has sent.
    pub(super) sent: u32,
    /// Messages that this member has sent and not received yet.
    pub(super) in_flight: usize,
    /// When the connection was opened, and then when the join was requested.
    pub(super) requested_at: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Not connected, or not accepted by the server yet.
    Disconnected,
    /// Connected; in chat.v2, the session has begun.
    Connected,
    /// In the room.
    Joined,
    /// The connection has ended.
    Ended,
}

impl Member {
    pub(super) fn new(participant: Participant) -> Self {
        Self {
            participant,
            connection: None,
            stage: Stage::Disconnected,
            checker: StreamChecker::default(),
            sent: 0,
            in_flight: 0,
            requested_at: 0,
        }
    }
}
