//! How often a log line is written.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// A line is written at most once in this time.
pub const INTERVAL: Duration = Duration::from_secs(60);

/// A kind of line is written for at most this many keys within [`INTERVAL`], however many keys there are.
pub const MAX_KEYS: usize = 100;

/// A line may be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Passed {
    /// How many lines of this kind were suppressed since the last one that was written; `None` for none, so that the field stays out of the line.
    pub suppressed: Option<u64>,
}

/// Limits one kind of line: at most one within [`INTERVAL`].
#[derive(Debug, Default)]
pub struct Occasional(PerKey<()>);

impl Occasional {
    /// A limit that lets the next line through.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the line may be written now. A line that may not is counted.
    pub fn pass(&self) -> Option<Passed> {
        self.0.pass(())
    }

    /// How many lines were suppressed and not reported since this or [`pass`](Self::pass) was called last.
    pub fn take_suppressed(&self) -> Option<u64> {
        self.0.take_suppressed()
    }
}

/// Limits one kind of line for each key, such as a client's address: at most one within [`INTERVAL`] for each key, and for at most
/// [`MAX_KEYS`] keys.
#[derive(Debug)]
pub struct PerKey<K>(Mutex<State<K>>);

#[derive(Debug)]
struct State<K> {
    /// When each key's line was written last. Keys older than [`INTERVAL`] are removed when there is no room for another one.
    written: HashMap<K, Instant>,
    suppressed: u64,
}

impl<K> Default for PerKey<K> {
    fn default() -> Self {
        Self(Mutex::new(State { written: HashMap::new(), suppressed: 0 }))
    }
}

impl<K: Eq + Hash> PerKey<K> {
    /// Whether the line for this key may be written now. A line that may not is counted.
    pub fn pass(&self, key: K) -> Option<Passed> {
        self.pass_at(key, Instant::now())
    }

    /// [`pass`](Self::pass) at a given time.
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

    /// How many lines were suppressed and not reported since this or [`pass`](Self::pass) was called last.
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
    fn a_key_has_one_line_a_minute_and_the_rest_is_counted() {
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
    fn any_number_of_keys_write_a_bounded_number_of_lines() {
        let (limit, start) = (PerKey::default(), Instant::now());
        let passed =
            |from: u32, now| (from..from + 10_000).filter(|k| limit.pass_at(*k, now).is_some()).count();
        assert_eq!(passed(0, start), MAX_KEYS);
        assert_eq!(passed(10_000, start + INTERVAL / 2), 0);
        assert_eq!(passed(20_000, start + INTERVAL), MAX_KEYS);
        assert!(limit.0.lock().written.len() <= MAX_KEYS);
        assert_eq!(
            limit.take_suppressed(),
            Some(10_000 - MAX_KEYS as u64),
            "since the last that was written"
        );
    }

    #[test]
    fn a_line_without_a_key_is_occasional() {
        let limit = Occasional::new();
        assert!(limit.pass().is_some());
        assert!(limit.pass().is_none());
        assert_eq!(limit.take_suppressed(), Some(1));
    }
}
