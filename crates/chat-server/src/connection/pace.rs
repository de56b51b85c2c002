//! How fast a connection is read.

use chat_protocol::Limits;
use tokio::time::{Duration, Instant};

/// Lets a burst through at once and a rate in the long run: a leaky bucket as a meter, in the form of the generic cell rate
/// algorithm (ITU-T I.371, annex A).
#[derive(Debug)]
pub(super) struct Pace {
    /// When the next frame would come if they came evenly.
    due: Instant,
}

impl Pace {
    pub(super) fn new(now: Instant) -> Self {
        Self { due: now }
    }

    /// Notes frames that were read now, and says until when none is to be read; none where the next may come at once.
    pub(super) fn note(&mut self, frames: u32, now: Instant, limits: &Limits) -> Option<Instant> {
        // the time one frame stands for; zero where there is no pace
        let interval = Duration::from_secs(1).checked_div(limits.message_rate).unwrap_or_default();
        // how far ahead of the clock frames may come
        let tolerance = interval * limits.message_burst.saturating_sub(1);
        self.due = self.due.max(now) + interval * frames;
        let next = self.due.checked_sub(tolerance)?;
        (next > now).then_some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(message_rate: u32, message_burst: u32) -> Limits {
        Limits { message_rate, message_burst, ..Limits::default() }
    }

    #[test]
    fn a_burst_passes_and_then_the_rate_holds() {
        let start = Instant::now();
        let (mut pace, limits) = (Pace::new(start), limits(10, 5));
        assert_eq!((0..4).filter_map(|_| pace.note(1, start, &limits)).count(), 0);
        let mut now = start;
        for _ in 0..20 {
            let next = pace.note(1, now, &limits).expect("the burst is used up");
            assert_eq!(next - now, Duration::from_millis(100));
            now = next;
        }
    }

    #[test]
    fn a_pause_gives_the_burst_back_and_no_more() {
        let start = Instant::now();
        let (mut pace, limits) = (Pace::new(start), limits(10, 5));
        assert_eq!((0..5).filter_map(|_| pace.note(1, start, &limits)).count(), 1);
        let later = start + Duration::from_secs(3_600);
        assert_eq!((0..4).filter_map(|_| pace.note(1, later, &limits)).count(), 0);
        assert!(pace.note(1, later, &limits).is_some());
    }

    #[test]
    fn no_rate_is_no_pace() {
        let start = Instant::now();
        let (mut pace, limits) = (Pace::new(start), limits(0, 1));
        assert!((0..100_000).all(|_| pace.note(1, start, &limits).is_none()));
    }
}
