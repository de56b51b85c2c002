//! The newest events of a room, in memory.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use chat_history::StoredEvent;
use chat_protocol::{Deletion, Message, OwnReactions, ReactionChange, UserId};

use crate::room::retention::RetentionCutoff;

/// The limits of one tail. It has to cover the events that are delivered while a page is read from
/// the store, so that a member that catches up finds the rest here.
const MAX_EVENTS: usize = 256;
const MAX_BYTES: usize = 128 << 10;

/// The limit on the tails of all rooms together, in bytes: clients determine how many rooms have
/// messages. Above it a room keeps little, and above twice the limit nothing. Messages that are not
/// here are read from the store.
const MAX_TOTAL_BYTES: usize = 256 << 20;
const REDUCED_BYTES: usize = 8 << 10;

/// Counts the tails of all rooms.
#[derive(Debug, Default)]
pub(crate) struct Tails {
    bytes: AtomicUsize,
}

impl Tails {
    /// The number of bytes that one room may keep.
    fn share(&self) -> usize {
        match self.bytes.load(Ordering::Relaxed) {
            0..=MAX_TOTAL_BYTES => MAX_BYTES,
            bytes if bytes <= 2 * MAX_TOTAL_BYTES => REDUCED_BYTES,
            _ => 0,
        }
    }
}

/// The events that were delivered last, without a gap, up to the newest one.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    events: VecDeque<Recent>,
    /// How many of them are messages.
    messages: usize,
    bytes: usize,
    /// The tails of all rooms.
    tails: Arc<Tails>,
    /// The number of the newest event that was delivered; 0 if there was none.
    newest: u64,
}

/// An event, with the states of the messages that it concerns.
#[derive(Debug)]
enum Recent {
    /// A message was posted. This is its state now.
    Message(Arc<Message>),
    /// A message was edited: its state after that.
    Edit(Arc<Message>),
    /// Messages were deleted.
    Deletion(Arc<Deletion>),
    /// A user has put an emoji on a message, or removed it: the message's state after that, and
    /// what has changed.
    Reaction(Arc<Message>, Box<ReactionChange>),
    /// The settings of the room were changed.
    RoomChange,
}

impl Recent {
    fn message(&self) -> Option<&Arc<Message>> {
        match self {
            Self::Message(message) => Some(message),
            Self::Edit(_) | Self::Deletion(_) | Self::Reaction(..) | Self::RoomChange => None,
        }
    }

    /// The size in memory.
    fn size(&self) -> usize {
        match self {
            Self::Message(message) | Self::Edit(message) => message.size(),
            Self::Deletion(deletion) => deletion.messages.iter().map(|message| message.size()).sum(),
            Self::Reaction(message, change) => message.size() + size_of_val(&**change),
            Self::RoomChange => size_of::<Self>(),
        }
    }
}

impl Tail {
    /// Creates an empty tail after the event with this number.
    pub(crate) fn after(newest: u64) -> Self {
        Self { events: VecDeque::new(), messages: 0, bytes: 0, tails: Arc::default(), newest }
    }

    /// Counts the tail together with those of the other rooms.
    pub(crate) fn counted_in(self, tails: &Arc<Tails>) -> Self {
        debug_assert!(self.events.is_empty(), "nothing is counted yet");
        let (tails, newest) = (Arc::clone(tails), self.newest);
        Self { events: VecDeque::new(), messages: 0, bytes: 0, tails, newest }
    }

