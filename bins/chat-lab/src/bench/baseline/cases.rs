//! The comparisons with the floor, and between two ways of using chatd.

use std::fmt;
use std::time::Duration;

use chat_load::{Dialect, Flood, LoopMode};

use crate::bench::figure::Figure::{
    self, CpuPerByte, CpuPerDelivery, CpuPercent, DeliveriesPerSecond, GrowthMib, JoiningMilliseconds,
    KibPerConnection, P50Milliseconds, P99Milliseconds,
};
use crate::bench::workload::{BUSY, ROOMS, STEADY, Workload};
use Bound::{Absolute, Ratio};
use Limit::{AtLeast, AtMost};

/// The server under load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    Floor,
    /// chatd, with these options.
    Chatd(&'static [&'static str]),
}

const HISTORY_OFF: Target = Target::Chatd(&["--message-rate", "0", "--history", "off"]);
const HISTORY_ON: Target = Target::Chatd(&["--message-rate", "0"]);
/// chatd with its default options.
const DEFAULTS: Target = Target::Chatd(&[]);

/// One load on one server.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    pub(super) target: Target,
    pub(super) workload: Workload,
}

/// A comparison: two runs by turns, and the bounds of their figures.
#[derive(Debug, Clone, Copy)]
pub(super) struct Case {
    pub(super) name: &'static str,
    /// The run to compare with.
    pub(super) base: Run,
    pub(super) run: Run,
    pub(super) bounds: &'static [Bound],
}

/// A figure, and its limit.
#[derive(Debug, Clone, Copy)]
pub(super) enum Bound {
    /// The limit is for the ratio to the base.
    Ratio(Figure, Limit),
    /// The limit is for the figure itself.
    Absolute(Figure, Limit),
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Limit {
    AtLeast(f64),
    AtMost(f64),
}

impl Limit {
    /// Whether a value meets the limit. NaN, which was not measured, never does.
    pub(super) fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtLeast(limit) => value >= limit,
            Self::AtMost(limit) => value <= limit,
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(limit) => write!(f, ">= {limit}"),
            Self::AtMost(limit) => write!(f, "<= {limit}"),
        }
    }
}

const fn on(target: Target, workload: Workload) -> Run {
    Run { target, workload }
}

const BUSY_ROOMS: Workload = Workload { mode: LoopMode::Closed(8), ..ROOMS };
const HUNDRED: Workload = Workload { members: 100, mode: LoopMode::Open(200.0), ..STEADY };
const IDLE: Workload = Workload {
    rooms: 1_000,
    members: 10,
    publishers: 0,
    mode: LoopMode::Open(0.0),
    min_duration: Duration::from_secs(45),
    ..STEADY
};

/// 20 rooms of 10 with 15 messages per second each.
const TWENTY_ROOMS: Workload = Workload { rooms: 20, members: 10, mode: LoopMode::Open(300.0), ..STEADY };

const fn flooded(what: Flood) -> Run {
    on(DEFAULTS, Workload { flood: Some(what), ..TWENTY_ROOMS })
}

/// Rooms with 50,000 deliveries per second in total.
const fn sized(rooms: usize, members: usize) -> Workload {
    Workload { rooms, members, mode: LoopMode::Open(50_000.0 / members as f64), ..STEADY }
}

