//! How far a run has come: what the threads and the one that leads them tell each other.

use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// What is being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Phase {
    /// Connections are opened.
    Connect,
    /// Rooms are joined.
    Join,
    /// Nothing, until what the joins have stirred up has settled.
    Settle,
    /// Messages are sent.
    Speak,
    /// What is on its way may arrive.
    Drain,
    /// All is over.
    Over,
}

const PHASES: [Phase; 6] =
    [Phase::Connect, Phase::Join, Phase::Settle, Phase::Speak, Phase::Drain, Phase::Over];

#[derive(Debug)]
pub(super) struct Course {
    begun: Instant,
    phase: AtomicU8,
    /// When messages begin, in nanoseconds since the beginning.
    speak_from: AtomicU64,
    /// From when on it counts.
    count_from: AtomicU64,
    /// Until when it counts, and messages are sent.
    count_until: AtomicU64,
    pub(super) connected: AtomicUsize,
    pub(super) joined: AtomicUsize,
    /// Connections that ended, for whatever reason.
    pub(super) ended: AtomicUsize,
    pub(super) sent: AtomicU64,
    pub(super) delivered: AtomicU64,
    /// How many threads have heard all that was to be heard.
    pub(super) complete: AtomicUsize,
}

/// Messages so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Done {
    pub sent: u64,
    pub delivered: u64,
}

impl Done {
    /// Without those of before.
    pub(super) fn since(self, before: Self) -> Self {
        Self {
            sent: self.sent.saturating_sub(before.sent),
            delivered: self.delivered.saturating_sub(before.delivered),
        }
    }
}

impl Course {
    pub(super) fn begin() -> Self {
        Self {
            begun: Instant::now(),
            phase: AtomicU8::new(Phase::Connect as u8),
            speak_from: AtomicU64::new(u64::MAX),
            count_from: AtomicU64::new(u64::MAX),
            count_until: AtomicU64::new(u64::MAX),
            connected: AtomicUsize::new(0),
            joined: AtomicUsize::new(0),
            ended: AtomicUsize::new(0),
            sent: AtomicU64::new(0),
            delivered: AtomicU64::new(0),
            complete: AtomicUsize::new(0),
        }
    }

    /// Nanoseconds since the beginning.
    pub(super) fn now(&self) -> u64 {
        nanoseconds(self.begun.elapsed())
    }

    pub(super) fn phase(&self) -> Phase {
        PHASES[usize::from(self.phase.load(Ordering::Acquire)).min(PHASES.len() - 1)]
    }

    pub(super) fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Release);
    }

    /// Messages begin now.
    pub(super) fn speak(&self, warm_up: Duration, duration: Duration) {
        let from = self.now();
        let count_from = from + nanoseconds(warm_up);
        self.speak_from.store(from, Ordering::Relaxed);
        self.count_from.store(count_from, Ordering::Relaxed);
        self.count_until.store(count_from + nanoseconds(duration), Ordering::Relaxed);
        self.enter(Phase::Speak);
    }

    /// What has been sent and delivered, the warm-up included.
    pub(super) fn progress(&self) -> Done {
        Done { sent: self.sent.load(Ordering::Relaxed), delivered: self.delivered.load(Ordering::Relaxed) }
    }

    pub(super) fn speak_from(&self) -> u64 {
        self.speak_from.load(Ordering::Relaxed)
    }

    pub(super) fn count_from(&self) -> u64 {
        self.count_from.load(Ordering::Relaxed)
    }

    pub(super) fn count_until(&self) -> u64 {
        self.count_until.load(Ordering::Relaxed)
    }

    pub(super) fn counts(&self, at: u64) -> bool {
        (self.count_from()..self.count_until()).contains(&at)
    }
}

pub(crate) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_counted_without_the_warm_up() {
        let course = Course::begin();
        course.sent.store(101, Ordering::Relaxed);
        course.delivered.store(10_100, Ordering::Relaxed);
        let warm_up = course.progress();
        assert_eq!(course.progress().since(warm_up), Done { sent: 0, delivered: 0 });
        course.sent.fetch_add(1, Ordering::Relaxed);
        course.delivered.fetch_add(100, Ordering::Relaxed);
        assert_eq!(course.progress().since(warm_up), Done { sent: 1, delivered: 100 });
    }
}
