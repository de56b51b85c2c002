//! The messages of a room as a client sees them that follows the cursor rule, and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chat_protocol::v2::{Deleted, Joined, MessageFrame, StoredMessage, SyncFrame};
use chat_protocol::{DeletedBy, Epoch, RoomName};

use super::store::HeldHistory;

/// Who deletes messages here.
pub(super) const DELETED_BY: DeletedBy = DeletedBy::Operator;

/// What a client asks for when it joins or resyncs.
#[derive(Clone, Default)]
pub(super) struct Wanted {
    /// The requested `since` position: epoch and number.
    pub(super) since: Option<(Epoch, u64)>,
    pub(super) history: usize,
    /// The number of an event that was certainly delivered when it asked.
    pub(super) delivered: u64,
}

/// The timeline of one session. All that it is sent is compared with the stored events.
pub(super) struct Timeline {
    room: RoomName,
    /// The number of the newest event that it was sent.
    cursor: u64,
    /// It has all messages from this number on.
    first: u64,
    /// Its messages, with the numbers of the events that deleted them.
    states: BTreeMap<u64, Option<u64>>,
}

impl Timeline {
    /// A timeline that begins with a snapshot of the room.
    pub(super) fn new(joined: &Joined, wanted: &Wanted, store: &HeldHistory) -> Self {
        let (room, cursor) = (joined.room.clone(), joined.seq);
        let mut timeline = Self { room, cursor, first: joined.first, states: BTreeMap::new() };
        timeline.snapshot(joined, wanted, store);
        timeline
    }

    pub(super) fn cursor(&self) -> u64 {
        self.cursor
    }

    /// Applies the answer to a resync, which is a part of the stream.
    pub(super) fn resynced(&mut self, joined: &Joined, wanted: &Wanted, store: &HeldHistory) {
        assert_eq!(joined.seq, self.cursor, "what came before has a seq of at most that of `joined`");
        self.snapshot(joined, wanted, store);
    }

    fn snapshot(&mut self, joined: &Joined, wanted: &Wanted, store: &HeldHistory) {
        let Joined { first, last, messages, .. } = joined;
        assert_eq!((&joined.room, *last, joined.oldest), (&self.room, joined.seq, 1));
        let since = wanted.since.as_ref().filter(|(epoch, _)| *epoch == joined.epoch).map(|(_, seq)| *seq);
        // a position beyond the newest event stays unknown, although there may be newer ones by now
        let is_known = since.is_some_and(|seq| seq <= wanted.delivered);
        let may_be_known = since.is_some_and(|seq| seq <= joined.seq);
        assert!(joined.recovered || !is_known, "{since:?} of {} can be recovered", joined.seq);
        assert!(may_be_known || !joined.recovered, "{since:?} of {} cannot be recovered", joined.seq);
        assert_eq!(joined.changed.is_some(), joined.recovered);
        self.assert_range(messages, *first, *last, store);
        if let (Some(since), Some(changed)) = (since, &joined.changed) {
            assert_eq!(*first, since + 1);
            self.assert_changed(changed, *first, since, store);
            self.first = self.first.min(*first);
            changed.iter().for_each(|state| self.hold(state));
        } else {
            let all = store.messages(&self.room, 1, joined.seq).len();
            assert_eq!(messages.len(), wanted.history.min(all), "the newest ones");
            self.states.clear();
            self.first = *first;
        }
        messages.iter().for_each(|state| self.hold(state));
    }

    pub(super) fn message(&mut self, message: &MessageFrame) {
        assert_eq!(message.seq, self.cursor + 1, "each event once, in order");
        self.cursor += 1;
        self.states.insert(message.seq, None);
    }

    pub(super) fn deleted(&mut self, deleted: &Deleted, store: &HeldHistory) {
        assert_eq!((&deleted.room, deleted.seq), (&self.room, self.cursor + 1), "each event once, in order");
        let targets = store.targets(&self.room, deleted.seq);
        assert_eq!((Some(&deleted.targets), deleted.by), (targets.as_ref(), DELETED_BY));
        self.cursor += 1;
        for target in &deleted.targets {
            if let Some(held) = self.states.get_mut(target) {
                *held = (*held).max(Some(deleted.seq));
            }
        }
    }

    /// Applies a range of events, of which it returns the messages.
    pub(super) fn synced(&mut self, sync: &SyncFrame, store: &HeldHistory) -> Vec<u64> {
        assert_eq!((&sync.room, sync.first_seq), (&self.room, self.cursor + 1), "each event once, in order");
        assert!((sync.first_seq..=store.newest(&self.room)).contains(&sync.seq), "a range of stored events");
        let (Some(messages), Some(changed), true) = (&sync.messages, &sync.changed, sync.recovered) else {
            panic!("no outcome, although it fits and the store answers")
        };
        self.cursor = sync.seq;
        self.assert_range(messages, sync.first_seq, sync.seq, store);
        self.assert_changed(changed, sync.first_seq, sync.first_seq - 1, store);
        changed.iter().chain(messages).for_each(|state| self.hold(state));
        messages.iter().map(StoredMessage::seq).collect()
    }

