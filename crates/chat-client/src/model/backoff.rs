//! The delay before another attempt.

use std::time::Duration;

/// The minimum base: without a delay, a client would try to reach a server that is down in a loop.
const MIN_BASE: Duration = Duration::from_millis(1);

/// The maximum cap.
const MAX_CAP: Duration = Duration::from_secs(24 * 60 * 60);

/// The delay before another attempt: exponential, with full jitter, so that many clients that lost
/// the same server do not reconnect at the same moment.
///
/// ```
/// use std::time::Duration;
///
/// use chat_client::{Backoff, Options};
///
/// let patient = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));
/// let options = Options::new("ws://127.0.0.1:8000/ws", "ana".parse()?).backoff(patient);
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    base: Duration,
    cap: Duration,
}

impl Backoff {
    /// The delay before attempt `n` (the first is 0) is random, between 0 and `base` times 2 to the
    /// power of `n`, and at most `cap`. A `base` below 1 ms counts as 1 ms, a `cap` below `base` as
    /// `base`, and each as one day if it is longer.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use chat_client::Backoff;
    /// let backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(10));
    /// assert_eq!(backoff, Backoff::default());
    /// ```
    pub fn new(base: Duration, cap: Duration) -> Self {
        let base = base.clamp(MIN_BASE, MAX_CAP);
        Self { base, cap: cap.clamp(base, MAX_CAP) }
    }

    /// The maximum delay. When a connection that lasted longer ends, attempts are counted from 0
    /// again.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use chat_client::Backoff;
    /// assert_eq!(Backoff::default().cap(), Duration::from_secs(10));
    /// ```
    pub fn cap(&self) -> Duration {
        self.cap
    }

    /// The delay before an attempt. `jitter` is a random number between 0 and 1.
    pub(crate) fn delay(&self, attempt: u32, jitter: f64) -> Duration {
        let factor = 1_u32.checked_shl(attempt).unwrap_or(u32::MAX);
        self.base.saturating_mul(factor).min(self.cap).mul_f64(jitter.clamp(0.0, 1.0))
    }
}

impl Default for Backoff {
    /// A base of 100 ms, and a cap of 10 s.
    fn default() -> Self {
        Self::new(Duration::from_millis(100), Duration::from_secs(10))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delay_doubles_up_to_the_cap() {
        let backoff = Backoff::default();
        let millis: Vec<_> = [0, 1, 2, 6, 7, 31, 32, u32::MAX]
            .map(|attempt| backoff.delay(attempt, 1.0).as_millis())
            .into_iter()
            .collect();
        assert_eq!(millis, [100, 200, 400, 6_400, 10_000, 10_000, 10_000, 10_000]);
    }

    #[test]
    fn jitter_scales_the_delay() {
        let backoff = Backoff::default();
        assert_eq!(backoff.delay(3, 0.0), Duration::ZERO);
        assert_eq!(backoff.delay(3, 0.5), Duration::from_millis(400));
    }

    #[test]
    fn the_delay_is_never_zero_and_never_unbounded() {
        let backoff = Backoff::new(Duration::ZERO, Duration::ZERO);
        assert_eq!(backoff.delay(40, 1.0), MIN_BASE);
        assert_eq!(Backoff::new(Duration::MAX, Duration::MAX).delay(40, 1.0), MAX_CAP);
    }
}
