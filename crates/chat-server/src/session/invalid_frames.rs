//! Counts a client's recent invalid frames.

use std::collections::VecDeque;

use tokio::time::{Duration, Instant};

/// A client with this many invalid frames within this time is faulty.
const MAX_INVALID: usize = 20;
const WITHIN: Duration = Duration::from_secs(60);

/// When the latest invalid frames came. Allocates nothing while there are none: most clients send
/// none.
#[derive(Debug, Default)]
#[expect(clippy::box_collection, reason = "every session has this field, so it is kept small")]
pub(crate) struct InvalidFrames(Option<Box<VecDeque<Instant>>>);

impl InvalidFrames {
    /// Records an invalid frame. Returns `true` if there were too many.
    pub(crate) fn record(&mut self, now: Instant) -> bool {
        let times = self.0.get_or_insert_default();
        while times.front().is_some_and(|at| now.duration_since(*at) >= WITHIN) {
            times.pop_front();
        }
        times.push_back(now);
        times.len() >= MAX_INVALID
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_invalid_frames_at_once_are_reported() {
        let (mut frames, now) = (InvalidFrames::default(), Instant::now());
        assert!((1..MAX_INVALID).all(|_| !frames.record(now)));
        assert!(frames.record(now));
    }

    #[test]
    fn the_same_number_over_a_longer_time_is_not() {
        let (mut frames, start) = (InvalidFrames::default(), Instant::now());
        assert!((0..1_000).all(|i| !frames.record(start + Duration::from_secs(4) * i)));
        assert!(frames.0.unwrap().len() < MAX_INVALID);
    }
}
