//! Points in time.

use std::time::Duration;

use tokio::time::Instant;

/// The maximum time that a deadline is ahead.
const MAX_AHEAD: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

/// The time `delay` after `now`. Servers and users may choose any delay: more than 30 years count
/// as 30 years.
pub(crate) fn after(now: Instant, delay: Duration) -> Instant {
    now + delay.min(MAX_AHEAD)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_delay_does_not_overflow() {
        let now = Instant::now();
        assert!(after(now, Duration::MAX) > after(now, Duration::from_secs(1)));
    }
}
