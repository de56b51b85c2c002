//! Who is in a room on other nodes: what they publish, and what the presence store has.
//!
//! Ids of records are never used twice. So a record that has left is gone for good, and one that a
//! node has published is gone if a later read of the store does not have it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chat_protocol::{Member, MemberId};

use crate::room::publisher::RecordChanges;
use crate::room::{PIECE, Room};
use crate::sync::Instant;

/// The records of other nodes.
#[derive(Debug, Default)]
pub(crate) struct Elsewhere {
    /// When the node heard of each record.
    known: HashMap<MemberId, Instant>,
    /// The records that have left, and may still be in the store.
    gone: HashMap<MemberId, Instant>,
}

impl Elsewhere {
    /// What the node did not know of what another one has published.
    fn hear(&mut self, RecordChanges { mut joined, mut left }: RecordChanges, now: Instant) -> RecordChanges {
        joined.retain(|record| !self.gone.contains_key(&record.id) && !self.known.contains_key(&record.id));
        self.known.extend(joined.iter().map(|record| (record.id, now)));
        self.gone.extend(left.iter().map(|id| (*id, now)));
        left.retain(|id| self.known.remove(id).is_some());
        RecordChanges { joined, left }
    }

    /// What has changed by these records of the store, whose read began at this time.
    fn compare(&mut self, mut stored: Vec<Arc<Member>>, began: Instant) -> RecordChanges {
        let ids: HashSet<_> = stored.iter().map(|record| record.id).collect();
        let is_over = |id: &MemberId, heard: &Instant| *heard < began && !ids.contains(id);
        self.gone.retain(|id, heard| !is_over(id, heard));
        let left: Vec<_> = self.known.extract_if(|id, heard| is_over(id, heard)).map(|(id, _)| id).collect();
        stored.retain(|record| !self.gone.contains_key(&record.id) && !self.known.contains_key(&record.id));
        self.known.extend(stored.iter().map(|record| (record.id, began)));
        RecordChanges { joined: stored, left }
    }
}

impl Room {
    /// Another node has published who has joined or left there.
    pub(crate) fn hear_presence(&self, changes: RecordChanges) {
        let mut elsewhere = self.elsewhere.lock();
        let elsewhere = elsewhere.get_or_insert_default();
        let changes = elsewhere.hear(changes, Instant::now());
        self.apply_presence(elsewhere, changes);
    }

    /// The store has these records of other nodes, by a read that began at this time.
    pub(crate) fn compare_presence(&self, stored: Vec<Arc<Member>>, began: Instant) {
        let mut elsewhere = self.elsewhere.lock();
        let elsewhere = elsewhere.get_or_insert_default();
        let changes = elsewhere.compare(stored, began);
        self.apply_presence(elsewhere, changes);
    }

    /// Shows the changes to the members of this node, those who left first: their names are free
    /// then.
    fn apply_presence(&self, elsewhere: &mut Elsewhere, RecordChanges { joined, left }: RecordChanges) {
        for piece in left.chunks(PIECE) {
            self.change(|core, effects| piece.iter().for_each(|id| core.state.left_elsewhere(*id, effects)));
        }
        for piece in joined.chunks(PIECE) {
            self.change(|core, effects| {
                for record in piece {
                    if !core.entered_elsewhere(record, effects) {
                        // the next comparison decides
                        elsewhere.known.remove(&record.id);
                    }
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chat_protocol::{ChannelName, Timestamp};

    use super::*;

    fn record(id: i64) -> Arc<Member> {
        Arc::new(Member {
            id: MemberId::new(id),
            room: "r".parse().unwrap(),
            user: "u".parse().unwrap(),
            username: "ana".parse().unwrap(),
            channel: ChannelName::new(1),
            joined_at: Timestamp::from_millis(0),
        })
    }

    fn changes(joined: &[i64], left: &[i64]) -> RecordChanges {
        let joined = joined.iter().map(|id| record(*id)).collect();
        RecordChanges { joined, left: left.iter().copied().map(MemberId::new).collect() }
    }

    fn ids(changes: &RecordChanges) -> (Vec<i64>, Vec<i64>) {
        let joined = changes.joined.iter().map(|record| record.id.get()).collect();
        (joined, changes.left.iter().map(|id| id.get()).collect())
    }

    #[test]
    fn what_is_published_is_known_once_and_in_any_order() {
        let (mut elsewhere, now) = (Elsewhere::default(), Instant::now());
        assert_eq!(ids(&elsewhere.hear(changes(&[1, 2], &[]), now)), (vec![1, 2], vec![]));
        assert_eq!(ids(&elsewhere.hear(changes(&[2, 3], &[1]), now)), (vec![3], vec![1]));
        // the leave of 4 has overtaken its join
        assert_eq!(ids(&elsewhere.hear(changes(&[], &[4, 1]), now)), (vec![], vec![]));
        assert_eq!(ids(&elsewhere.hear(changes(&[4, 1], &[]), now)), (vec![], vec![]));
    }

    #[test]
    fn a_read_repairs_what_was_lost_and_undoes_nothing_newer() {
        let (mut elsewhere, begin) = (Elsewhere::default(), Instant::now());
        let at = |second| begin + Duration::from_secs(second);
        let stored = |ids: &[i64]| ids.iter().map(|id| record(*id)).collect::<Vec<_>>();
        assert_eq!(ids(&elsewhere.compare(stored(&[1, 2]), at(0))), (vec![1, 2], vec![]));
        elsewhere.hear(changes(&[3], &[1]), at(2));
        // a read that began before: 1 was still there, and 3 not yet
        assert_eq!(ids(&elsewhere.compare(stored(&[1, 2]), at(1))), (vec![], vec![]));
        // 1 is still not removed, and the news of 2 and 5 was lost
        assert_eq!(ids(&elsewhere.compare(stored(&[1, 3, 5]), at(3))), (vec![5], vec![2]));
        assert_eq!(ids(&elsewhere.compare(stored(&[3, 5]), at(4))), (vec![], vec![]));
        assert!(elsewhere.gone.is_empty(), "ids that are gone are not kept forever: {elsewhere:?}");
    }
}
