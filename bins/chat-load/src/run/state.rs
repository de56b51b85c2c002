//! The state of a run that its threads and the coordinator share.

use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::measure::nanoseconds;

/// The phases of a run, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Phase {
    /// Connections are opened.
    Connect,
    /// Rooms are joined.
    Join,
    /// Nothing is sent until the presence events of the joins have been delivered.
    Settle,
    /// Messages are sent.
    Publish,
    /// Nothing is sent; messages in flight may arrive.
    Drain,
    /// The threads end.
    Finished,
}

const PHASES: [Phase; 6] =
    [Phase::Connect, Phase::Join, Phase::Settle, Phase::Publish, Phase::Drain, Phase::Finished];

/// The phase, the times of the measurement, and counters of the progress.
#[derive(Debug)]
pub(super) struct RunState {
    started: Instant,
    phase: AtomicU8,
    /// The start of the messages. All times are in nanoseconds since the run started.
    publish_from: AtomicU64,
    /// The start of the measurement.
    measure_from: AtomicU64,
    /// The end of the measurement, and of the messages.
    measure_until: AtomicU64,
    pub(super) connected: AtomicUsize,
    pub(super) joined: AtomicUsize,
    /// Connections that ended, for any reason.
    pub(super) ended: AtomicUsize,
    pub(super) sent: AtomicU64,
    pub(super) delivered: AtomicU64,
    /// The number of threads whose members have received everything.
    pub(super) complete: AtomicUsize,
}

/// Messages so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageCounts {
    /// Messages sent.
    pub sent: u64,
    /// Messages that arrived at a member.
    pub delivered: u64,
}

impl MessageCounts {
    /// The counts without those of an earlier time.
    pub(super) fn since(self, before: Self) -> Self {
        Self {
            sent: self.sent.saturating_sub(before.sent),
            delivered: self.delivered.saturating_sub(before.delivered),
        }
    }
}

impl RunState {
    pub(super) fn new() -> Self {
        Self {
            started: Instant::now(),
            phase: AtomicU8::new(Phase::Connect as u8),
            publish_from: AtomicU64::new(u64::MAX),
            measure_from: AtomicU64::new(u64::MAX),
            measure_until: AtomicU64::new(u64::MAX),
            connected: AtomicUsize::new(0),
            joined: AtomicUsize::new(0),
            ended: AtomicUsize::new(0),
            sent: AtomicU64::new(0),
            delivered: AtomicU64::new(0),
            complete: AtomicUsize::new(0),
        }
    }

    /// Nanoseconds since the run started.
    pub(super) fn now(&self) -> u64 {
        nanoseconds(self.started.elapsed())
    }

    pub(super) fn phase(&self) -> Phase {
        PHASES[usize::from(self.phase.load(Ordering::Acquire)).min(PHASES.len() - 1)]
    }

    pub(super) fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Release);
    }

    /// Enters [`Phase::Publish`].
    pub(super) fn start_publishing(&self, warm_up: Duration, duration: Duration) {
        let from = self.now();
        let measure_from = from + nanoseconds(warm_up);
        self.publish_from.store(from, Ordering::Relaxed);
        self.measure_from.store(measure_from, Ordering::Relaxed);
        self.measure_until.store(measure_from + nanoseconds(duration), Ordering::Relaxed);
        self.enter(Phase::Publish);
    }

    /// The messages sent and delivered, including those of the warm-up.
    pub(super) fn progress(&self) -> MessageCounts {
        MessageCounts {
            sent: self.sent.load(Ordering::Relaxed),
            delivered: self.delivered.load(Ordering::Relaxed),
        }
    }

    pub(super) fn publish_from(&self) -> u64 {
        self.publish_from.load(Ordering::Relaxed)
    }

    pub(super) fn measure_from(&self) -> u64 {
        self.measure_from.load(Ordering::Relaxed)
    }

    pub(super) fn measure_until(&self) -> u64 {
        self.measure_until.load(Ordering::Relaxed)
    }

    pub(super) fn is_measured(&self, at: u64) -> bool {
        (self.measure_from()..self.measure_until()).contains(&at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_counted_without_the_warm_up() {
        let state = RunState::new();
        state.sent.store(101, Ordering::Relaxed);
        state.delivered.store(10_100, Ordering::Relaxed);
        let warm_up = state.progress();
        assert_eq!(state.progress().since(warm_up), MessageCounts { sent: 0, delivered: 0 });
        state.sent.fetch_add(1, Ordering::Relaxed);
        state.delivered.fetch_add(100, Ordering::Relaxed);
        assert_eq!(state.progress().since(warm_up), MessageCounts { sent: 1, delivered: 100 });
    }
}
