//! Where the rows of ids are, in little memory.

use std::collections::VecDeque;
use std::iter;

/// How many chains there are, as a power of two: with a million entries each has some eight.
const HEAD_BITS: u32 = 17;

/// How many bits of an entry say how far back the next of its chain is, and so how many numbers are kept at most.
const BACK_BITS: u32 = 20;

/// The bits of an entry that are left.
const TAG_BITS: u32 = u32::BITS - BACK_BITS;

/// Memory is taken and given back in pieces of so many entries.
const CHUNK: usize = 1 << 14;

type Chunk = Box<[u32]>;

/// Rows by the hashes of their ids, where rows are numbered as they come and go in the same order: what is kept is a queue, and
/// its entries are chained by their hashes, from the newest to the oldest. That takes four bytes an entry, half a megabyte for the
/// heads, and never a copy of it all; a hash map takes ten times as much, and doubles when it is full.
///
/// Of a hash 29 bits are looked at, so a number that is found may stand under another.
pub(super) struct IdIndex {
    /// By the highest bits of a hash, the lowest 32 of the newest number under it. One that is not kept, or 0: there is none.
    heads: Box<[u32]>,
    /// An entry for each number from `first` to `newest`: the next bits of the hash, and how many numbers back the one before it in
    /// its chain is; 0: there is none.
    chunks: VecDeque<Chunk>,
    /// The number of the first entry of the first chunk; divisible by [`CHUNK`].
    first: i64,
    newest: i64,
}

impl IdIndex {
    /// How many of the newest numbers are kept at least.
    pub(super) const KEPT: i64 = 1 << BACK_BITS;

    pub(super) fn new() -> Self {
        let heads = vec![0; 1 << HEAD_BITS].into_boxed_slice();
        Self { heads, chunks: VecDeque::new(), first: 0, newest: 0 }
    }

    /// The highest number so far; 0: none yet.
    pub(super) fn newest(&self) -> i64 {
        self.newest
    }

    /// The numbers under a hash, the newest first, and seldom one that stands under another.
    pub(super) fn find(&self, hash: u64) -> impl Iterator<Item = i64> {
        let mut next = self.head(hash);
        let chain = iter::from_fn(move || {
            let number = next?;
            let entry = self.entry(number)?;
            next = before(number, entry);
            Some((number, entry))
        });
        chain.filter(move |(_, entry)| entry >> BACK_BITS == tag(hash)).map(|(number, _)| number)
    }

    /// Notes the number of a row under the hash of its id. It is higher than all before, and best the next.
    pub(super) fn push(&mut self, hash: u64, number: i64) {
        debug_assert!(number > self.newest, "{number} comes after {}", self.newest);
        self.make_room(number);
        let back = self.head(hash).map_or(0, |head| number - head);
        // what is further back than an entry can say is about to go anyway
        let back = u32::try_from(back).ok().filter(|back| *back < 1 << BACK_BITS).unwrap_or(0);
        self.newest = number;
        self.heads[head(hash)] = low(number);
        if let Some(entry) = self.entry_mut(number) {
            *entry = tag(hash) << BACK_BITS | back;
        }
    }

    /// Takes the newest number back, which stands under this hash.
    pub(super) fn pop(&mut self, hash: u64) {
        let Some(entry) = self.entry_mut(self.newest).map(std::mem::take) else { return };
        let head_was = before(self.newest, entry).unwrap_or(self.first - 1);
        self.heads[head(hash)] = low(head_was);
        self.newest -= 1;
    }

    /// Forgets numbers up to this one, but for some of the last.
    pub(super) fn forget_through(&mut self, number: i64) {
        while !self.chunks.is_empty() && self.first + CHUNK as i64 - 1 <= number {
            self.chunks.pop_front();
            self.first += CHUNK as i64;
        }
    }

    /// Makes an entry for a number, in the place of the oldest ones if need be.
    fn make_room(&mut self, number: i64) {
        self.forget_through(number - Self::KEPT);
        if self.chunks.is_empty() {
            self.first = number - number % CHUNK as i64;
        }
        while number - self.first >= (self.chunks.len() * CHUNK) as i64 {
            self.chunks.push_back(vec![0; CHUNK].into_boxed_slice());
        }
    }

