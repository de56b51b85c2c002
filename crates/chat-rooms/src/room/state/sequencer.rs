//! The order of a room's events, whatever the order in which the room hears of them.
//!
//! The store numbers the events of a room without gaps. A room hears of an event from the result of
//! its own append, or from another node. Numbers may be missing: a commit seemed to fail and has
//! reached the disk, or a message between nodes was late or lost. What comes after a gap waits
//! here, for a moment, until the room has what is missing or reads it from the store.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::sync::Instant;

/// The maximum number of events that wait for those before them. If there are more, the room reads
/// all of them from the store.
pub(crate) const MAX_AHEAD: usize = 256;

/// The events that cannot be delivered yet. `newest` is always the number of the newest event that
/// was delivered.
#[derive(Debug)]
pub(crate) struct Sequencer<E> {
    /// Events after a gap, by number.
    ahead: BTreeMap<u64, E>,
    /// Events up to this number are stored.
    known: u64,
    /// The newest event before the gap, and when the gap was noticed.
    gap_since: Option<(u64, Instant)>,
}

/// The events up to the number `last` are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gap {
    pub(crate) last: u64,
    /// When the gap was noticed.
    since: Instant,
}

impl Gap {
    /// How much longer to wait for the missing events, of which each may be `patience` late.
    pub(crate) fn remaining(self, patience: Duration, now: Instant) -> Duration {
        patience.saturating_sub(now.saturating_duration_since(self.since))
    }
}

impl<E> Default for Sequencer<E> {
    fn default() -> Self {
        Self { ahead: BTreeMap::new(), known: 0, gap_since: None }
    }
}

impl<E> Sequencer<E> {
    /// Keeps an event that comes after a gap. Returns what is not kept: the same event, if it is
    /// kept already, or all events if there are too many. The room still knows that they are
    /// stored.
    pub(crate) fn insert(&mut self, seq: u64, event: E) -> Vec<E> {
        self.expect(seq);
        if self.ahead.contains_key(&seq) {
            return vec![event];
        }
        self.ahead.insert(seq, event);
        if self.ahead.len() <= MAX_AHEAD {
            return Vec::new();
        }
        std::mem::take(&mut self.ahead).into_values().collect()
    }

    /// Notes that the events up to this number are stored.
    pub(crate) fn expect(&mut self, seq: u64) {
        self.known = self.known.max(seq);
    }

    /// Returns the next event that can be delivered, or one that was delivered before.
    pub(crate) fn pop(&mut self, newest: u64) -> Option<E> {
        let first = self.ahead.first_entry()?;
        (*first.key() <= newest + 1).then(|| first.remove())
    }

