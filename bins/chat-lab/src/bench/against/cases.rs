//! The loads under which two builds are compared.

use std::time::Duration;

use chat_load::LoopMode;

use super::flags::Flag;
use super::verdict::Limit::{self, Interval, Median};
use crate::bench::figure::Figure::{
    self, CpuPerDelivery, KibPerConnection, P50Milliseconds, P99Milliseconds,
};
use crate::bench::workload::{BUSY, ROOMS, STEADY, Workload};

/// A load, and the limits of the ratio of the new build's figures to those of the old build.
#[derive(Debug, Clone, Copy)]
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) flags: &'static [Flag],
    pub(super) workload: Workload,
    pub(super) limits: &'static [(Figure, Limit)],
}

/// The options of every case.
pub(super) const COMMON: &[Flag] = &[
    Flag { names: &["--listen"], value: "127.0.0.1:0" },
    Flag { names: &["--admin-listen"], value: "off" },
    Flag { names: &["--log"], value: "error" },
    Flag { names: &["--message-rate"], value: "0" },
];

const HISTORY_OFF: &[Flag] = &[Flag { names: &["--history"], value: "off" }];
const HISTORY_ON: &[Flag] = &[Flag { names: &["--history"], value: "on" }];

/// The new build may cost this much more: a difference below it is not worth a search.
const MAX_COST: Limit = Interval(1.03);

/// Each member is alone in its room: a delivery is the ack and the echo of one stored message.
const STORING: Workload = Workload { members: 1, mode: LoopMode::Closed(16), ..ROOMS };

const IDLE: Workload = Workload {
    rooms: 500,
    members: 10,
    publishers: 0,
    mode: LoopMode::Open(0.0),
    min_duration: Duration::ZERO,
    ..STEADY
};

/// All cases. The server and the load have a CPU each.
pub(super) const CASES: &[Case] = &[
    Case {
        name: "busy room: 1,000 members, 8 in flight",
        flags: HISTORY_OFF,
        workload: BUSY,
        limits: &[(CpuPerDelivery, MAX_COST)],
    },
    Case {
        name: "steady room: 1,000 members, 50,000 deliveries/s",
        flags: HISTORY_OFF,
        workload: STEADY,
        // the latency of single runs differs by a quarter, and more at p99
        limits: &[
            (CpuPerDelivery, MAX_COST),
            (P50Milliseconds, Median(1.10)),
            (P99Milliseconds, Median(1.25)),
        ],
    },
    Case {
        name: "many rooms: 200 of 10, 1 in flight each",
        flags: HISTORY_OFF,
        workload: ROOMS,
        limits: &[(CpuPerDelivery, MAX_COST)],
    },
    Case {
        name: "storing: 200 rooms, 16 in flight each",
        flags: HISTORY_ON,
        workload: STORING,
        limits: &[(CpuPerDelivery, MAX_COST)],
    },
    Case {
        name: "idle memory: 5,000 connections in rooms of 10",
        flags: HISTORY_OFF,
        workload: IDLE,
        limits: &[(KibPerConnection, MAX_COST)],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_case_has_its_own_name_and_a_limit() {
        for (i, case) in CASES.iter().enumerate() {
            assert!(!case.limits.is_empty());
            assert!(CASES[..i].iter().all(|other| other.name != case.name));
        }
    }
}
