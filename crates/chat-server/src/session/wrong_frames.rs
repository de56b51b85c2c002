//! Counts a client's recent invalid frames.

use std::collections::VecDeque;

use tokio::time::{Duration, Instant};

/// A client with this many invalid frames within this time is faulty.
const MOST: usize = 20;
const WITHIN: Duration = Duration::from_secs(60);

/// When the latest invalid frames came. Allocates nothing while there are none: most clients send
/// none.
#[derive(Debug, Default)]
#[expect(clippy::box_collection, reason = "every session has room for it")]
pub(crate) struct InvalidFrames(Option<Box<VecDeque<Instant>>>);

impl InvalidFrames {
    /// Records an invalid frame. Returns `true` if there were too many.
    pub(crate) fn note(&mut self, now: Instant) -> bool {
        let at = self.0.get_or_insert_default();
        while at.front().is_some_and(|at| now.duration_since(*at) >= WITHIN) {
            at.pop_front();
        }
        at.push_back(now);
        at.len() >= MOST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_at_once_are_too_many() {
        let (mut wrong, now) = (InvalidFrames::default(), Instant::now());
        assert!((1..MOST).all(|_| !wrong.note(now)));
        assert!(wrong.note(now));
    }

    #[test]
    fn as_many_over_a_longer_time_are_not() {
        let (mut wrong, start) = (InvalidFrames::default(), Instant::now());
        assert!((0..1_000).all(|i| !wrong.note(start + Duration::from_secs(4) * i)));
        assert!(wrong.0.unwrap().len() < MOST);
    }
}
