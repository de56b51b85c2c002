//! The figures of a run.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::checker::Faults;
use super::nanoseconds;

/// The resolution of latency over time.
const SLOT: Duration = Duration::from_millis(100);

/// The figures of one thread, or of all threads together.
#[derive(Debug, Clone)]
pub struct Tally {
    /// Messages sent during the measurement.
    pub sent: u64,
    /// Messages that arrived back at their publishers during the measurement.
    pub echoed: u64,
    /// Messages that arrived at a member during the measurement.
    pub deliveries: u64,
    /// Bytes that all connections read during the measurement.
    pub bytes: u64,
    /// The time from when a message was due until a member read it.
    pub latency: Latency,
    /// The time from a request to join until the response.
    pub join_latency: Latency,
    /// Latency in each 100 ms of the measurement.
    pub slots: Vec<Latency>,
    /// Messages that did not arrive once and in order.
    pub faults: Faults,
    /// Connections that ended before the run did, by reason.
    pub ended: BTreeMap<String, u64>,
    /// Errors of the server, by text.
    pub errors: BTreeMap<String, u64>,
    /// Whether the server has accepted a connection.
    pub has_connected: bool,
    /// The server's rate limit for each session, in messages per second. 0: the server has none,
    /// or did not announce one.
    pub rate_limit: f64,
}

impl Tally {
    pub(crate) fn new() -> Self {
        Self {
            sent: 0,
            echoed: 0,
            deliveries: 0,
            bytes: 0,
            latency: Latency::new(),
            join_latency: Latency::new(),
            slots: Vec::new(),
            faults: Faults::default(),
            ended: BTreeMap::new(),
            errors: BTreeMap::new(),
            has_connected: false,
            rate_limit: 0.0,
        }
    }

    /// Records the latency of one delivery. `at` is the time since the measurement began. Both are
    /// in nanoseconds.
    pub(crate) fn record_latency(&mut self, latency: u64, at: u64) {
        self.latency.record(latency);
        let slot = usize::try_from(at / nanoseconds(SLOT)).unwrap_or_default();
        while self.slots.len() <= slot {
            self.slots.push(Latency::new());
        }
        if let Some(slot) = self.slots.get_mut(slot) {
            slot.record(latency);
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.sent += other.sent;
        self.echoed += other.echoed;
        self.deliveries += other.deliveries;
        self.bytes += other.bytes;
        self.latency.add(&other.latency);
        self.join_latency.add(&other.join_latency);
        for (i, slot) in other.slots.iter().enumerate() {
            match self.slots.get_mut(i) {
                Some(own) => own.add(slot),
                None => self.slots.push(slot.clone()),
            }
        }
        self.faults += other.faults;
        self.has_connected |= other.has_connected;
        for (own, other) in [(&mut self.ended, &other.ended), (&mut self.errors, &other.errors)] {
            for (what, count) in other {
                *own.entry(what.clone()).or_default() += count;
            }
        }
        self.rate_limit = self.rate_limit.max(other.rate_limit);
    }
}

/// A distribution of durations, with two significant digits.
#[derive(Debug, Clone)]
pub struct Latency(Histogram<u64>);

impl Default for Latency {
    fn default() -> Self {
        Self::new()
    }
}

impl Latency {
    /// An empty distribution.
    pub fn new() -> Self {
        // from 1 us to 1 minute; two significant digits are valid
        #[expect(clippy::expect_used, reason = "the bounds are constants")]
        Self(Histogram::new_with_bounds(1_000, 60_000_000_000, 2).expect("these bounds"))
    }

    /// Adds a duration. It is clamped to the range from 1 us to 1 minute.
    pub fn record(&mut self, nanoseconds: u64) {
        self.0.saturating_record(nanoseconds);
    }

    /// Adds all durations of another distribution.
    pub fn add(&mut self, other: &Self) {
        // both have the same bounds
        let added = self.0.add(&other.0);
        debug_assert!(added.is_ok());
    }

    /// The number of durations.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// Whether nothing has been recorded.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The duration that `percent` of all do not exceed.
    pub fn percentile(&self, percent: f64) -> Duration {
        Duration::from_nanos(self.0.value_at_percentile(percent))
    }

    /// The longest duration.
    pub fn max(&self) -> Duration {
        Duration::from_nanos(self.0.max())
    }
}