    /// Applies a page of older messages.
    pub(super) fn page(&mut self, first: u64, last: u64, messages: &[StoredMessage], store: &HeldHistory) {
        assert!(last <= self.cursor, "messages that arrive with the live stream");
        self.assert_range(messages, first, last, store);
        if last + 1 >= self.first {
            self.first = self.first.min(first);
        }
        messages.iter().for_each(|state| self.hold(state));
    }

    /// Holds a state of a message that it has, or that is in its range, unless it has a newer one.
    fn hold(&mut self, state: &StoredMessage) {
        let changed = match state {
            StoredMessage::Text { changed_seq, .. } => *changed_seq,
            StoredMessage::Deleted { changed_seq, .. } => Some(*changed_seq),
        };
        let held = match state.seq() {
            seq if seq < self.first => return,
            seq => self.states.entry(seq).or_insert(changed),
        };
        *held = (*held).max(changed);
    }

    /// Checks that these are all messages of a range, in states that include all events so far.
    fn assert_range(&self, messages: &[StoredMessage], first: u64, last: u64, store: &HeldHistory) {
        assert!(first >= 1 && first <= last + 1 && last <= self.cursor, "{first} to {last}");
        let seqs: Vec<_> = messages.iter().map(StoredMessage::seq).collect();
        assert_eq!(seqs, store.messages(&self.room, first, last), "the messages from {first} to {last}");
        messages.iter().for_each(|state| self.assert_state(state, store));
    }

    /// Checks that these are all messages before `first` that the events after `after` have
    /// changed.
    fn assert_changed(&self, changed: &[StoredMessage], first: u64, after: u64, store: &HeldHistory) {
        let expected = store.changed(&self.room, first, after);
        let seqs: Vec<_> = changed.iter().map(StoredMessage::seq).collect();
        assert!(seqs.is_sorted_by(|one, other| one < other), "{seqs:?}, oldest first");
        // a state may be newer than the place of the list in the stream
        let required = expected.iter().filter(|(_, deleted)| *deleted <= self.cursor).map(|(seq, _)| *seq);
        let (allowed, seqs): (BTreeSet<_>, BTreeSet<_>) =
            (expected.iter().map(|(seq, _)| *seq).collect(), seqs.into_iter().collect());
        let required: BTreeSet<_> = required.collect();
        assert!(
            required.is_subset(&seqs) && seqs.is_subset(&allowed),
            "{seqs:?} changed after {after}, not {required:?} to {allowed:?}"
        );
        changed.iter().for_each(|state| self.assert_state(state, store));
    }

    fn assert_state(&self, state: &StoredMessage, store: &HeldHistory) {
        let stored = store.message(&self.room, state.seq());
        match state {
            StoredMessage::Text { seq, id, from, user, body, changed_seq, .. } => {
                let expected = &stored.message;
                let fields = (&expected.id, &expected.from, &expected.user, &expected.body);
                assert_eq!((id, from, user, body), fields);
                assert_eq!(*changed_seq, None, "nothing edits messages");
                let is_old = stored.deleted_at.is_some_and(|deleted| deleted <= self.cursor);
                assert!(!is_old, "the text of {seq} comes back after {:?}", stored.deleted_at);
            }
            StoredMessage::Deleted { by, changed_seq, .. } => {
                assert_eq!((*by, Some(*changed_seq)), (DELETED_BY, stored.deleted_at));
            }
        }
    }

    /// Checks that it has exactly the stored messages in their states.
    pub(super) fn assert_complete(&self, store: &HeldHistory) {
        assert_eq!(self.cursor, store.newest(&self.room), "it has received everything");
        let expected = store.messages(&self.room, self.first, self.cursor);
        let expected: BTreeMap<_, _> =
            expected.into_iter().map(|seq| (seq, store.message(&self.room, seq).deleted_at)).collect();
        assert_eq!(self.states, expected, "the messages from {} on", self.first);
    }
}

/// The messages that a session with lists of members receives: each one once, and no deletions.
#[derive(Default)]
pub(super) struct MessageStream {
    /// The number of the last message. Before the first one: of an event that was delivered before
    /// the session joined.
    newest: u64,
    /// The number of the newest stored event when the session joined. It may be one of those that
    /// are delivered afterwards.
    start: u64,
}

impl MessageStream {
    pub(super) fn new(delivered: u64, stored: u64) -> Self {
        Self { newest: delivered, start: stored }
    }

    pub(super) fn message(&mut self, room: &RoomName, seq: u64, store: &HeldHistory) {
        assert!(seq > self.newest, "{seq} after {}", self.newest);
        self.assert_no_message(room, seq - 1, store);
        (self.newest, self.start) = (seq, 0);
    }

    /// Checks that there are no messages after the last one that it has, up to this number.
    pub(super) fn assert_no_message(&self, room: &RoomName, last: u64, store: &HeldHistory) {
        let missing = store.messages(room, self.newest.max(self.start) + 1, last);
        assert_eq!(missing, Vec::<u64>::new(), "messages that were not delivered");
    }
}

/// The fields of a message that a client is sent.
pub(super) fn assert_message(message: &MessageFrame, store: &HeldHistory) {
    let expected = store.message(&message.room, message.seq).message;
    let body: &Arc<str> = &message.body;
    let received = (&message.id, &message.user, &message.from, body);
    assert_eq!(received, (&expected.id, &expected.user, &expected.from, &expected.body));
}