    fn add(&mut self, bytes: usize) {
        self.bytes += bytes;
        self.tails.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    fn subtract(&mut self, bytes: usize) {
        self.bytes -= bytes;
        self.tails.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    fn drop_oldest(&mut self) {
        if let Some(oldest) = self.events.pop_front() {
            self.messages -= usize::from(oldest.message().is_some());
            self.subtract(oldest.size());
        }
    }

    /// The number of the newest event that was delivered.
    pub(crate) fn newest(&self) -> u64 {
        self.newest
    }

    /// The number of the oldest event in the tail; if it is empty, one more than the newest.
    pub(crate) fn first(&self) -> u64 {
        self.newest + 1 - self.events.len() as u64
    }

    /// Whether all events from this number on are in the tail.
    pub(crate) fn covers(&self, seq: u64) -> bool {
        seq >= self.first()
    }

    /// Adds the event that is being delivered. It has the next number.
    pub(crate) fn push(&mut self, event: StoredEvent) {
        if event.seq() != self.newest + 1 {
            // the caller fills gaps first; a tail must not have any
            self.skip_to(event.seq() - 1);
        }
        let recent = match event {
            StoredEvent::Message(message) => Recent::Message(message),
            StoredEvent::Edit(edit) => {
                self.replace(std::slice::from_ref(&edit.message));
                Recent::Edit(Arc::clone(&edit.message))
            }
            StoredEvent::Deletion(deletion) => {
                self.replace(&deletion.messages);
                Recent::Deletion(deletion)
            }
            StoredEvent::Reaction(reaction) => {
                self.replace(std::slice::from_ref(&reaction.message));
                Recent::Reaction(Arc::clone(&reaction.message), Box::new(reaction.change.clone()))
            }
            StoredEvent::RoomChange(..) => Recent::RoomChange,
            // a kind of event that this version does not know, and cannot send
            _ => return self.skip_to(event.seq()),
        };
        self.newest += 1;
        self.messages += usize::from(recent.message().is_some());
        self.add(recent.size());
        self.events.push_back(recent);
        let share = self.tails.share();
        // one event is kept, however large it is, unless the limit on all tails is exceeded
        let min_events = usize::from(share == MAX_BYTES);
        while self.events.len() > MAX_EVENTS || (self.bytes > share && self.events.len() > min_events) {
            self.drop_oldest();
        }
    }

    /// Continues after the event with this number. The events before it are not in the tail.
    pub(crate) fn skip_to(&mut self, newest: u64) {
        self.events.clear();
        self.messages = 0;
        self.subtract(self.bytes);
        self.newest = newest;
    }

    /// Replaces the states of messages by newer ones, which are in order, wherever they are in the
    /// tail: an old text does not stay.
    fn replace(&mut self, states: &[Arc<Message>]) {
        let newer =
            |seq: u64| states.binary_search_by_key(&seq, |state| state.seq).map(|index| &states[index]);
        let (mut before, mut after) = (0, 0);
        for event in &mut self.events {
            if let Recent::Message(message) | Recent::Edit(message) | Recent::Reaction(message, _) = event
                && let Ok(state) = newer(message.seq)
            {
                before += message.size();
                after += state.size();
                *message = Arc::clone(state);
            }
        }
        self.subtract(before);
        self.add(after);
    }

    /// Removes expired messages, which are the oldest ones, with the events before them.
    pub(crate) fn retain(&mut self, cutoff: RetentionCutoff) {
        while self.messages().next().is_some_and(|oldest| !cutoff.keeps(oldest, self.messages)) {
            while self.events.front().is_some_and(|event| event.message().is_none()) {
                self.drop_oldest();
            }
            self.drop_oldest();
        }
        if self.events.is_empty() {
            self.events = VecDeque::new();
        }
    }

    /// The messages in the tail, oldest first.
    pub(crate) fn messages(&self) -> impl DoubleEndedIterator<Item = &Arc<Message>> {
        self.events.iter().filter_map(Recent::message)
    }

    /// The number of messages in the tail.
    pub(crate) fn message_count(&self) -> usize {
        self.messages
    }

    /// The messages that were posted by the events from this number on, oldest first. The tail has
    /// to [cover](Self::covers) them.
    pub(crate) fn messages_from(&self, seq: u64) -> impl DoubleEndedIterator<Item = &Arc<Message>> {
        self.events_from(seq).filter_map(Recent::message)
    }

    /// The messages that were changed by the events from this number on, by number, as they are
    /// now. The tail has to [cover](Self::covers) them.
    pub(crate) fn changed_from(&self, seq: u64) -> BTreeMap<u64, &Arc<Message>> {
        let states = self.events_from(seq).flat_map(|event| match event {
            Recent::Message(_) | Recent::RoomChange => &[],
            Recent::Edit(message) | Recent::Reaction(message, _) => std::slice::from_ref(message),
            Recent::Deletion(deletion) => &*deletion.messages,
        });
        // the last one of a message is the newest
        states.map(|message| (message.seq, message)).collect()
    }

    /// Applies the reactions of a user, with these ids, by the events from this number on. The tail
    /// has to [cover](Self::covers) them.
    pub(crate) fn apply_reactions(&self, seq: u64, users: &[UserId], own: &mut OwnReactions) {
        for event in self.events_from(seq) {
            let Recent::Reaction(message, change) = event else { continue };
            let has_user = |reactor: &chat_protocol::Reactor| users.contains(&reactor.user);
            let (is_added, is_removed) =
                (change.added.iter().any(has_user), change.removed.iter().any(has_user));
            if is_added || is_removed {
                let emoji = own.entry(message.seq).or_default();
                emoji.retain(|known| *known != change.emoji);
                emoji.extend(is_added.then(|| change.emoji.clone()));
            }
        }
    }

    fn events_from(&self, seq: u64) -> impl DoubleEndedIterator<Item = &Recent> {
        let skip = usize::try_from(seq.saturating_sub(self.first())).unwrap_or(usize::MAX);
        self.events.iter().skip(skip)
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        self.subtract(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use chat_history::Retention;
    use chat_protocol::{Content, DeletedBy, Edit, RoomName, Text, Timestamp, UserId};

    use super::*;

    fn room() -> RoomName {
        RoomName::parse("r").unwrap()
    }

    fn message(seq: u64, body: &str) -> Arc<Message> {
        let (id, from) = ("id".parse().unwrap(), "ana".parse().unwrap());
        let text = Text::new(id, UserId::unknown(), from, body);
        Arc::new(Message::new(room(), seq, Timestamp::from_millis(seq as i64), Content::Text(text)))
    }

    fn posted(seq: u64) -> StoredEvent {
        StoredEvent::Message(message(seq, ""))
    }

    fn deletion(seq: u64, targets: &[u64]) -> StoredEvent {
        let deleted = |target: &u64| Arc::new(message(*target, "").deleted(DeletedBy::Operator, seq));
        let messages = targets.iter().map(deleted).collect();
        StoredEvent::Deletion(Arc::new(Deletion::new(room(), seq, DeletedBy::Operator, messages)))
    }

    fn seqs(tail: &Tail, from: u64) -> Option<Vec<u64>> {
        tail.covers(from).then(|| tail.messages_from(from).map(|message| message.seq).collect())
    }

    #[test]
    fn returns_messages_only_if_it_has_all_events() {
        let mut tail = Tail::after(7);
        assert_eq!((tail.newest(), tail.first()), (7, 8));
        assert_eq!(seqs(&tail, 8), Some(vec![]));
        assert_eq!(seqs(&tail, 7), None);
        (8..12).for_each(|seq| tail.push(posted(seq)));
        tail.push(deletion(12, &[3]));
        tail.push(posted(13));
        assert_eq!(seqs(&tail, 10), Some(vec![10, 11, 13]));
        assert_eq!(seqs(&tail, 8), Some(vec![8, 9, 10, 11, 13]));
        assert_eq!(seqs(&tail, 12), Some(vec![13]));
        assert_eq!(seqs(&tail, 14), Some(vec![]));
        assert_eq!(seqs(&tail, 7), None);
        tail.skip_to(20);
        assert_eq!((seqs(&tail, 20), seqs(&tail, 21), tail.bytes), (None, Some(vec![]), 0));
    }

    #[test]
    fn a_deletion_changes_the_messages_before_it() {
        let mut tail = Tail::default();
        (1..4).for_each(|seq| tail.push(StoredEvent::Message(message(seq, &"x".repeat(1_000)))));
        let before = tail.bytes;
        tail.push(deletion(4, &[2]));
        let states: Vec<_> = tail.messages().map(|message| message.changed_seq).collect();
        assert_eq!(states, [None, Some(4), None]);
        assert_eq!(tail.bytes, before - 1_000 + message(2, "").size(), "and the event has the state, too");
        assert_eq!(seqs(&tail, 1), Some(vec![1, 2, 3]));
        // some of the messages are older than the tail
        let mut tail = Tail::after(9);
        (10..13).for_each(|seq| tail.push(posted(seq)));
        tail.push(deletion(13, &[1, 9, 11]));
        tail.push(posted(14));
        tail.push(deletion(15, &[14]));
        let changed = |from| tail.changed_from(from).into_keys().collect::<Vec<_>>();
        assert_eq!(changed(10), [1, 9, 11, 14]);
        assert_eq!((changed(14), changed(16)), (vec![14], vec![]));
        assert!(tail.changed_from(10).values().all(|message| message.text().is_none()));
    }

    #[test]
    fn an_edit_changes_every_state_of_its_message() {
        let edited = |seq, body: &str| {
            let state =
                message(1, "first").edited(body.into(), None, Timestamp::from_millis(9), seq).unwrap();
            StoredEvent::Edit(Arc::new(Edit::new(seq, Arc::new(state))))
        };
        let mut tail = Tail::default();
        tail.push(StoredEvent::Message(message(1, "first")));
        tail.push(posted(2));
        tail.push(edited(3, "second"));
        tail.push(edited(4, "third"));
        let bodies = |tail: &Tail| {
            let states = tail.events.iter().flat_map(|event| match event {
                Recent::Message(message) | Recent::Edit(message) | Recent::Reaction(message, _) => {
                    vec![Arc::clone(message)]
                }
                Recent::Deletion(deletion) => deletion.messages.clone(),
                Recent::RoomChange => Vec::new(),
            });
            let of_first = states.filter(|state| state.seq == 1);
            of_first.map(|state| state.text().map(|text| text.body.to_string())).collect::<Vec<_>>()
        };
        assert_eq!(bodies(&tail), vec![Some("third".to_owned()); 3]);
        assert_eq!(tail.changed_from(4).into_keys().collect::<Vec<_>>(), [1]);
        tail.push(deletion(5, &[1]));
        assert_eq!(bodies(&tail), vec![None; 4], "no text of a deleted message stays");
        assert_eq!(tail.bytes, tail.events.iter().map(Recent::size).sum::<usize>());
        assert_eq!(seqs(&tail, 1), Some(vec![1, 2]));
    }

    #[test]
    fn retention_counts_messages() {
        let retain = |tail: &mut Tail, retention| {
            tail.retain(RetentionCutoff::new(retention, Timestamp::from_millis(100)));
            (tail.first(), seqs(tail, tail.first()).unwrap())
        };
        let mut tail = Tail::default();
        (1..=4).for_each(|seq| tail.push(posted(seq)));
        tail.push(deletion(5, &[2]));
        tail.push(deletion(6, &[3]));
        (7..=8).for_each(|seq| tail.push(posted(seq)));
        let count = |count| Retention::new(None, Some(count));
        assert_eq!(retain(&mut tail, count(6)), (1, vec![1, 2, 3, 4, 7, 8]));
        assert_eq!(retain(&mut tail, count(3)), (4, vec![4, 7, 8]));
        let age = Retention::new(Some(std::time::Duration::from_millis(93)), None);
        assert_eq!(retain(&mut tail, age), (5, vec![7, 8]));
        assert_eq!(retain(&mut tail, count(1)), (8, vec![8]));
        assert_eq!(retain(&mut tail, count(0)), (9, vec![]));
        assert_eq!((tail.bytes, tail.newest()), (0, 8));
    }

    #[test]
    fn all_tails_together_are_bounded_and_dropped_ones_do_not_count() {
        let body = "x".repeat(100_000);
        let text_message = |seq| StoredEvent::Message(message(seq, &body));
        let tails = Arc::new(Tails::default());
        let mut rooms: Vec<_> = (0..10_000).map(|_| Tail::default().counted_in(&tails)).collect();
        rooms.iter_mut().for_each(|tail| (1..3).for_each(|seq| tail.push(text_message(seq))));
        let bytes = |tails: &Tails| tails.bytes.load(Ordering::Relaxed);
        assert_eq!(bytes(&tails), rooms.iter().map(|tail| tail.bytes).sum::<usize>());
        assert!(bytes(&tails) <= MAX_TOTAL_BYTES + MAX_BYTES, "{}", bytes(&tails));
        let last = rooms.last_mut().unwrap();
        assert_eq!(
            (last.newest(), last.first(), seqs(last, 3)),
            (2, 3, Some(vec![])),
            "an empty tail still counts"
        );
        (3..100).for_each(|seq| last.push(posted(seq)));
        assert!(last.events.len() > 10, "small messages are still kept");
        rooms.clear();
        assert_eq!(bytes(&tails), 0);
    }

    #[test]
    fn a_tail_is_bounded() {
        let mut tail = Tail::default();
        (1..10_000).for_each(|seq| tail.push(posted(seq)));
        assert_eq!(tail.newest(), 9_999);
        assert_eq!((tail.events.len(), tail.message_count()), (MAX_EVENTS, MAX_EVENTS));
        assert_eq!(tail.first(), 10_000 - MAX_EVENTS as u64);
        // deletions count, too
        let targets: Vec<_> = (1..400).collect();
        (10_000..10_010).for_each(|seq| tail.push(deletion(seq, &targets)));
        assert!(tail.bytes <= MAX_BYTES, "{}", tail.bytes);
    }
}