    /// The newest number of a hash's chain.
    fn head(&self, hash: u64) -> Option<i64> {
        let back = low(self.newest).wrapping_sub(self.heads[head(hash)]);
        let number = self.newest - i64::from(back);
        self.entry(number).filter(|_| number > 0).map(|_| number)
    }

    fn entry(&self, number: i64) -> Option<u32> {
        let at = usize::try_from(number - self.first).ok()?;
        Some(self.chunks.get(at / CHUNK)?[at % CHUNK])
    }

    fn entry_mut(&mut self, number: i64) -> Option<&mut u32> {
        let at = usize::try_from(number - self.first).ok()?;
        Some(&mut self.chunks.get_mut(at / CHUNK)?[at % CHUNK])
    }
}

fn head(hash: u64) -> usize {
    // so few bits fit
    (hash >> (u64::BITS - HEAD_BITS)) as usize
}

fn tag(hash: u64) -> u32 {
    // so few bits fit
    (hash << HEAD_BITS >> (u64::BITS - TAG_BITS)) as u32
}

/// The number before this one in its chain.
fn before(number: i64, entry: u32) -> Option<i64> {
    let back = entry & ((1 << BACK_BITS) - 1);
    (back > 0).then(|| number - i64::from(back))
}

/// The lowest 32 bits: it is meant to cut.
fn low(number: i64) -> u32 {
    number as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Spread as a hash would (2^64 divided by the golden ratio).
    fn spread(number: i64) -> u64 {
        (number as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }

    fn found(index: &IdIndex, hash: u64) -> Vec<i64> {
        index.find(hash).collect()
    }

    #[test]
    fn numbers_are_found_across_the_edge_of_32_bits() {
        let mut index = IdIndex::new();
        let edge = i64::from(u32::MAX);
        for number in [edge - 1, edge, edge + 1, edge + 2] {
            index.push(7 << 40, number);
        }
        assert_eq!(found(&index, 7 << 40), [edge + 2, edge + 1, edge, edge - 1]);
        assert_eq!(found(&index, 8 << 40), [0_i64; 0]);
    }

    #[test]
    fn a_million_take_little_and_more_take_no_more() {
        let mut index = IdIndex::new();
        for number in 1..=2_000_000 {
            index.push(spread(number), number);
            assert!(index.chunks.len() * CHUNK <= (1 << BACK_BITS) + CHUNK);
        }
        let wrong: usize = (1_000_000..=2_000_000)
            .map(|number| {
                let found = found(&index, spread(number));
                assert!(found.contains(&number), "{number}");
                found.len() - 1
            })
            .sum();
        // of a million that are looked up, each among a million, one in 2^29 of them is another's
        assert!(wrong < 10_000, "{wrong}");
    }

    #[test]
    fn a_gap_costs_no_more_than_what_is_kept() {
        let mut index = IdIndex::new();
        for number in [5, 100_000, i64::from(u32::MAX) * 100] {
            index.push(3, number);
            assert_eq!(found(&index, 3)[0], number);
        }
        assert_eq!(index.chunks.len(), 1);
    }

    proptest! {
        #[test]
        fn what_was_noted_is_found_until_it_is_forgotten(
            start in prop_oneof![Just(0_i64), Just((1 << 32) - 40_000)],
            steps in prop::collection::vec((0..6_u64, 1..20_000_i64, 0..10_u8), 1..100),
        ) {
            let (mut index, mut model) = (IdIndex::new(), Vec::<(u64, i64)>::new());
            let mut newest = start;
            for (which, far, step) in steps {
                // some under one head, and some with one tag
                let hash = (which % 3) << 60 | (which / 3) << 40;
                match step {
                    // as long as the newest is one that was noted
                    0 => if model.last().is_some_and(|(_, number)| *number == newest) {
                        let (hash, _) = model.pop().unwrap();
                        index.pop(hash);
                        newest -= 1;
                    },
                    1 => {
                        index.forget_through(newest - far);
                        model.retain(|(_, number)| *number > newest - far);
                    }
                    _ => {
                        newest += if step == 2 { far } else { 1 };
                        index.push(hash, newest);
                        model.push((hash, newest));
                    }
                }
                let found = found(&index, hash);
                prop_assert!(found.windows(2).all(|pair| pair[0] > pair[1]));
                for (of, number) in &model {
                    prop_assert_eq!(found.contains(number), *of == hash, "{} of {}", number, of);
                }
            }
        }
    }
}
