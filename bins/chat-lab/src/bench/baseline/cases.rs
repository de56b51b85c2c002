//! What is measured.

use std::net::SocketAddr;
use std::time::Duration;

use chat_load::{Dialect, Flood, Pace, Plan};

/// What a load is put on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Under {
    Floor,
    /// chatd, with these options.
    Chatd(&'static [&'static str]),
}

pub(super) const HISTORY_OFF: Under = Under::Chatd(&["--message-rate", "0", "--history", "off"]);
pub(super) const HISTORY_ON: Under = Under::Chatd(&["--message-rate", "0"]);
/// As it comes.
pub(super) const AS_IT_IS: Under = Under::Chatd(&[]);

/// One load on one server.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    pub(super) under: Under,
    pub(super) load: Load,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    pub(super) dialect: Dialect,
    pub(super) rooms: usize,
    pub(super) members: usize,
    pub(super) publishers: usize,
    pub(super) deaf: usize,
    pub(super) pace: Pace,
    pub(super) flood: Option<Flood>,
    pub(super) at_once: usize,
    /// Measured for at least so long: pings come every 20 s.
    pub(super) at_least: Duration,
}

const QUIET: Load = Load {
    dialect: Dialect::V2,
    rooms: 1,
    members: 1_000,
    publishers: 1,
    deaf: 0,
    pace: Pace::Rate(50.0),
    flood: None,
    at_once: 256,
    at_least: Duration::ZERO,
};

/// A question: two runs by turns, and how one stands to the other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Case {
    pub(super) name: &'static str,
    /// What it is held against.
    pub(super) base: Run,
    pub(super) run: Run,
    pub(super) bounds: &'static [Bound],
}

