//! How long to wait before trying again.

use std::time::Duration;

/// The shortest base: without a pause a server that is down would be asked in a loop.
const SHORTEST: Duration = Duration::from_millis(1);

/// The longest cap.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// How long to wait before trying again: exponential, with full jitter, so that many clients that lost the same server do not
/// come back at the same moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    base: Duration,
    cap: Duration,
}

impl Backoff {
    /// The pause before attempt `n` (the first is 0) is anything from nothing to `base` times 2 to the power of `n`, and never more
    /// than `cap`. A `base` of less than 1 ms is taken for 1 ms, a `cap` below `base` for `base`, and both for a day where they are more.
    pub fn new(base: Duration, cap: Duration) -> Self {
        let base = base.clamp(SHORTEST, LONGEST);
        Self { base, cap: cap.clamp(base, LONGEST) }
    }

    /// The longest pause there is. A connection that lasted for longer starts the count of attempts anew when it ends.
    pub fn cap(&self) -> Duration {
        self.cap
    }

    /// The pause before an attempt, where `jitter` is drawn from 0 to 1.
    pub(crate) fn delay(&self, attempt: u32, jitter: f64) -> Duration {
        let factor = 1_u32.checked_shl(attempt).unwrap_or(u32::MAX);
        self.base.saturating_mul(factor).min(self.cap).mul_f64(jitter.clamp(0.0, 1.0))
    }
}

impl Default for Backoff {
    /// 100 ms, capped at 10 s.
    fn default() -> Self {
        Self::new(Duration::from_millis(100), Duration::from_secs(10))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_doubles_up_to_the_cap() {
        let backoff = Backoff::default();
        let millis: Vec<_> = [0, 1, 2, 6, 7, 31, 32, u32::MAX]
            .map(|attempt| backoff.delay(attempt, 1.0).as_millis())
            .into_iter()
            .collect();
        assert_eq!(millis, [100, 200, 400, 6_400, 10_000, 10_000, 10_000, 10_000]);
    }

    #[test]
    fn jitter_takes_any_part_of_it() {
        let backoff = Backoff::default();
        assert_eq!(backoff.delay(3, 0.0), Duration::ZERO);
        assert_eq!(backoff.delay(3, 0.5), Duration::from_millis(400));
    }

    #[test]
    fn there_is_always_a_pause() {
        let backoff = Backoff::new(Duration::ZERO, Duration::ZERO);
        assert_eq!(backoff.delay(40, 1.0), SHORTEST);
        assert_eq!(Backoff::new(Duration::MAX, Duration::MAX).delay(40, 1.0), LONGEST);
    }
}
