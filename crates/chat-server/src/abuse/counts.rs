//! Counts of what happened within a minute.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::WINDOW;

/// How many keys are counted at most. Beyond that, those are forgotten first whose window is over,
/// and then all: a flood of different texts is limited by the rate of frames.
const MAX_KEYS: usize = 20_000;

/// How often each key has occurred since its window began.
#[derive(Debug)]
pub(super) struct Counts<K>(Mutex<HashMap<K, (Instant, u32)>>);

impl<K> Default for Counts<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash> Counts<K> {
    /// Counts a key once more.
    ///
    /// # Errors
    /// If it has occurred `max` times in its window: after how long the window ends.
    pub(super) fn count(&self, key: K, max: u32) -> Result<(), Duration> {
        let now = Instant::now();
        let mut counts = self.0.lock();
        if counts.len() >= MAX_KEYS && !counts.contains_key(&key) {
            counts.retain(|_, (began, _)| now < *began + WINDOW);
            if counts.len() >= MAX_KEYS {
                counts.clear();
            }
        }
        let (began, count) = counts.entry(key).or_insert((now, 0));
        if now >= *began + WINDOW {
            (*began, *count) = (now, 0);
        }
        if *count >= max {
            return Err(*began + WINDOW - now);
        }
        *count += 1;
        Ok(())
    }
}

/// Stands for a text: the same for all spellings in which only case and spaces differ. `None` for a
/// text with fewer characters than `min` apart from spaces.
pub(super) fn text_key(body: &str, min: usize) -> Option<u64> {
    // one for the process: users cannot choose texts that are the same for it
    static HASHER: std::sync::LazyLock<RandomState> = std::sync::LazyLock::new(RandomState::new);
    let letters = || body.chars().filter(|c| !c.is_whitespace());
    letters().nth(min.saturating_sub(1))?;
    let text: String = letters().flat_map(char::to_lowercase).collect();
    Some(HASHER.hash_one(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_window_ends() {
        let counts = Counts::default();
        assert_eq!((counts.count(1, 1), counts.count(2, 1)), (Ok(()), Ok(())));
        tokio::time::advance(Duration::from_secs(20)).await;
        assert_eq!(counts.count(1, 1), Err(Duration::from_secs(40)));
        tokio::time::advance(Duration::from_secs(40)).await;
        assert_eq!(counts.count(1, 1), Ok(()));
        assert!(counts.count(1, 1).is_err());
        assert_eq!(counts.count(3, 0), Err(WINDOW));
    }

    #[test]
    fn memory_is_bounded() {
        let counts = Counts::default();
        for key in 0..3 * MAX_KEYS {
            counts.count(key, 1).unwrap();
        }
        assert!(counts.0.lock().len() <= MAX_KEYS);
    }
}
