//! A room that the user wants to be in.

use std::sync::Arc;

use tokio::time::Instant;

use super::send_queue::Lane;
use super::stream::Stream;
use crate::command::Reply;
use crate::model::Joined;

/// How far the room is joined on the present connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Not at all.
    Out,
    /// Asked for, under this key.
    Asked(u64),
    /// Refused for now; to be asked for again then.
    Later(Instant),
    /// Joined.
    In,
}

/// A room that the user wants to be in. It is joined again after each reconnect until it is left.
#[derive(Debug)]
pub(super) struct Room {
    /// How many of the newest messages are asked for where what was missed can't be had.
    pub(super) history: u64,
    pub(super) stage: Stage,
    /// How far its stream was told; none before it was joined for the first time.
    pub(super) stream: Option<Stream>,
    /// Who waits for the answer to the first join.
    pub(super) joining: Option<Reply<Arc<Joined>>>,
    /// Who waits for the answer to `leave`, which is on its way.
    pub(super) leaving: Option<Reply<()>>,
    /// A join was on its way when a connection ended: the dead connection may hold the name there.
    pub(super) may_be_seated: bool,
    /// How often in a row it was refused for now.
    pub(super) attempts: u32,
    /// What is said there and has no ack.
    pub(super) lane: Lane,
}

impl Room {
    pub(super) fn new(history: u64, joining: Reply<Arc<Joined>>) -> Self {
        Self {
            history,
            stage: Stage::Out,
            stream: None,
            joining: Some(joining),
            leaving: None,
            may_be_seated: false,
            attempts: 0,
            lane: Lane::new(),
        }
    }

    /// Whether a join is one that the client does by itself.
    pub(super) fn is_rejoin(&self) -> bool {
        self.stream.is_some() || self.may_be_seated
    }

    /// The connection ended.
    pub(super) fn shut(&mut self) {
        if matches!(self.stage, Stage::Asked(_)) {
            self.may_be_seated = true;
        }
        self.stage = Stage::Out;
        self.attempts = 0;
        self.lane.shut();
    }

    /// When there is something to do without being told.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let rejoin = match self.stage {
            Stage::Later(until) => Some(until),
            _ => None,
        };
        rejoin.into_iter().chain(self.lane.deadline()).min()
    }
}
