//! What a run does.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use clap::ValueEnum;
use serde::Serialize;

use crate::connection::Trust;

/// The connections and messages of a run, and its duration.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The address of the server.
    pub server: SocketAddr,
    /// Verifies the server's certificate. `None`: the connections are not encrypted.
    pub trust: Option<Trust>,
    /// The `Host` header of the handshakes.
    pub host: String,
    /// The protocol of all clients, except those that flood.
    pub dialect: Dialect,
    /// Whether compressed messages are requested.
    pub compression: bool,
    /// The prefix of the names of rooms and users. It keeps concurrent runs apart.
    pub prefix: String,
    /// The number of rooms.
    pub rooms: usize,
    /// The number of members of each room, publishers included.
    pub members: usize,
    /// The number of members of each room that send.
    pub publishers: usize,
    /// The number of members of each room that stop reading when the messages begin: the last
    /// ones.
    pub stalled_readers: usize,
    /// Latency is measured at one of `sample` members of a room, and at the publishers. The other
    /// members are read every 100 ms: most of the cost of a load is waking up for each message.
    pub sample: usize,
    /// What triggers the next message.
    pub mode: LoopMode,
    /// The length of a message's text, in bytes.
    pub size: usize,
    /// Joins per second, and as many leaves, by additional sessions while messages are sent.
    pub churn: f64,
    /// What additional clients send to a room of their own, as fast as the server reads.
    pub flood: Option<Flood>,
    /// The number of clients that flood.
    pub flood_clients: usize,
    /// The maximum number of handshakes, and then of joins, that wait for a response.
    pub concurrency: usize,
    /// The time from the first message to the start of the measurement.
    pub warm_up: Duration,
    /// The duration of the measurement.
    pub duration: Duration,
    /// The number of threads of the load.
    pub threads: usize,
}

/// The protocol of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Dialect {
    /// chat.v2: sessions with acks; the list of members is sent once
    V2,
    /// classic: one room per connection; the list of users is in every event
    Classic,
}

/// What triggers the next message.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LoopMode {
    /// An open loop: messages per second of all publishers together, whatever the server does.
    Open(f64),
    /// A closed loop: each publisher keeps this number of messages in flight. A message is in
    /// flight until its publisher receives it.
    Closed(usize),
}

/// The frames of a flood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Flood {
    /// Messages.
    Messages,
    /// Leaves and joins.
    Joins,
    /// Typing notifications.
    Typing,
}

/// One member of one room, by their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Participant {
    pub(crate) room: usize,
    pub(crate) member: usize,
}

impl Plan {
    /// The number of connections, without those that flood, and join and leave.
    pub fn connections(&self) -> usize {
        self.rooms * self.members
    }

    /// The participants of one thread.
    pub(crate) fn participants_of(&self, thread: usize) -> impl Iterator<Item = Participant> + use<'_> {
        (thread..self.connections())
            .step_by(self.threads)
            .map(|i| Participant { room: i % self.rooms, member: i / self.rooms })
    }

    pub(crate) fn is_publisher(&self, participant: Participant) -> bool {
        participant.member < self.publishers
    }

    pub(crate) fn is_stalled(&self, participant: Participant) -> bool {
        participant.member >= self.members - self.stalled_readers
    }

    /// Whether the participant is read every 100 ms instead of when something arrives.
    pub(crate) fn is_batched(&self, participant: Participant) -> bool {
        !self.is_publisher(participant)
            && !self.is_stalled(participant)
            && !participant.member.is_multiple_of(self.sample)
    }

    pub(crate) fn room_name(&self, room: usize) -> String {
        format!("{}-{room}", self.prefix)
    }

    pub(crate) fn username(&self, participant: Participant) -> String {
        format!("{}-{}-{}", self.prefix, participant.room, participant.member)
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V2 => "chat.v2",
            Self::Classic => "classic",
        })
    }
}

impl fmt::Display for Flood {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Messages => "messages",
            Self::Joins => "joins",
            Self::Typing => "typing",
        })
    }
}
