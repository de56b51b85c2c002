//! When the keys of a URL may be requested.

use std::time::Duration;

use tokio::time::Instant;

/// How old keys get before they are refreshed.
const REFRESH: Duration = Duration::from_secs(10 * 60);
/// After which time a refresh that failed is tried again.
const RETRY: Duration = Duration::from_secs(60);
/// The same as long as there are no keys, which keeps every user out.
const FIRST_RETRY: Duration = Duration::from_secs(5);
/// How often tokens with an unknown key may cause a request.
const ON_DEMAND: Duration = Duration::from_secs(60);

/// The times of the latest requests for keys.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    /// The end of the latest request that gave keys.
    loaded: Option<Instant>,
    /// The beginning, then the end, of the latest request.
    tried: Option<Instant>,
    /// The latest request that a token with an unknown key has caused.
    demanded: Option<Instant>,
}

impl Schedule {
    /// Whether it is time to refresh the keys.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.loaded.is_some_and(|at| now - at >= REFRESH) && has_passed(RETRY, self.tried, now)
    }

    /// Whether a token with an unknown key causes a request. If so, others do not for a while.
    pub(super) fn demand(&mut self, now: Instant) -> bool {
        let is_allowed = match self.loaded {
            Some(_) => has_passed(ON_DEMAND, self.demanded, now),
            None => has_passed(FIRST_RETRY, self.tried, now),
        };
        if is_allowed {
            self.demanded = Some(now);
        }
        is_allowed
    }

    /// A request begins.
    pub(super) fn begin(&mut self, now: Instant) {
        self.tried = Some(now);
    }

    /// A request has ended.
    pub(super) fn end(&mut self, now: Instant, has_keys: bool) {
        self.tried = Some(now);
        if has_keys {
            self.loaded = Some(now);
        }
    }
}

fn has_passed(interval: Duration, since: Option<Instant>, now: Instant) -> bool {
    since.is_none_or(|at| now - at >= interval)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn loaded(at: Instant) -> Schedule {
        let mut schedule = Schedule::default();
        schedule.begin(at);
        schedule.end(at, true);
        schedule
    }

    #[test]
    fn keys_are_refreshed_every_ten_minutes() {
        let now = Instant::now();
        let mut schedule = loaded(now);
        assert!(!schedule.is_due(now + REFRESH - SECOND));
        assert!(schedule.is_due(now + REFRESH));
        schedule.begin(now + REFRESH);
        assert!(!schedule.is_due(now + REFRESH));
        schedule.end(now + REFRESH + SECOND, true);
        assert!(!schedule.is_due(now + 2 * REFRESH));
        assert!(schedule.is_due(now + 2 * REFRESH + SECOND));
    }

    #[test]
    fn a_refresh_that_failed_is_tried_again_after_a_minute() {
        let now = Instant::now();
        let mut schedule = loaded(now);
        schedule.begin(now + REFRESH);
        schedule.end(now + REFRESH + SECOND, false);
        assert!(!schedule.is_due(now + REFRESH + RETRY));
        assert!(schedule.is_due(now + REFRESH + RETRY + SECOND));
    }

    #[test]
    fn unknown_keys_cause_one_request_a_minute() {
        let now = Instant::now();
        let mut schedule = loaded(now);
        assert!(schedule.demand(now));
        assert!(!schedule.demand(now));
        schedule.begin(now);
        schedule.end(now + SECOND, true);
        assert!(!schedule.demand(now + ON_DEMAND - SECOND));
        assert!(schedule.demand(now + ON_DEMAND));
        assert!(!schedule.demand(now + ON_DEMAND + SECOND));
    }

    #[test]
    fn without_keys_they_are_requested_every_five_seconds() {
        let now = Instant::now();
        let mut schedule = Schedule::default();
        assert!(schedule.demand(now));
        schedule.begin(now);
        assert!(!schedule.demand(now));
        schedule.end(now + SECOND, false);
        assert!(!schedule.is_due(now + 2 * REFRESH));
        assert!(!schedule.demand(now + FIRST_RETRY));
        assert!(schedule.demand(now + FIRST_RETRY + SECOND));
    }
}
