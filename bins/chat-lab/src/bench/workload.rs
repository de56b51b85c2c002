//! The loads that comparisons put on a server.

use std::net::SocketAddr;
use std::time::Duration;

use chat_load::{Dialect, Flood, LoopMode, Plan};

/// A load, without the server and the duration.
#[derive(Debug, Clone, Copy)]
pub(super) struct Workload {
    pub(super) dialect: Dialect,
    pub(super) rooms: usize,
    pub(super) members: usize,
    pub(super) publishers: usize,
    pub(super) stalled_readers: usize,
    pub(super) mode: LoopMode,
    pub(super) flood: Option<Flood>,
    pub(super) concurrency: usize,
    /// The minimum duration of the measurement.
    pub(super) min_duration: Duration,
}

/// A room of 1,000 with 50,000 deliveries per second.
pub(super) const STEADY: Workload = Workload {
    dialect: Dialect::V2,
    rooms: 1,
    members: 1_000,
    publishers: 1,
    stalled_readers: 0,
    mode: LoopMode::Open(50.0),
    flood: None,
    concurrency: 256,
    min_duration: Duration::ZERO,
};

/// A room of 1,000 with 8 messages in flight.
pub(super) const BUSY: Workload = Workload { mode: LoopMode::Closed(8), ..STEADY };

/// 200 rooms of 10 with one message in flight each.
pub(super) const ROOMS: Workload = Workload { rooms: 200, members: 10, mode: LoopMode::Closed(1), ..STEADY };

impl Workload {
    /// The plan of a run.
    pub(super) fn plan(self, server: SocketAddr, duration: Duration) -> Plan {
        Plan {
            server,
            trust: None,
            host: server.to_string(),
            dialect: self.dialect,
            compression: false,
            prefix: "bench".into(),
            rooms: self.rooms,
            members: self.members,
            publishers: self.publishers,
            stalled_readers: self.stalled_readers,
            sample: 10,
            mode: self.mode,
            size: 128,
            churn: 0.0,
            flood: self.flood,
            flood_clients: 5,
            concurrency: self.concurrency,
            warm_up: Duration::from_secs(1),
            duration: duration.max(self.min_duration),
            threads: 1,
        }
    }
}
