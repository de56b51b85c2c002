//! Moments to come.

use std::time::Duration;

use tokio::time::Instant;

/// Further away than anybody waits.
const FAR: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

/// When so much time has passed. The pause may be what a server or a user says, however long: beyond 30 years it is cut.
pub(crate) fn after(now: Instant, pause: Duration) -> Instant {
    now + pause.min(FAR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_is_a_moment_too() {
        let now = Instant::now();
        assert!(after(now, Duration::MAX) > after(now, Duration::from_secs(1)));
    }
}