/// All comparisons. The server and the load have a CPU each.
pub(super) const CASES: &[Case] = &[
    Case {
        name: "room of 1,000, 50,000 deliveries/s",
        base: on(Target::Floor, STEADY),
        run: on(HISTORY_OFF, STEADY),
        bounds: &[Ratio(CpuPerDelivery, AtMost(1.10)), Ratio(P99Milliseconds, AtMost(1.0))],
    },
    Case {
        name: "room of 1,000, 8 in flight",
        base: on(Target::Floor, BUSY),
        run: on(HISTORY_OFF, BUSY),
        bounds: &[Ratio(DeliveriesPerSecond, AtLeast(5.0)), Ratio(CpuPerDelivery, AtMost(0.15))],
    },
    Case {
        name: "200 rooms of 10",
        base: on(Target::Floor, ROOMS),
        run: on(HISTORY_OFF, ROOMS),
        bounds: &[Ratio(DeliveriesPerSecond, AtLeast(0.9)), Ratio(CpuPerDelivery, AtMost(1.0))],
    },
    Case {
        name: "200 rooms of 10, 8 in flight each",
        base: on(Target::Floor, BUSY_ROOMS),
        run: on(HISTORY_OFF, BUSY_ROOMS),
        bounds: &[Ratio(DeliveriesPerSecond, AtLeast(0.9)), Ratio(CpuPerDelivery, AtMost(1.0))],
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
        run: on(HISTORY_OFF, Workload { dialect: Dialect::Classic, ..HUNDRED }),
        bounds: &[Ratio(CpuPerByte, AtMost(1.5))],
    },
    Case {
        name: "room of 1,000, 50 do not read, against none",
        base: on(HISTORY_OFF, STEADY),
        run: on(HISTORY_OFF, Workload { stalled_readers: 50, ..STEADY }),
        // at most 4 MiB for each of the 50 readers
        bounds: &[Ratio(P99Milliseconds, AtMost(1.1)), Absolute(GrowthMib, AtMost(200.0))],
    },
    Case {
        name: "10,000 idle",
        base: on(Target::Floor, IDLE),
        run: on(HISTORY_OFF, IDLE),
        bounds: &[Absolute(KibPerConnection, AtMost(3.0)), Absolute(CpuPercent, AtMost(1.0))],
    },
    Case {
        name: "1,000 joins at once",
        base: on(Target::Floor, Workload { concurrency: 1_000, ..STEADY }),
        run: on(HISTORY_ON, Workload { concurrency: 1_000, ..STEADY }),
        bounds: &[Absolute(JoiningMilliseconds, AtMost(1_000.0))],
    },
    Case {
        name: "rooms of 100 against rooms of 10",
        base: on(HISTORY_OFF, sized(100, 10)),
        run: on(HISTORY_OFF, sized(10, 100)),
        bounds: &[Ratio(CpuPerDelivery, AtMost(1.0))],
    },
    Case {
        name: "a room of 1,000 against rooms of 100",
        base: on(HISTORY_OFF, sized(10, 100)),
        run: on(HISTORY_OFF, sized(1, 1_000)),
        bounds: &[Ratio(CpuPerDelivery, AtMost(1.0))],
    },
    Case {
        name: "a room of 10,000 against one of 1,000",
        base: on(HISTORY_OFF, sized(1, 1_000)),
        run: on(HISTORY_OFF, sized(1, 10_000)),
        bounds: &[Ratio(CpuPerDelivery, AtMost(1.0))],
    },
    Case {
        name: "20 rooms of 10 beside a flood of messages, against none",
        base: on(DEFAULTS, TWENTY_ROOMS),
        run: flooded(Flood::Messages),
        bounds: &[Ratio(P50Milliseconds, AtMost(1.1)), Ratio(P99Milliseconds, AtMost(1.1))],
    },
    Case {
        name: "20 rooms of 10 beside a flood of typing, against none",
        base: on(DEFAULTS, TWENTY_ROOMS),
        run: flooded(Flood::Typing),
        bounds: &[Ratio(P50Milliseconds, AtMost(1.1)), Ratio(P99Milliseconds, AtMost(1.1))],
    },
    Case {
        name: "20 rooms of 10 beside a flood of joins, against none",
        base: on(DEFAULTS, TWENTY_ROOMS),
        run: flooded(Flood::Joins),
        bounds: &[Ratio(P50Milliseconds, AtMost(1.1)), Ratio(P99Milliseconds, AtMost(1.1))],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_that_was_not_measured_meets_no_limit() {
        assert!(AtLeast(1.0).is_met(1.0) && AtMost(1.0).is_met(1.0));
        assert!(!AtLeast(1.0).is_met(f64::NAN) && !AtMost(1.0).is_met(f64::NAN));
    }
}