/// A figure, and what it should be.
#[derive(Debug, Clone, Copy)]
pub(super) enum Bound {
    /// Times the base's.
    Ratio(Figure, Least),
    /// By itself.
    Absolute(Figure, Least),
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Least {
    AtLeast(f64),
    AtMost(f64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Figure {
    DeliveriesPerSecond,
    /// Microseconds of the server's processor.
    PerDelivery,
    /// Nanoseconds of it.
    PerByte,
    P50Milliseconds,
    P99Milliseconds,
    KibPerConnection,
    /// Per cent of a processor.
    Processor,
    JoiningMilliseconds,
    /// The most of the server's memory beyond what it had when everybody was in, in MiB.
    GrowthMib,
}

use Bound::{Absolute, Ratio};
use Figure::{
    DeliveriesPerSecond, GrowthMib, JoiningMilliseconds, KibPerConnection, P50Milliseconds, P99Milliseconds,
    PerByte, PerDelivery, Processor,
};
use Least::{AtLeast, AtMost};

const fn on(under: Under, load: Load) -> Run {
    Run { under, load }
}

const BUSY: Load = Load { pace: Pace::InFlight(8), ..QUIET };
const ROOMS: Load = Load { rooms: 200, members: 10, pace: Pace::InFlight(1), ..QUIET };
const BUSY_ROOMS: Load = Load { pace: Pace::InFlight(8), ..ROOMS };
const HUNDRED: Load = Load { members: 100, pace: Pace::Rate(200.0), ..QUIET };
const IDLE: Load = Load {
    rooms: 1_000,
    members: 10,
    publishers: 0,
    pace: Pace::Rate(0.0),
    at_least: Duration::from_secs(45),
    ..QUIET
};

/// Twenty rooms of ten with 15 messages a second each.
const BESIDE_A_FLOOD: Load = Load { rooms: 20, members: 10, pace: Pace::Rate(300.0), ..QUIET };

const fn flooded(what: Flood) -> Run {
    on(AS_IT_IS, Load { flood: Some(what), ..BESIDE_A_FLOOD })
}

/// Rooms of a size that get 50,000 deliveries a second together.
const fn sized(rooms: usize, members: usize) -> Load {
    Load { rooms, members, pace: Pace::Rate(50_000.0 / members as f64), ..QUIET }
}

/// The server and the load have a processor each.
pub(super) const CASES: &[Case] = &[
    Case {
        name: "room of 1,000, 50,000 deliveries/s",
        base: on(Under::Floor, QUIET),
        run: on(HISTORY_OFF, QUIET),
        bounds: &[Ratio(PerDelivery, AtMost(1.10)), Ratio(P99Milliseconds, AtMost(1.0))],
    },
    Case {
        name: "room of 1,000, 8 in flight",
        base: on(Under::Floor, BUSY),
        run: on(HISTORY_OFF, BUSY),
        bounds: &[Ratio(DeliveriesPerSecond, AtLeast(5.0)), Ratio(PerDelivery, AtMost(0.15))],
    },
    Case {
        name: "200 rooms of 10",
        base: on(Under::Floor, ROOMS),
        run: on(HISTORY_OFF, ROOMS),
        bounds: &[Ratio(DeliveriesPerSecond, AtLeast(0.9)), Ratio(PerDelivery, AtMost(1.0))],
    },
    Case {
        name: "200 rooms of 10, 8 in flight each",
        base: on(Under::Floor, BUSY_ROOMS),
        run: on(HISTORY_OFF, BUSY_ROOMS),
        bounds: &[Ratio(DeliveriesPerSecond, AtLeast(0.9)), Ratio(PerDelivery, AtMost(1.0))],
    },
    Case {
        name: "200 rooms of 10, history on against off",
        base: on(HISTORY_OFF, ROOMS),
        run: on(HISTORY_ON, ROOMS),
        bounds: &[Ratio(DeliveriesPerSecond, AtLeast(0.6))],
    },
    Case {
        name: "room of 100, classic against v2",
        base: on(HISTORY_OFF, HUNDRED),
        run: on(HISTORY_OFF, Load { dialect: Dialect::Classic, ..HUNDRED }),
        bounds: &[Ratio(PerByte, AtMost(1.5))],
    },
    Case {
        name: "room of 1,000, 50 do not read, against none",
        base: on(HISTORY_OFF, QUIET),
        run: on(HISTORY_OFF, Load { deaf: 50, ..QUIET }),
        // 50 readers with at most 4 MiB each
        bounds: &[Ratio(P99Milliseconds, AtMost(1.1)), Absolute(GrowthMib, AtMost(200.0))],
    },
    Case {
        name: "10,000 idle",
        base: on(Under::Floor, IDLE),
        run: on(HISTORY_OFF, IDLE),
        bounds: &[Absolute(KibPerConnection, AtMost(3.0)), Absolute(Processor, AtMost(1.0))],
    },
    Case {
        name: "1,000 joins at once",
        base: on(Under::Floor, Load { at_once: 1_000, ..QUIET }),
        run: on(HISTORY_ON, Load { at_once: 1_000, ..QUIET }),
        bounds: &[Absolute(JoiningMilliseconds, AtMost(1_000.0))],
    },
    Case {
        name: "rooms of 100 against rooms of 10",
        base: on(HISTORY_OFF, sized(100, 10)),
        run: on(HISTORY_OFF, sized(10, 100)),
        bounds: &[Ratio(PerDelivery, AtMost(1.0))],
    },
    Case {
        name: "a room of 1,000 against rooms of 100",
        base: on(HISTORY_OFF, sized(10, 100)),
        run: on(HISTORY_OFF, sized(1, 1_000)),
        bounds: &[Ratio(PerDelivery, AtMost(1.0))],
    },
    Case {
        name: "a room of 10,000 against one of 1,000",
        base: on(HISTORY_OFF, sized(1, 1_000)),
        run: on(HISTORY_OFF, sized(1, 10_000)),
        bounds: &[Ratio(PerDelivery, AtMost(1.0))],
    },
    Case {
        name: "20 rooms of 10 beside a flood of messages, against none",
        base: on(AS_IT_IS, BESIDE_A_FLOOD),
        run: flooded(Flood::Messages),
        bounds: &[Ratio(P50Milliseconds, AtMost(1.1)), Ratio(P99Milliseconds, AtMost(1.1))],
    },
    Case {
        name: "20 rooms of 10 beside a flood of typing, against none",
        base: on(AS_IT_IS, BESIDE_A_FLOOD),
        run: flooded(Flood::Typing),
        bounds: &[Ratio(P50Milliseconds, AtMost(1.1)), Ratio(P99Milliseconds, AtMost(1.1))],
    },
    Case {
        name: "20 rooms of 10 beside a flood of joins, against none",
        base: on(AS_IT_IS, BESIDE_A_FLOOD),
        run: flooded(Flood::Joins),
        bounds: &[Ratio(P50Milliseconds, AtMost(1.1)), Ratio(P99Milliseconds, AtMost(1.1))],
    },
];

impl Load {
    /// What is to be done to a server.
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
            deaf: self.deaf,
            sample: 10,
            pace: self.pace,
            size: 128,
            churn: 0.0,
            flood: self.flood,
            flooders: 5,
            at_once: self.at_once,
            warm_up: Duration::from_secs(1),
            duration: duration.max(self.at_least),
            threads: 1,
        }
    }
}
