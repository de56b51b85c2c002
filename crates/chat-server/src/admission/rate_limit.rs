//! Rate limits.

use chat_protocol::Limits;
use tokio::time::{Duration, Instant};

/// A rate limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Events per second in the long run; 0 means no limit.
    pub per_second: u32,
    /// How many events may come at once before the rate applies; 0 is the same as 1.
    pub burst: u32,
}

impl Rate {
    /// The rate limit for frames.
    pub(crate) fn of_frames(limits: &Limits) -> Self {
        Self { per_second: limits.message_rate, burst: limits.message_burst }
    }
}

/// A rate limit by the time between two events, for rates below one a second, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Spacing {
    interval: Duration,
    /// How far ahead of schedule events may come.
    tolerance: Duration,
}

impl Spacing {
    /// One event in each interval in the long run, and `burst` at once.
    pub(crate) const fn new(interval: Duration, burst: u32) -> Self {
        Self { interval, tolerance: interval.saturating_mul(burst.saturating_sub(1)) }
    }
}

impl From<Rate> for Spacing {
    fn from(rate: Rate) -> Self {
        let interval = Duration::from_secs(1).checked_div(rate.per_second).unwrap_or_default();
        Self::new(interval, rate.burst)
    }
}

/// Lets a burst through at once and enforces the rate in the long run. A leaky bucket used as a
/// meter, implemented as the generic cell rate algorithm (ITU-T I.371, annex A).
#[derive(Debug, Clone, Copy)]
pub(crate) struct RateLimiter {
    /// When the next event would come if events were evenly spaced.
    due: Instant,
}

impl RateLimiter {
    pub(crate) fn new(now: Instant) -> Self {
        Self { due: now }
    }

    /// Records `count` events at `now`. Returns when the next one may come, or `None` if it may
    /// come at once.
    pub(crate) fn record(
        &mut self,
        count: u32,
        now: Instant,
        spacing: impl Into<Spacing>,
    ) -> Option<Instant> {
        let spacing = spacing.into();
        self.due = self.due.max(now) + spacing.interval * count;
        self.limited_until(now, spacing)
    }

    /// When the next event may come, or `None` if it may come at once.
    pub(crate) fn limited_until(&self, now: Instant, spacing: impl Into<Spacing>) -> Option<Instant> {
        let next = self.due.checked_sub(spacing.into().tolerance)?;
        (next > now).then_some(next)
    }

    /// Whether the limiter behaves like a new one.
    pub(crate) fn is_idle(&self, now: Instant) -> bool {
        self.due <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(per_second: u32, burst: u32) -> Rate {
        Rate { per_second, burst }
    }

    #[test]
    fn a_burst_passes_and_then_the_rate_applies() {
        let start = Instant::now();
        let (mut limiter, rate) = (RateLimiter::new(start), rate(10, 5));
        assert_eq!((0..4).filter_map(|_| limiter.record(1, start, rate)).count(), 0);
        let mut now = start;
        for _ in 0..20 {
            let next = limiter.record(1, now, rate).expect("the burst is used up");
            assert_eq!(next - now, Duration::from_millis(100));
            assert_eq!(limiter.limited_until(now, rate), Some(next));
            now = next;
        }
    }

    #[test]
    fn a_pause_restores_the_burst_and_no_more() {
        let start = Instant::now();
        let (mut limiter, rate) = (RateLimiter::new(start), rate(10, 5));
        assert_eq!((0..5).filter_map(|_| limiter.record(1, start, rate)).count(), 1);
        let later = start + Duration::from_secs(3_600);
        assert!(!limiter.is_idle(start) && limiter.is_idle(later));
        assert_eq!((0..4).filter_map(|_| limiter.record(1, later, rate)).count(), 0);
        assert!(limiter.record(1, later, rate).is_some());
    }

    #[test]
    fn a_rate_of_zero_means_no_limit() {
        let start = Instant::now();
        let (mut limiter, rate) = (RateLimiter::new(start), rate(0, 1));
        assert!((0..100_000).all(|_| limiter.record(1, start, rate).is_none()));
    }
}
