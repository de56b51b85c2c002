//! Checks that one member receives each message of each publisher once, and in `chat.v2` without a
//! gap in the room's numbers.

use std::collections::{BTreeMap, BTreeSet};

use chat_load::{Faults, Stamp};

use super::plan::FIRST_CLASSIC_PUBLISHER;

/// What a member has received over all its connections.
#[derive(Debug, Default)]
pub(super) struct StreamChecker {
    /// The number of the newest message in the room. `None` in the classic dialect.
    seq: Option<u64>,
    publishers: BTreeMap<u16, Received>,
    faults: Faults,
}

/// The messages of one publisher. They need not arrive in the order in which they were sent:
/// messages in flight may overtake one that the store could not accept at once.
#[derive(Debug, Default)]
struct Received {
    /// All messages before this number have arrived.
    next: u32,
    /// Messages from `next` on that have arrived.
    early: BTreeSet<u32>,
}

impl StreamChecker {
    /// The stream of a member in `chat.v2` whose first message follows number `seq`.
    pub(super) fn after(seq: u64) -> Self {
        Self { seq: Some(seq), ..Self::default() }
    }

    /// Records a message that arrived.
    pub(super) fn record(&mut self, stamp: Stamp, seq: Option<u64>) {
        if let (Some(before), Some(seq)) = (self.seq, seq)
            && seq != before + 1
        {
            self.faults.out_of_order += 1;
        }
        self.seq = seq.or(self.seq);
        let is_first = !self.publishers.contains_key(&stamp.publisher);
        let received = self.publishers.entry(stamp.publisher).or_default();
        if is_first && self.seq.is_none() {
            // a classic member receives what is sent after it has connected
            received.next = stamp.count;
        }
        if stamp.count < received.next || !received.early.insert(stamp.count) {
            self.faults.duplicated += 1;
            return;
        }
        if stamp.publisher >= FIRST_CLASSIC_PUBLISHER {
            // a classic client gets no ack and does not send again: messages may be missing
            received.early.clear();
            received.next = stamp.count + 1;
        }
        while received.early.remove(&received.next) {
            received.next += 1;
        }
    }

    /// The faults once nothing more will arrive, if `sent` is the number of messages of each
    /// publisher.
    pub(super) fn final_faults(&self, sent: &BTreeMap<u16, u32>) -> Faults {
        let lost = sent.iter().map(|(publisher, &sent)| match self.publishers.get(publisher) {
            Some(received) => u64::from(sent.saturating_sub(received.next)) - received.early.len() as u64,
            None => u64::from(sent),
        });
        Faults { lost: lost.sum(), ..self.faults }
    }

    /// The faults of a connection that ended before the stream did: only messages that are missing
    /// before one that arrived are lost.
    pub(super) fn partial_faults(&self) -> Faults {
        let lost = self.publishers.values().filter_map(|received| {
            let last = *received.early.last()?;
            Some(u64::from(last - received.next) + 1 - received.early.len() as u64)
        });
        Faults { lost: lost.sum(), ..self.faults }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(mut stream: StreamChecker, counts: &[(u16, u32)]) -> StreamChecker {
        for (seq, &(publisher, count)) in (1..).zip(counts) {
            stream.record(Stamp { due: 0, publisher, count }, stream.seq.map(|_| seq));
        }
        stream
    }

    fn sent(counts: &[(u16, u32)]) -> BTreeMap<u16, u32> {
        counts.iter().copied().collect()
    }

    #[test]
    fn a_complete_stream_has_no_fault_in_any_order() {
        let stream = received(StreamChecker::after(0), &[(0, 0), (1, 0), (0, 2), (0, 1), (0, 3)]);
        assert_eq!(stream.final_faults(&sent(&[(0, 4), (1, 1)])), Faults::default());
    }

    #[test]
    fn missing_and_duplicated_messages_are_counted() {
        let stream = received(StreamChecker::after(0), &[(0, 0), (0, 2), (0, 2), (0, 0)]);
        assert_eq!(
            stream.final_faults(&sent(&[(0, 5), (1, 2)])),
            Faults { lost: 5, duplicated: 2, out_of_order: 0 }
        );
    }

    #[test]
    fn a_gap_in_the_numbers_of_the_room_is_counted() {
        let stream = received(StreamChecker::after(1), &[(0, 0)]);
        assert_eq!(stream.faults.out_of_order, 1);
    }

    #[test]
    fn a_classic_member_is_checked_while_it_is_connected() {
        let stream = received(StreamChecker::default(), &[(0, 7), (0, 8), (0, 10), (0, 12), (1, 3)]);
        assert_eq!(stream.partial_faults(), Faults { lost: 2, duplicated: 0, out_of_order: 0 });
        assert_eq!(received(StreamChecker::default(), &[(0, 7), (0, 6)]).partial_faults().duplicated, 1);
    }

    #[test]
    fn messages_of_a_classic_publisher_may_be_missing_but_not_duplicated() {
        let messages =
            [(FIRST_CLASSIC_PUBLISHER, 0), (FIRST_CLASSIC_PUBLISHER, 5), (FIRST_CLASSIC_PUBLISHER, 5)];
        let stream = received(StreamChecker::after(0), &messages);
        assert_eq!(stream.final_faults(&sent(&[])), Faults { lost: 0, duplicated: 1, out_of_order: 0 });
    }
}
