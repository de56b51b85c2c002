//! What a run is to do.

use std::net::SocketAddr;
use std::time::Duration;

use crate::protocol::Dialect;
use crate::run::Flood;
use crate::connection::Trust;

/// Connections, messages, and for how long.
#[derive(Debug, Clone)]
pub struct Plan {
    pub server: SocketAddr,
    /// What the server's certificate is held against; none: the connections are not encrypted.
    pub trust: Option<Trust>,
    /// What the handshakes call the server.
    pub host: String,
    pub dialect: Dialect,
    /// Whether compressed messages are asked for.
    pub compression: bool,
    /// What the names of rooms and users begin with, so that two runs do not meet.
    pub prefix: String,
    pub rooms: usize,
    /// In each room.
    pub members: usize,
    /// How many of a room's members speak.
    pub publishers: usize,
    /// How many of a room's members stop reading when the messages begin: the last ones.
    pub deaf: usize,
    /// Latency is measured at one of so many members of a room, and at those who speak. The others are read every 100 ms: most of
    /// what a load costs is waking up for each message.
    pub sample: usize,
    pub pace: Pace,
    /// Bytes of a message's text.
    pub size: usize,
    /// Sessions that come and go while messages are sent: so many joins, and as many leaves, a second.
    pub churn: f64,
    /// What others write meanwhile, as fast as they are let, into a room of their own; and how many of them there are.
    pub flood: Option<Flood>,
    pub flooders: usize,
    /// Handshakes, and then joins, that wait for their answer at once.
    pub at_once: usize,
    /// From the first message until it counts.
    pub warm_up: Duration,
    /// For how long it counts.
    pub duration: Duration,
    pub threads: usize,
}

/// When the next message is sent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// So many a second by all publishers together, whatever comes back (an open loop).
    Rate(f64),
    /// Each publisher as soon as fewer than so many of its messages have not come back to it (a closed loop).
    InFlight(usize),
}

/// One member of one room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seat {
    pub room: usize,
    pub member: usize,
}

impl Plan {
    /// How many connections there are.
    pub fn connections(&self) -> usize {
        self.rooms * self.members
    }

    /// The members that one of the threads is.
    pub fn seats_of(&self, thread: usize) -> impl Iterator<Item = Seat> + use<'_> {
        (thread..self.connections())
            .step_by(self.threads)
            .map(|i| Seat { room: i % self.rooms, member: i / self.rooms })
    }

    pub fn speaks(&self, seat: Seat) -> bool {
        seat.member < self.publishers
    }

    pub fn is_deaf(&self, seat: Seat) -> bool {
        seat.member >= self.members - self.deaf
    }

    /// Whether it is read every 100 ms only.
    pub fn is_seldom(&self, seat: Seat) -> bool {
        !self.speaks(seat) && !self.is_deaf(seat) && !seat.member.is_multiple_of(self.sample)
    }

    pub fn room_name(&self, room: usize) -> String {
        format!("{}-{room}", self.prefix)
    }

    pub fn username(&self, seat: Seat) -> String {
        format!("{}-{}-{}", self.prefix, seat.room, seat.member)
    }
}
