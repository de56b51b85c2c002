//! A model of a store: whatever is done to a store, the results are those of plain lists.

use std::iter;

use super::History;
use super::helpers::{all_after, all_before, append, body, idempotent_message, message, prune, room};
use crate::{AppendError, Retention};

/// The rooms that operations are about.
pub const ROOMS: [&str; 3] = ["a", "b", "c"];

/// An operation on a store.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Operation {
    /// Append a message with a generated id.
    Append {
        /// The index of the room in [`ROOMS`].
        room: usize,
        /// The author.
        user: u8,
        /// The text.
        body: u8,
    },
    /// Append a message with an id that its author has chosen.
    AppendIdempotent {
        /// The index of the room in [`ROOMS`].
        room: usize,
        /// The author.
        user: u8,
        /// The text.
        body: u8,
        /// The id.
        id: u8,
    },
    /// Prune all but this number of the newest messages of each room.
    Prune {
        /// The number of messages to keep.
        count: u64,
    },
}

impl Operation {
    /// The `n`th operation of a sequence that looks random and is the same in each run (the
    /// finaliser of SplitMix64).
    pub(super) fn pseudorandom(n: u64) -> Self {
        let n = (n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let mut bits = iter::successors(Some(n ^ (n >> 31)), |bits| Some(bits >> 8)).map(|bits| bits as u8);
        let mut below = |bound: u8| bits.next().unwrap_or_default() % bound;
        let (kind, room, user, body, id) = (below(16), usize::from(below(3)), below(2), below(2), below(4));
        match kind {
            0..4 => Self::Append { room, user, body },
            4..15 => Self::AppendIdempotent { room, user, body, id },
            _ => Self::Prune { count: u64::from(below(6)) },
        }
    }
}

/// Whether a store recognises the id of a pruned message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrunedIds {
    /// Never: the id goes with its message.
    Forgotten,
    /// Always.
    Recognised,
    /// Either, which is what the trait promises.
    Either,
}

/// The expected content of a room.
#[derive(Debug, Default)]
struct Room {
    /// The text of each message, and its author and id if it is idempotent.
    messages: Vec<(String, Option<(u8, u8)>)>,
    /// How many of the oldest messages were pruned.
    pruned: usize,
}

impl Room {
    /// The newest message with an id. There are several only if the id of a pruned one was
    /// forgotten.
    fn newest_with(&self, key: (u8, u8), with_pruned: bool) -> Option<usize> {
        let from = if with_pruned { 0 } else { self.pruned };
        (from..self.messages.len()).rev().find(|i| self.messages[*i].1 == Some(key))
    }
}

/// Performs operations on a store, compares each result with the model, and at the end all
/// messages, read in both directions in pages of `limit` messages.
///
/// # Panics
/// If a result differs.
pub async fn compare(history: History, operations: Vec<Operation>, limit: usize, pruned_ids: PrunedIds) {
    let store = &*history.store;
    let mut rooms: [Room; ROOMS.len()] = Default::default();
    for operation in operations {
        match operation {
            Operation::Append { room: i, user, body } => {
                let text = format!("{body}");
                let new = message(ROOMS[i], &format!("u{user}"), &text);
                let appended = append(store, new).await.unwrap();
                rooms[i].messages.push((text, None));
                assert_eq!(
                    (appended.message.seq, appended.duplicate),
                    (rooms[i].messages.len() as u64, false)
                );
            }
            Operation::AppendIdempotent { room: i, user, body, id } => {
                let text = format!("{body}");
                let new = idempotent_message(ROOMS[i], &format!("u{user}"), &text, &format!("i{id}"));
                let result =
                    append(store, new).await.map(|appended| (appended.message.seq, appended.duplicate));
                let room = &mut rooms[i];
                let recognises_pruned = match pruned_ids {
                    PrunedIds::Forgotten => false,
                    PrunedIds::Recognised => true,
                    PrunedIds::Either => matches!(result, Ok((_, true)) | Err(AppendError::IdReused)),
                };
                let expected = match room.newest_with((user, id), recognises_pruned) {
                    Some(first) if room.messages[first].0 != text => Err(AppendError::IdReused),
                    Some(first) => Ok((first as u64 + 1, true)),
                    None => {
                        room.messages.push((text, Some((user, id))));
                        Ok((room.messages.len() as u64, false))
                    }
                };
                assert_eq!(result, expected);
            }
            Operation::Prune { count } => {
                prune(store, Retention::new(None, Some(count))).await;
                for room in &mut rooms {
                    room.pruned = room.pruned.max(room.messages.len().saturating_sub(count as usize));
                }
            }
        }
    }
    for (name, expected) in ROOMS.into_iter().zip(rooms) {
        assert_eq!(store.newest(room(name)).await.unwrap(), expected.messages.len() as u64);
        let kept: Vec<_> = (expected.pruned..expected.messages.len())
            .map(|i| (i as u64 + 1, expected.messages[i].0.as_str()))
            .collect();
        let forwards = all_after(store, name, limit).await;
        let backwards = all_before(store, name, limit).await;
        assert_eq!(forwards, backwards);
        let found: Vec<_> =
            forwards.iter().map(|message| (message.seq, body(message).unwrap_or_default())).collect();
        assert_eq!(found, kept);
    }
}
