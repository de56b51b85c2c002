//! Detects a connection whose other end has vanished.

use std::time::Duration;

use tokio::time::Instant;

use crate::model::after;

/// The result of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Liveness {
    /// Bytes have arrived in time, or may still arrive.
    Alive,
    /// Nothing has arrived for the interval: a `ping` is due.
    PingDue,
    /// Nothing followed the `ping` in time: the connection is dead.
    Dead,
}

/// The time since a connection last received something. Any byte counts, also a part of a large
/// frame on a slow network.
#[derive(Debug)]
pub(super) struct Heartbeat {
    /// The time without a byte after which a `ping` is due.
    interval: Duration,
    /// The time without a byte after the `ping` after which the connection is dead.
    pong_timeout: Duration,
    /// The last known time at which something arrived.
    last_activity: Instant,
    /// The number of bytes received by then.
    received: u64,
    /// The time of the `ping` that nothing has followed yet.
    pinged_at: Option<Instant>,
}

impl Heartbeat {
    pub(super) fn new(interval: Duration, pong_timeout: Duration, now: Instant, received: u64) -> Self {
        Self { interval, pong_timeout, last_activity: now, received, pinged_at: None }
    }

    /// Starts the interval again: something has arrived, or the connection is not read.
    pub(super) fn on_activity(&mut self, now: Instant, received: u64) {
        self.last_activity = now;
        self.received = received;
        self.pinged_at = None;
    }

    /// The time of the next [`check`](Self::check).
    pub(super) fn deadline(&self) -> Instant {
        match self.pinged_at {
            Some(pinged_at) => after(pinged_at, self.pong_timeout),
            None => after(self.last_activity, self.interval),
        }
    }

    /// Checks the time, and whether bytes have arrived meanwhile.
    pub(super) fn check(&mut self, now: Instant, received: u64) -> Liveness {
        if now < self.deadline() {
            return Liveness::Alive;
        }
        if received != self.received {
            self.on_activity(now, received);
            return Liveness::Alive;
        }
        if self.pinged_at.is_some() {
            return Liveness::Dead;
        }
        self.pinged_at = Some(now);
        Liveness::PingDue
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn heartbeat(start: Instant) -> Heartbeat {
        Heartbeat::new(25 * SECOND, 10 * SECOND, start, 0)
    }

    #[test]
    fn silence_causes_a_ping_and_then_the_end() {
        let start = Instant::now();
        let mut heartbeat = heartbeat(start);
        assert_eq!(heartbeat.check(start + 24 * SECOND, 0), Liveness::Alive);
        assert_eq!(heartbeat.check(start + 25 * SECOND, 0), Liveness::PingDue);
        assert_eq!(heartbeat.deadline(), start + 35 * SECOND);
        assert_eq!(heartbeat.check(start + 34 * SECOND, 0), Liveness::Alive);
        assert_eq!(heartbeat.check(start + 35 * SECOND, 0), Liveness::Dead);
    }

    #[test]
    fn any_frame_answers_a_ping() {
        let start = Instant::now();
        let mut heartbeat = heartbeat(start);
        assert_eq!(heartbeat.check(start + 25 * SECOND, 0), Liveness::PingDue);
        heartbeat.on_activity(start + 30 * SECOND, 9);
        assert_eq!(heartbeat.check(start + 35 * SECOND, 9), Liveness::Alive);
        assert_eq!(heartbeat.check(start + 55 * SECOND, 9), Liveness::PingDue);
    }

    #[test]
    fn parts_of_a_frame_keep_the_connection_alive() {
        let start = Instant::now();
        let mut heartbeat = heartbeat(start);
        assert_eq!(heartbeat.check(start + 25 * SECOND, 1), Liveness::Alive);
        assert_eq!(heartbeat.check(start + 50 * SECOND, 1), Liveness::PingDue);
        assert_eq!(heartbeat.check(start + 60 * SECOND, 2), Liveness::Alive);
        assert_eq!(heartbeat.deadline(), start + 85 * SECOND);
    }
}
