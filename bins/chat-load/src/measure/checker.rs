//! Checks that one member receives each message of each publisher once and in order.

use crate::protocol::Stamp;

/// The stream of one member.
#[derive(Debug, Default)]
pub(crate) struct StreamChecker {
    /// The number of the next message of each publisher.
    next: Box<[u32]>,
    /// The number of the newest message in the room. `None` before the first one, and in a dialect
    /// without numbers.
    seq: Option<u64>,
    pub(crate) faults: Faults,
}

/// Messages that did not arrive once and in order.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Faults {
    /// Messages that did not arrive.
    pub lost: u64,
    /// Messages that arrived twice, or after a later one of the same publisher.
    pub duplicated: u64,
    /// Messages whose number in the room did not follow the previous one.
    pub out_of_order: u64,
}

impl std::ops::AddAssign for Faults {
    fn add_assign(&mut self, other: Self) {
        self.lost += other.lost;
        self.duplicated += other.duplicated;
        self.out_of_order += other.out_of_order;
    }
}

impl StreamChecker {
    pub(crate) fn new(publishers: usize, seq: Option<u64>) -> Self {
        Self { next: vec![0; publishers].into(), seq, faults: Faults::default() }
    }

    /// Records a message that arrived.
    pub(crate) fn record(&mut self, stamp: Stamp, seq: Option<u64>) {
        if let (Some(before), Some(seq)) = (self.seq, seq)
            && seq != before + 1
        {
            self.faults.out_of_order += 1;
        }
        self.seq = seq.or(self.seq);
        let Some(next) = self.next.get_mut(usize::from(stamp.publisher)) else {
            self.faults.duplicated += 1;
            return;
        };
        if stamp.count < *next {
            self.faults.duplicated += 1;
            return;
        }
        self.faults.lost += u64::from(stamp.count - *next);
        *next = stamp.count + 1;
    }

    /// Whether everything has arrived, if `sent` is the number of messages of each publisher.
    pub(crate) fn is_complete(&self, sent: &[u32]) -> bool {
        self.next.iter().zip(sent).all(|(next, sent)| next >= sent)
    }

    /// The faults once nothing more will arrive: messages that are still missing are lost.
    pub(crate) fn final_faults(&self, sent: &[u32]) -> Faults {
        let outstanding =
            self.next.iter().zip(sent).map(|(next, sent)| u64::from(sent.saturating_sub(*next)));
        Faults { lost: self.faults.lost + outstanding.sum::<u64>(), ..self.faults }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(stream: &[(u16, u32, u64)]) -> StreamChecker {
        let mut checker = StreamChecker::new(2, Some(10));
        for &(publisher, count, seq) in stream {
            checker.record(Stamp { due: 0, publisher, count }, Some(seq));
        }
        checker
    }

    #[test]
    fn a_complete_stream_has_no_fault() {
        let checker = received(&[(0, 0, 11), (1, 0, 12), (1, 1, 13), (0, 1, 14)]);
        assert!(checker.is_complete(&[2, 2]));
        assert_eq!(checker.final_faults(&[2, 2]), Faults::default());
    }

    #[test]
    fn lost_duplicated_and_reordered_messages_are_counted() {
        let gap = received(&[(0, 0, 11), (0, 2, 13)]);
        assert_eq!(gap.faults, Faults { lost: 1, duplicated: 0, out_of_order: 1 });
        let twice = received(&[(0, 0, 11), (0, 0, 11)]);
        assert_eq!(twice.faults, Faults { lost: 0, duplicated: 1, out_of_order: 1 });
        let short = received(&[(0, 0, 11)]);
        assert!(!short.is_complete(&[1, 3]));
        assert_eq!(short.final_faults(&[1, 3]), Faults { lost: 3, duplicated: 0, out_of_order: 0 });
        let unknown = received(&[(7, 0, 11)]);
        assert_eq!(unknown.faults.duplicated, 1);
    }
}