    /// What is missing before the next event can be delivered. `None` if nothing is.
    pub(crate) fn gap(&mut self, newest: u64, now: Instant) -> Option<Gap> {
        let last = match self.ahead.first_key_value() {
            Some((first, _)) => first - 1,
            None => self.known,
        };
        if last <= newest {
            self.gap_since = None;
            return None;
        }
        let since = self.gap_since.filter(|(before, _)| *before == newest).map_or(now, |(_, since)| since);
        self.gap_since = Some((newest, since));
        Some(Gap { last, since })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// What a room hears of.
    #[derive(Debug, Clone)]
    enum Heard {
        /// An event, from the store or from another node.
        Event(u64),
        /// That the events up to a number are stored.
        Expect(u64),
        /// The missing events were read.
        Read,
    }

    fn heard(events: u64) -> impl Strategy<Value = Vec<Heard>> {
        let one = prop_oneof![
            8 => (1..=events).prop_map(Heard::Event),
            1 => (1..=events).prop_map(Heard::Expect),
            1 => Just(Heard::Read),
        ];
        proptest::collection::vec(one, 0..400)
    }

    /// A room that delivers numbers.
    #[derive(Default)]
    struct Room {
        sequencer: Sequencer<u64>,
        /// Each number, or range, that was delivered.
        delivered: Vec<(u64, u64)>,
        newest: u64,
        dropped: BTreeSet<u64>,
    }

    impl Room {
        fn hear(&mut self, heard: &Heard, now: Instant) {
            match *heard {
                Heard::Event(seq) if seq <= self.newest => {}
                Heard::Event(seq) if seq == self.newest + 1 => self.deliver(seq),
                Heard::Event(seq) => self.dropped.extend(self.sequencer.insert(seq, seq)),
                Heard::Expect(seq) => self.sequencer.expect(seq),
                Heard::Read => {
                    if let Some(gap) = self.sequencer.gap(self.newest, now) {
                        assert!(gap.last > self.newest);
                        self.delivered.push((self.newest + 1, gap.last));
                        self.newest = gap.last;
                    }
                }
            }
            while let Some(seq) = self.sequencer.pop(self.newest) {
                if seq > self.newest {
                    self.deliver(seq);
                }
            }
        }

        fn deliver(&mut self, seq: u64) {
            assert_eq!(seq, self.newest + 1);
            self.delivered.push((seq, seq));
            self.newest = seq;
        }
    }

    proptest! {
        #[test]
        fn every_event_is_delivered_once_and_in_order(all in heard(600)) {
            let (mut room, now) = (Room::default(), Instant::now());
            let mut last = 0;
            for one in all {
                if let Heard::Event(seq) | Heard::Expect(seq) = one {
                    last = last.max(seq);
                }
                room.hear(&one, now);
                prop_assert!(room.sequencer.ahead.len() <= MAX_AHEAD);
                // what waits comes after a gap
                let waiting = room.sequencer.ahead.first_key_value();
                prop_assert!(waiting.is_none_or(|(seq, _)| *seq > room.newest + 1));
            }
            // what is missing is read in the end, whatever was dropped
            while room.sequencer.gap(room.newest, now).is_some() {
                room.hear(&Heard::Read, now);
            }
            prop_assert_eq!(room.newest, last);
            let mut next = 1;
            for (first, last) in room.delivered {
                prop_assert_eq!(first, next);
                next = last + 1;
            }
        }

        #[test]
        fn without_loss_nothing_is_read(mut order in Just((1..=200_u64).collect::<Vec<_>>()).prop_shuffle()) {
            let (mut room, now) = (Room::default(), Instant::now());
            // a few come twice
            order.extend_from_within(..20);
            for seq in order {
                room.hear(&Heard::Event(seq), now);
            }
            prop_assert_eq!(room.sequencer.gap(room.newest, now), None);
            prop_assert_eq!(room.delivered, (1..=200).map(|seq| (seq, seq)).collect::<Vec<_>>());
        }
    }

    #[test]
    fn too_many_events_ahead_are_dropped_and_read() {
        let (mut sequencer, now) = (Sequencer::default(), Instant::now());
        for seq in 2..2 + MAX_AHEAD as u64 {
            assert!(sequencer.insert(seq, seq).is_empty());
        }
        assert_eq!(sequencer.gap(0, now).unwrap().last, 1);
        let last = 2 + MAX_AHEAD as u64;
        let dropped = sequencer.insert(last, last);
        assert!(dropped.iter().copied().eq(2..=last));
        assert_eq!(sequencer.gap(0, now).unwrap().last, last);
    }

    #[test]
    fn the_patience_begins_with_the_gap() {
        let (mut sequencer, begin) = (Sequencer::default(), Instant::now());
        let after = |milliseconds| begin + Duration::from_millis(milliseconds);
        let patience = Duration::from_millis(50);
        sequencer.insert(3, ());
        let remaining =
            |gap: Option<Gap>, now| gap.map(|gap: Gap| (gap.last, gap.remaining(patience, now).as_millis()));
        assert_eq!(remaining(sequencer.gap(1, after(0)), after(0)), Some((2, 50)));
        sequencer.insert(5, ());
        assert_eq!(remaining(sequencer.gap(1, after(30)), after(30)), Some((2, 20)));
        assert_eq!(remaining(sequencer.gap(1, after(70)), after(70)), Some((2, 0)));
        // the first gap is filled, and the other one begins to count
        assert_eq!(sequencer.pop(2), Some(()));
        assert_eq!(remaining(sequencer.gap(3, after(80)), after(80)), Some((4, 50)));
        assert_eq!(sequencer.pop(4), Some(()));
        assert_eq!(sequencer.gap(5, after(90)), None);
    }
}
