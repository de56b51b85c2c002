//! Where the rows of ids are, in little memory.

/// How many buckets there are, as a power of two: with a million entries in them, some 240 are looked through for one.
const BUCKET_BITS: u32 = 12;

/// Rows by the hashes of their ids. Eight bytes an entry, and an eighth of that for growth: a hash map of the same takes four times as
/// much, and doubles when it is full.
///
/// Of a hash 44 bits are kept, and of a row's number 32: rows are told apart as long as they are among the newest 2^32.
pub(super) struct IdIndex {
    /// Chosen by the highest bits of the hash. An entry has the next 32 bits of it above the lowest 32 of the number.
    buckets: Box<[Vec<u64>]>,
    /// The highest number so far.
    newest: i64,
}

impl IdIndex {
    pub(super) fn new() -> Self {
        Self { buckets: vec![Vec::new(); 1 << BUCKET_BITS].into_boxed_slice(), newest: 0 }
    }

    /// The numbers under a hash, and seldom one that stands under another.
    pub(super) fn find(&self, hash: u64) -> impl Iterator<Item = i64> {
        let tag = tag(hash);
        let newest = self.newest;
        let entries = self.buckets[bucket(hash)].iter().filter(move |entry| *entry >> 32 == tag);
        entries.map(move |entry| newest - i64::from(low(newest).wrapping_sub(low_of_entry(*entry))))
    }

    /// Notes the number, from 0 on, of a row under the hash of its id.
    pub(super) fn insert(&mut self, hash: u64, number: i64) {
        self.newest = self.newest.max(number);
        let entries = &mut self.buckets[bucket(hash)];
        // what a failed transaction noted may still stand here
        if entries.contains(&entry(hash, number)) {
            return;
        }
        if entries.len() == entries.capacity() {
            entries.reserve_exact(entries.len() / 8 + 4);
        }
        entries.push(entry(hash, number));
    }

    /// Forgets it, if it is there.
    pub(super) fn remove(&mut self, hash: u64, number: i64) {
        let entries = &mut self.buckets[bucket(hash)];
        if let Some(at) = entries.iter().position(|found| *found == entry(hash, number)) {
            entries.swap_remove(at);
        }
    }
}

fn bucket(hash: u64) -> usize {
    // so few bits fit
    (hash >> (u64::BITS - BUCKET_BITS)) as usize
}

fn tag(hash: u64) -> u64 {
    hash << BUCKET_BITS >> 32
}

fn entry(hash: u64, number: i64) -> u64 {
    tag(hash) << 32 | u64::from(low(number))
}

/// The lowest 32 bits: it is meant to cut.
fn low(number: i64) -> u32 {
    number as u32
}

fn low_of_entry(entry: u64) -> u32 {
    entry as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    fn found(index: &IdIndex, hash: u64) -> HashSet<i64> {
        index.find(hash).collect()
    }

    #[test]
    fn numbers_are_found_across_the_edge_of_32_bits() {
        let mut index = IdIndex::new();
        let edge = i64::from(u32::MAX);
        for number in [edge - 1, edge, edge + 1, edge + 2] {
            index.insert(7 << 30, number);
        }
        assert_eq!(found(&index, 7 << 30), HashSet::from([edge - 1, edge, edge + 1, edge + 2]));
        index.remove(7 << 30, edge + 1);
        assert_eq!(found(&index, 7 << 30), HashSet::from([edge - 1, edge, edge + 2]));
        assert_eq!(found(&index, 8 << 30), HashSet::new());
    }

    #[test]
    fn a_million_take_little() {
        let mut index = IdIndex::new();
        for number in 0..1_000_000 {
            // spread as a hash would (2^64 divided by the golden ratio)
            index.insert((number as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15), number);
        }
        let bytes: usize = index.buckets.iter().map(|entries| entries.capacity() * 8).sum();
        assert!(bytes < 10_000_000, "{bytes}");
    }

    proptest! {
        #[test]
        fn what_was_noted_is_found_until_it_is_forgotten(
            steps in prop::collection::vec((0..6_u64, 0..20_i64, any::<bool>()), 0..100),
        ) {
            let (mut index, mut model) = (IdIndex::new(), HashSet::new());
            for (which, number, comes) in steps {
                // some in one bucket, and some in others
                let hash = (which % 3) << 60 | (which / 3) << 25;
                if comes && model.insert((hash, number)) {
                    index.insert(hash, number);
                } else if !comes {
                    index.remove(hash, number);
                    model.remove(&(hash, number));
                }
                let expected = model.iter().filter(|(known, _)| *known == hash).map(|(_, number)| *number);
                prop_assert_eq!(found(&index, hash), expected.collect());
            }
        }
    }
}
