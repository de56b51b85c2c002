//! Rate limits for log lines.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// A line is written at most once in this interval.
pub const INTERVAL: Duration = Duration::from_secs(60);

/// The maximum number of keys for which one kind of line is written within [`INTERVAL`].
pub const MAX_KEYS: usize = 100;

/// Permission to write a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Passed {
    /// The number of lines of this kind that were suppressed since the last line. `None` if there
    /// were none, so that the line has no such field.
    pub suppressed: Option<u64>,
}

/// Limits one kind of line to one per [`INTERVAL`].
#[derive(Debug, Default)]
pub struct Occasional(PerKey<()>);

impl Occasional {
    /// A limit that allows the next line.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks to write a line now. `None` if it must be suppressed; it is counted then.
    pub fn pass(&self) -> Option<Passed> {
        self.0.pass(())
    }

    /// The number of lines that were suppressed since the last call that reported it: of this
    /// method or of [`pass`](Self::pass). `None` if there were none.
    pub fn take_suppressed(&self) -> Option<u64> {
        self.0.take_suppressed()
    }
}

/// Limits one kind of line per key, such as the address of a client: to one per [`INTERVAL`] for
/// each key, and to [`MAX_KEYS`] keys.
#[derive(Debug)]
pub struct PerKey<K>(Mutex<State<K>>);

#[derive(Debug)]
struct State<K> {
    /// The time of the last line of each key. If there is no space for another key, keys older than
    /// [`INTERVAL`] are removed.
    written: HashMap<K, Instant>,
    suppressed: u64,
}

impl<K> Default for PerKey<K> {
    fn default() -> Self {
        Self(Mutex::new(State { written: HashMap::new(), suppressed: 0 }))
    }
}

impl<K: Eq + Hash> PerKey<K> {
    /// Asks to write the line for this key now. `None` if it must be suppressed; it is counted
    /// then.
    pub fn pass(&self, key: K) -> Option<Passed> {
        self.pass_at(key, Instant::now())
    }

    /// The same as [`pass`](Self::pass), at the given time.
    pub fn pass_at(&self, key: K, now: Instant) -> Option<Passed> {
        let is_recent = |written: &Instant| now.saturating_duration_since(*written) < INTERVAL;
        let mut state = self.0.lock();
        if state.written.len() >= MAX_KEYS {
            state.written.retain(|_, written| is_recent(written));
        }
        let is_full = state.written.len() >= MAX_KEYS && !state.written.contains_key(&key);
        if is_full || state.written.get(&key).is_some_and(is_recent) {
            state.suppressed = state.suppressed.saturating_add(1);
            return None;
        }
        state.written.insert(key, now);
        Some(Passed { suppressed: state.take_suppressed() })
    }

    /// The number of lines that were suppressed since the last call that reported it: of this
    /// method or of [`pass`](Self::pass). `None` if there were none.
    pub fn take_suppressed(&self) -> Option<u64> {
        self.0.lock().take_suppressed()
    }
}

impl<K> State<K> {
    fn take_suppressed(&mut self) -> Option<u64> {
        Some(std::mem::take(&mut self.suppressed)).filter(|count| *count > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_gets_one_line_per_minute_and_the_rest_is_counted() {
        let (limit, start) = (PerKey::default(), Instant::now());
        assert_eq!(limit.pass_at("a", start), Some(Passed { suppressed: None }));
        let soon = start + INTERVAL - Duration::from_millis(1);
        assert!((0..399).all(|_| limit.pass_at("a", soon).is_none()));
        assert_eq!(limit.pass_at("b", soon), Some(Passed { suppressed: Some(399) }));
        assert_eq!(limit.pass_at("a", start + INTERVAL), Some(Passed { suppressed: None }));
        assert!(limit.pass_at("a", start + INTERVAL).is_none());
        assert_eq!((limit.take_suppressed(), limit.take_suppressed()), (Some(1), None));
    }

    #[test]
    fn any_number_of_keys_gets_a_bounded_number_of_lines() {
        let (limit, start) = (PerKey::default(), Instant::now());
        let passed =
            |from: u32, now| (from..from + 10_000).filter(|k| limit.pass_at(*k, now).is_some()).count();
        assert_eq!(passed(0, start), MAX_KEYS);
        assert_eq!(passed(10_000, start + INTERVAL / 2), 0);
        assert_eq!(passed(20_000, start + INTERVAL), MAX_KEYS);
        assert!(limit.0.lock().written.len() <= MAX_KEYS);
        assert_eq!(limit.take_suppressed(), Some(10_000 - MAX_KEYS as u64), "since the last line");
    }

    #[test]
    fn a_line_without_a_key_is_limited() {
        let limit = Occasional::new();
        assert!(limit.pass().is_some());
        assert!(limit.pass().is_none());
        assert_eq!(limit.take_suppressed(), Some(1));
    }
}
