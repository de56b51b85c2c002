//! How many frames of a client were wrong lately.

use std::collections::VecDeque;

use tokio::time::{Duration, Instant};

/// So many wrong frames within so long are a client with a fault.
const MOST: usize = 20;
const WITHIN: Duration = Duration::from_secs(60);

/// When the latest wrong frames came. Holds no memory while there are none.
#[derive(Debug, Default)]
pub(super) struct WrongFrames {
    at: VecDeque<Instant>,
}

impl WrongFrames {
    /// Notes one. True when there were too many.
    pub(super) fn note(&mut self, now: Instant) -> bool {
        while self.at.front().is_some_and(|at| now.duration_since(*at) >= WITHIN) {
            self.at.pop_front();
        }
        self.at.push_back(now);
        self.at.len() >= MOST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_at_once_are_too_many() {
        let (mut wrong, now) = (WrongFrames::default(), Instant::now());
        assert!((1..MOST).all(|_| !wrong.note(now)));
        assert!(wrong.note(now));
    }

    #[test]
    fn as_many_over_a_longer_time_are_not() {
        let (mut wrong, start) = (WrongFrames::default(), Instant::now());
        assert!((0..1_000).all(|i| !wrong.note(start + Duration::from_secs(4) * i)));
        assert!(wrong.at.len() < MOST);
    }
}
