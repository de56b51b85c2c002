//! What a run has measured.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::checker::Faults;

/// How finely latency is shown over time.
const SLOT: Duration = Duration::from_millis(100);

/// Of one thread, or of all together.
#[derive(Debug, Clone)]
pub struct Tally {
    /// Messages that were sent while it counted, and that came back to their senders in that time.
    pub sent: u64,
    pub came_back: u64,
    /// Messages that arrived at a member while it counted, and all that these connections read in that time.
    pub deliveries: u64,
    pub bytes: u64,
    /// Nanoseconds from when a message was due until it was read.
    pub latency: Latency,
    /// Nanoseconds from asking to be in the room until being there.
    pub joins: Latency,
    /// Latency in each tenth of a second of the run.
    pub slots: Vec<Latency>,
    pub faults: Faults,
    /// Connections that ended before the run did, and errors of the server, by what it said.
    pub ended: BTreeMap<String, u64>,
    pub errors: BTreeMap<String, u64>,
    /// Whether the server has accepted a connection.
    pub has_connected: bool,
    /// How many messages a second the server takes from each session, as it said; 0: it did not say, or it is any number.
    pub paced_to: f64,
}

impl Tally {
    pub fn new() -> Self {
        Self {
            sent: 0,
            came_back: 0,
            deliveries: 0,
            bytes: 0,
            latency: Latency::new(),
            joins: Latency::new(),
            slots: Vec::new(),
            faults: Faults::default(),
            ended: BTreeMap::new(),
            errors: BTreeMap::new(),
            has_connected: false,
            paced_to: 0.0,
        }
    }

    /// A message arrived so late; `at` since it counts.
    pub fn time(&mut self, latency: u64, at: u64) {
        self.latency.record(latency);
        let slot = usize::try_from(at / crate::run::nanoseconds(SLOT)).unwrap_or_default();
        while self.slots.len() <= slot {
            self.slots.push(Latency::new());
        }
        if let Some(slot) = self.slots.get_mut(slot) {
            slot.record(latency);
        }
    }

    pub fn add(&mut self, other: &Self) {
        self.sent += other.sent;
        self.came_back += other.came_back;
        self.deliveries += other.deliveries;
        self.bytes += other.bytes;
        self.latency.add(&other.latency);
        self.joins.add(&other.joins);
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
        self.paced_to = self.paced_to.max(other.paced_to);
    }
}

/// A distribution of times, to two digits.
#[derive(Debug, Clone)]
pub struct Latency(Histogram<u64>);

impl Latency {
    pub fn new() -> Self {
        // from 1 us to 1 minute; two significant digits are valid
        #[expect(clippy::expect_used, reason = "the bounds are constants")]
        Self(Histogram::new_with_bounds(1_000, 60_000_000_000, 2).expect("these bounds"))
    }

    pub fn record(&mut self, nanoseconds: u64) {
        self.0.saturating_record(nanoseconds);
    }

    pub fn add(&mut self, other: &Self) {
        // both have the same bounds
        let added = self.0.add(&other.0);
        debug_assert!(added.is_ok());
    }

    pub fn count(&self) -> u64 {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The time that so many percent of all are not above.
    pub fn percentile(&self, percent: f64) -> Duration {
        Duration::from_nanos(self.0.value_at_percentile(percent))
    }

    pub fn max(&self) -> Duration {
        Duration::from_nanos(self.0.max())
    }
}
