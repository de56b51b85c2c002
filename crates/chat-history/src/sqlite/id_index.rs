//! A compact index of the rows of ids.

use std::collections::VecDeque;
use std::iter;

/// The number of chains, as a power of two. With a million entries a chain has about eight.
const HEAD_BITS: u32 = 17;

/// How many bits of an entry are the distance to the next entry of its chain. This limits how many
/// numbers are kept.
const BACK_BITS: u32 = 20;

/// The remaining bits of an entry.
const TAG_BITS: u32 = u32::BITS - BACK_BITS;

/// Memory is allocated and freed in chunks of this number of entries.
const CHUNK: usize = 1 << 14;

type Chunk = Box<[u32]>;

/// Row numbers by the hashes of their ids. Rows are numbered in the order of insertion and are
/// removed in the same order, so the index is a queue whose entries are chained by their hashes,
/// from the newest to the oldest. That takes four bytes per entry, half a megabyte for the heads,
/// and never copies the whole index; a hash map takes ten times as much and doubles when it is
/// full.
///
/// Only 29 bits of a hash are compared, so a found number may belong to another hash.
pub(super) struct IdIndex {
    /// Indexed by the highest bits of a hash: the lowest 32 bits of the newest number of the chain.
    /// There is none if the number is 0 or no longer kept.
    heads: Box<[u32]>,
    /// An entry for each number from `first` to `newest`: the next bits of the hash, and the
    /// distance to the previous number of its chain, or 0 if there is none.
    chunks: VecDeque<Chunk>,
    /// The number of the first entry of the first chunk; divisible by [`CHUNK`].
    first: i64,
    newest: i64,
}

impl IdIndex {
    /// At least this number of the newest numbers is kept.
    pub(super) const KEPT: i64 = 1 << BACK_BITS;

    pub(super) fn new() -> Self {
        let heads = vec![0; 1 << HEAD_BITS].into_boxed_slice();
        Self { heads, chunks: VecDeque::new(), first: 0, newest: 0 }
    }

    /// The highest number so far; 0 if there is none.
    pub(super) fn newest(&self) -> i64 {
        self.newest
    }

    /// The numbers of a hash, newest first. Rarely one of them belongs to another hash.
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

    /// Adds the number of a row under the hash of its id. It has to be higher than all numbers
    /// before, ideally by one.
    pub(super) fn push(&mut self, hash: u64, number: i64) {
        debug_assert!(number > self.newest, "{number} comes after {}", self.newest);
        self.reserve(number);
        let back = self.head(hash).map_or(0, |head| number - head);
        // entries further back than the distance can express are about to be removed anyway
        let back = u32::try_from(back).ok().filter(|back| *back < 1 << BACK_BITS).unwrap_or(0);
        self.newest = number;
        self.heads[head(hash)] = low(number);
        if let Some(entry) = self.entry_mut(number) {
            *entry = tag(hash) << BACK_BITS | back;
        }
    }

    /// Removes the newest number, which belongs to this hash.
    pub(super) fn pop(&mut self, hash: u64) {
        let Some(entry) = self.entry_mut(self.newest).map(std::mem::take) else { return };
        let head_was = before(self.newest, entry).unwrap_or(self.first - 1);
        self.heads[head(hash)] = low(head_was);
        self.newest -= 1;
    }

    /// Removes numbers up to this one, except for some of the last.
    pub(super) fn remove_through(&mut self, number: i64) {
        while !self.chunks.is_empty() && self.first + CHUNK as i64 - 1 <= number {
            self.chunks.pop_front();
            self.first += CHUNK as i64;
        }
    }

    /// Makes an entry for a number, and removes the oldest entries if necessary.
    fn reserve(&mut self, number: i64) {
        self.remove_through(number - Self::KEPT);
        if self.chunks.is_empty() {
            self.first = number - number % CHUNK as i64;
        }
        while number - self.first >= (self.chunks.len() * CHUNK) as i64 {
            self.chunks.push_back(vec![0; CHUNK].into_boxed_slice());
        }
    }

    /// The newest number of the chain of a hash.
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
    // the remaining bits fit into a usize
    (hash >> (u64::BITS - HEAD_BITS)) as usize
}

fn tag(hash: u64) -> u32 {
    // the remaining bits fit into a u32
    (hash << HEAD_BITS >> (u64::BITS - TAG_BITS)) as u32
}

/// The previous number of the chain.
fn before(number: i64, entry: u32) -> Option<i64> {
    let back = entry & ((1 << BACK_BITS) - 1);
    (back > 0).then(|| number - i64::from(back))
}

/// The lowest 32 bits; the truncation is intended.
fn low(number: i64) -> u32 {
    number as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Spreads numbers as a hash would (2^64 divided by the golden ratio).
    fn spread(number: i64) -> u64 {
        (number as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }

    fn found(index: &IdIndex, hash: u64) -> Vec<i64> {
        index.find(hash).collect()
    }

    #[test]
    fn numbers_are_found_across_the_32_bit_boundary() {
        let mut index = IdIndex::new();
        let edge = i64::from(u32::MAX);
        for number in [edge - 1, edge, edge + 1, edge + 2] {
            index.push(7 << 40, number);
        }
        assert_eq!(found(&index, 7 << 40), [edge + 2, edge + 1, edge, edge - 1]);
        assert_eq!(found(&index, 8 << 40), [0_i64; 0]);
    }

    #[test]
    fn memory_is_bounded() {
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
        // a million lookups among a million entries each: one entry in 2^29 belongs to another hash
        assert!(wrong < 10_000, "{wrong}");
    }

    #[test]
    fn a_gap_does_not_take_memory() {
        let mut index = IdIndex::new();
        for number in [5, 100_000, i64::from(u32::MAX) * 100] {
            index.push(3, number);
            assert_eq!(found(&index, 3)[0], number);
        }
        assert_eq!(index.chunks.len(), 1);
    }

    proptest! {
        #[test]
        fn numbers_are_found_until_they_are_removed(
            start in prop_oneof![Just(0_i64), Just((1 << 32) - 40_000)],
            steps in prop::collection::vec((0..6_u64, 1..20_000_i64, 0..10_u8), 1..100),
        ) {
            let (mut index, mut model) = (IdIndex::new(), Vec::<(u64, i64)>::new());
            let mut newest = start;
            for (which, far, step) in steps {
                // some with the same head, and some with the same tag
                let hash = (which % 3) << 60 | (which / 3) << 40;
                match step {
                    // only while the newest number is one that was added
                    0 => if model.last().is_some_and(|(_, number)| *number == newest) {
                        let (hash, _) = model.pop().unwrap();
                        index.pop(hash);
                        newest -= 1;
                    },
                    1 => {
                        index.remove_through(newest - far);
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
