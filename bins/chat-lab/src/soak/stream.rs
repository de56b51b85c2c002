//! What one member hears, checked: each message of each publisher once, and in `chat.v2` without a hole in the room's numbers.

use std::collections::{BTreeMap, BTreeSet};

use super::plan::CLASSIC;
use chat_load::{Faults, Stamp};

/// What a member has heard, over all its connections.
#[derive(Debug, Default)]
pub(super) struct Stream {
    /// The room's number of the newest message; none in the classic dialect.
    seq: Option<u64>,
    publishers: BTreeMap<u16, Counted>,
    pub(super) faults: Faults,
}

/// The messages of one publisher. What the store could not take at once may be overtaken by what was on its way, so that they
/// need not come in the order in which they were sent.
#[derive(Debug, Default)]
struct Counted {
    /// All before this one were heard.
    next: u32,
    /// Heard, and not the next.
    early: BTreeSet<u32>,
}

impl Stream {
    /// Of a member of `chat.v2` that hears the first message behind `seq`.
    pub(super) fn behind(seq: u64) -> Self {
        Self { seq: Some(seq), ..Self::default() }
    }

    pub(super) fn hear(&mut self, stamp: Stamp, seq: Option<u64>) {
        if let (Some(before), Some(seq)) = (self.seq, seq)
            && seq != before + 1
        {
            self.faults.out_of_order += 1;
        }
        self.seq = seq.or(self.seq);
        let is_first = !self.publishers.contains_key(&stamp.publisher);
        let counted = self.publishers.entry(stamp.publisher).or_default();
        if is_first && self.seq.is_none() {
            // a classic member hears what is said from its coming on
            counted.next = stamp.count;
        }
        if stamp.count < counted.next || !counted.early.insert(stamp.count) {
            self.faults.repeated += 1;
            return;
        }
        if stamp.publisher >= CLASSIC {
            // what a classic client sends is not acked, and it does not send it again: some may be missing
            counted.early.clear();
            counted.next = stamp.count + 1;
        }
        while counted.early.remove(&counted.next) {
            counted.next += 1;
        }
    }

    /// What was wrong, when nothing more is to come and these publishers have sent so many.
    pub(super) fn at_the_end(&self, sent: &BTreeMap<u16, u32>) -> Faults {
        let missed = sent.iter().map(|(publisher, &sent)| match self.publishers.get(publisher) {
            Some(counted) => u64::from(sent.saturating_sub(counted.next)) - counted.early.len() as u64,
            None => u64::from(sent),
        });
        Faults { missed: missed.sum(), ..self.faults }
    }

    /// What was wrong, where the end of the stream was not heard: only what is missing in between.
    pub(super) fn in_between(&self) -> Faults {
        let missed = self.publishers.values().filter_map(|counted| {
            let last = *counted.early.last()?;
            Some(u64::from(last - counted.next) + 1 - counted.early.len() as u64)
        });
        Faults { missed: missed.sum(), ..self.faults }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(mut stream: Stream, counts: &[(u16, u32)]) -> Stream {
        for (seq, &(publisher, count)) in (1..).zip(counts) {
            stream.hear(Stamp { due: 0, publisher, count }, stream.seq.map(|_| seq));
        }
        stream
    }

    fn sent(counts: &[(u16, u32)]) -> BTreeMap<u16, u32> {
        counts.iter().copied().collect()
    }

    #[test]
    fn a_whole_stream_is_without_fault_in_whatever_order() {
        let stream = heard(Stream::behind(0), &[(0, 0), (1, 0), (0, 2), (0, 1), (0, 3)]);
        assert_eq!(stream.at_the_end(&sent(&[(0, 4), (1, 1)])), Faults::default());
    }

    #[test]
    fn what_is_missing_or_twice_is_counted() {
        let stream = heard(Stream::behind(0), &[(0, 0), (0, 2), (0, 2), (0, 0)]);
        assert_eq!(
            stream.at_the_end(&sent(&[(0, 5), (1, 2)])),
            Faults { missed: 5, repeated: 2, out_of_order: 0 }
        );
    }

    #[test]
    fn a_hole_in_the_rooms_numbers_is_seen() {
        let stream = heard(Stream::behind(1), &[(0, 0)]);
        assert_eq!(stream.faults.out_of_order, 1);
    }

    #[test]
    fn a_classic_member_hears_from_its_coming_to_its_going() {
        let stream = heard(Stream::default(), &[(0, 7), (0, 8), (0, 10), (0, 12), (1, 3)]);
        assert_eq!(stream.in_between(), Faults { missed: 2, repeated: 0, out_of_order: 0 });
        assert_eq!(heard(Stream::default(), &[(0, 7), (0, 6)]).in_between().repeated, 1);
    }

    #[test]
    fn of_a_classic_publisher_some_may_be_missing_but_none_twice() {
        let stream = heard(Stream::behind(0), &[(CLASSIC, 0), (CLASSIC, 5), (CLASSIC, 5)]);
        assert_eq!(stream.at_the_end(&sent(&[])), Faults { missed: 0, repeated: 1, out_of_order: 0 });
    }
}
