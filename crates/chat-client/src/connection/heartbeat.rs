//! Whether the other end still lives.

use std::time::Duration;

use tokio::time::Instant;

use crate::model::after;

/// What there is to do about a silence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Beat {
    /// Nothing: there was a sign of life.
    Fine,
    /// Ask for one.
    Ping,
    /// Give the connection up: it was asked for and did not come.
    Dead,
}

/// The clock of one connection's silence. Any byte is a sign of life, a part of a large frame on a slow line too.
#[derive(Debug)]
pub(crate) struct Heartbeat {
    /// After so long a silence a ping goes out.
    every: Duration,
    /// So long it may stay unanswered.
    patience: Duration,
    /// When something came last, as far as it was looked at.
    heard_at: Instant,
    /// How many bytes had come by then.
    received: u64,
    /// The ping that nothing followed yet.
    pinged_at: Option<Instant>,
}

impl Heartbeat {
    pub(crate) fn new(every: Duration, patience: Duration, now: Instant, received: u64) -> Self {
        Self { every, patience, heard_at: now, received, pinged_at: None }
    }

    /// Something came; or the clock stands still, as nobody listens.
    pub(crate) fn heard(&mut self, now: Instant, received: u64) {
        self.heard_at = now;
        self.received = received;
        self.pinged_at = None;
    }

    /// When to [check](Self::check) next.
    pub(crate) fn deadline(&self) -> Instant {
        match self.pinged_at {
            Some(pinged_at) => after(pinged_at, self.patience),
            None => after(self.heard_at, self.every),
        }
    }

    /// Looks at the clock, and at how many bytes have come by now.
    pub(crate) fn check(&mut self, now: Instant, received: u64) -> Beat {
        if now < self.deadline() {
            return Beat::Fine;
        }
        if received != self.received {
            self.heard(now, received);
            return Beat::Fine;
        }
        if self.pinged_at.is_some() {
            return Beat::Dead;
        }
        self.pinged_at = Some(now);
        Beat::Ping
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
    fn a_silence_is_asked_about_and_then_is_death() {
        let start = Instant::now();
        let mut heartbeat = heartbeat(start);
        assert_eq!(heartbeat.check(start + 24 * SECOND, 0), Beat::Fine);
        assert_eq!(heartbeat.check(start + 25 * SECOND, 0), Beat::Ping);
        assert_eq!(heartbeat.deadline(), start + 35 * SECOND);
        assert_eq!(heartbeat.check(start + 34 * SECOND, 0), Beat::Fine);
        assert_eq!(heartbeat.check(start + 35 * SECOND, 0), Beat::Dead);
    }

    #[test]
    fn any_frame_is_an_answer() {
        let start = Instant::now();
        let mut heartbeat = heartbeat(start);
        assert_eq!(heartbeat.check(start + 25 * SECOND, 0), Beat::Ping);
        heartbeat.heard(start + 30 * SECOND, 9);
        assert_eq!(heartbeat.check(start + 35 * SECOND, 9), Beat::Fine);
        assert_eq!(heartbeat.check(start + 55 * SECOND, 9), Beat::Ping);
    }

    #[test]
    fn a_frame_that_trickles_in_is_life() {
        let start = Instant::now();
        let mut heartbeat = heartbeat(start);
        assert_eq!(heartbeat.check(start + 25 * SECOND, 1), Beat::Fine);
        assert_eq!(heartbeat.check(start + 50 * SECOND, 1), Beat::Ping);
        assert_eq!(heartbeat.check(start + 60 * SECOND, 2), Beat::Fine);
        assert_eq!(heartbeat.deadline(), start + 85 * SECOND);
    }
}
