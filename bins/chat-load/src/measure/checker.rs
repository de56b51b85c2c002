//! What one member has heard, checked: each message of each publisher once, in order.

use crate::protocol::Stamp;

/// The stream of one member.
#[derive(Debug, Default)]
pub(crate) struct Checked {
    /// The number that the next message of each publisher has to have.
    next: Box<[u32]>,
    /// The room's number of the newest message; none before the first, and in a dialect without numbers.
    seq: Option<u64>,
    pub faults: Faults,
}

/// What was wrong.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Faults {
    /// Messages that did not come.
    pub missed: u64,
    /// Messages that came twice, or after a later one of the same publisher.
    pub repeated: u64,
    /// Messages whose number in the room did not follow on the one before.
    pub out_of_order: u64,
}

impl std::ops::AddAssign for Faults {
    fn add_assign(&mut self, other: Self) {
        self.missed += other.missed;
        self.repeated += other.repeated;
        self.out_of_order += other.out_of_order;
    }
}

impl Checked {
    pub fn new(publishers: usize, seq: Option<u64>) -> Self {
        Self { next: vec![0; publishers].into(), seq, faults: Faults::default() }
    }

    pub fn hear(&mut self, stamp: Stamp, seq: Option<u64>) {
        if let (Some(before), Some(seq)) = (self.seq, seq)
            && seq != before + 1
        {
            self.faults.out_of_order += 1;
        }
        self.seq = seq.or(self.seq);
        let Some(next) = self.next.get_mut(usize::from(stamp.publisher)) else {
            self.faults.repeated += 1;
            return;
        };
        if stamp.count < *next {
            self.faults.repeated += 1;
            return;
        }
        self.faults.missed += u64::from(stamp.count - *next);
        *next = stamp.count + 1;
    }

    /// Whether it has everything, when its publishers have sent so many.
    pub fn has_all(&self, sent: &[u32]) -> bool {
        self.next.iter().zip(sent).all(|(next, sent)| next >= sent)
    }

    /// What was wrong, with what is not to come any more.
    pub fn at_the_end(&self, sent: &[u32]) -> Faults {
        let outstanding =
            self.next.iter().zip(sent).map(|(next, sent)| u64::from(sent.saturating_sub(*next)));
        Faults { missed: self.faults.missed + outstanding.sum::<u64>(), ..self.faults }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(stream: &[(u16, u32, u64)]) -> Checked {
        let mut checked = Checked::new(2, Some(10));
        for &(publisher, count, seq) in stream {
            checked.hear(Stamp { due: 0, publisher, count }, Some(seq));
        }
        checked
    }

    #[test]
    fn a_whole_stream_is_without_fault() {
        let checked = heard(&[(0, 0, 11), (1, 0, 12), (1, 1, 13), (0, 1, 14)]);
        assert!(checked.has_all(&[2, 2]));
        assert_eq!(checked.at_the_end(&[2, 2]), Faults::default());
    }

    #[test]
    fn what_is_missing_twice_or_out_of_order_is_counted() {
        let hole = heard(&[(0, 0, 11), (0, 2, 13)]);
        assert_eq!(hole.faults, Faults { missed: 1, repeated: 0, out_of_order: 1 });
        let twice = heard(&[(0, 0, 11), (0, 0, 11)]);
        assert_eq!(twice.faults, Faults { missed: 0, repeated: 1, out_of_order: 1 });
        let short = heard(&[(0, 0, 11)]);
        assert!(!short.has_all(&[1, 3]));
        assert_eq!(short.at_the_end(&[1, 3]), Faults { missed: 3, repeated: 0, out_of_order: 0 });
        let stranger = heard(&[(7, 0, 11)]);
        assert_eq!(stranger.faults.repeated, 1);
    }
}
