//! The newest messages of a room, in memory.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use chat_protocol::{Content, Message};

use crate::room::retention::RetentionCutoff;

/// The limits of one tail. It has to cover the messages that are delivered while a page is read
/// from the store, so that a member that catches up finds the rest here.
const MAX_MESSAGES: usize = 256;
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

/// The messages that were delivered last, without a gap, up to the newest one.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    messages: VecDeque<Arc<Message>>,
    bytes: usize,
    /// The tails of all rooms.
    tails: Arc<Tails>,
    /// The number of the newest message that was delivered; 0 if there was none.
    newest: u64,
}

impl Tail {
    /// Creates an empty tail after the message with this number.
    pub(crate) fn after(newest: u64) -> Self {
        Self { messages: VecDeque::new(), bytes: 0, tails: Arc::default(), newest }
    }

    /// Counts the tail together with those of the other rooms.
    pub(crate) fn counted_in(self, tails: &Arc<Tails>) -> Self {
        debug_assert!(self.messages.is_empty(), "nothing is counted yet");
        Self { messages: VecDeque::new(), bytes: 0, tails: Arc::clone(tails), newest: self.newest }
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
        if let Some(oldest) = self.messages.pop_front() {
            self.subtract(oldest.size());
        }
    }

    /// The number of the newest message that was delivered.
    pub(crate) fn newest(&self) -> u64 {
        self.newest
    }

    /// Adds the message that is being delivered.
    pub(crate) fn push(&mut self, message: Arc<Message>) {
        if message.seq != self.newest + 1 {
            // does not happen with a store that keeps its promise; a tail must not have gaps
            self.messages.clear();
            self.subtract(self.bytes);
        }
        self.newest = message.seq;
        self.add(message.size());
        self.messages.push_back(message);
        let share = self.tails.share();
        // one message is kept, however long it is, unless the limit on all tails is exceeded
        let min_messages = usize::from(share == MAX_BYTES);
        while self.messages.len() > MAX_MESSAGES || (self.bytes > share && self.messages.len() > min_messages)
        {
            self.drop_oldest();
        }
    }

    /// Removes the text of a message that was erased in the store. The message keeps its position.
    pub(crate) fn erase(&mut self, seq: u64) {
        let index = seq.checked_sub(self.oldest()).and_then(|index| usize::try_from(index).ok());
        let Some(message) = index.and_then(|index| self.messages.get_mut(index)) else { return };
        let Message { room, seq, sent_at, .. } = &**message;
        let erased = Message::new(room.clone(), *seq, *sent_at, Content::Erased);
        let (before, after) = (message.size(), erased.size());
        *message = Arc::new(erased);
        self.subtract(before);
        self.add(after);
    }

    /// Removes expired messages, which are the oldest ones.
    pub(crate) fn retain(&mut self, cutoff: RetentionCutoff) {
        while self.messages.front().is_some_and(|oldest| !cutoff.keeps_message(oldest, self.newest)) {
            self.drop_oldest();
        }
        if self.messages.is_empty() {
            self.messages = VecDeque::new();
        }
    }

    /// The number of the oldest message in the tail; if it is empty, one more than the newest.
    pub(crate) fn oldest(&self) -> u64 {
        self.messages.front().map_or(self.newest + 1, |message| message.seq)
    }

    /// Returns all messages from this number on, or `None` if some of them are not in the tail.
    pub(crate) fn from(&self, seq: u64) -> Option<impl Iterator<Item = &Arc<Message>>> {
        let skip = usize::try_from(seq.checked_sub(self.oldest())?).unwrap_or(usize::MAX);
        Some(self.messages.iter().skip(skip))
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        self.subtract(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use chat_protocol::{Content, RoomName, Text, Timestamp, UserId};

    use super::*;

    fn message(seq: u64) -> Arc<Message> {
        let room = RoomName::parse("r").unwrap();
        Arc::new(Message::new(room, seq, Timestamp::from_millis(0), Content::Erased))
    }

    fn seqs(tail: &Tail, from: u64) -> Option<Vec<u64>> {
        tail.from(from).map(|messages| messages.map(|message| message.seq).collect())
    }

    #[test]
    fn returns_messages_only_if_it_has_all_of_them() {
        let mut tail = Tail::after(7);
        assert_eq!((tail.newest(), tail.oldest()), (7, 8));
        assert_eq!(seqs(&tail, 8), Some(vec![]));
        assert_eq!(seqs(&tail, 7), None);
        (8..12).for_each(|seq| tail.push(message(seq)));
        assert_eq!(seqs(&tail, 10), Some(vec![10, 11]));
        assert_eq!(seqs(&tail, 8), Some(vec![8, 9, 10, 11]));
        assert_eq!(seqs(&tail, 12), Some(vec![]));
        assert_eq!(seqs(&tail, 7), None);
    }

    #[test]
    fn an_erased_message_keeps_its_position() {
        let text_message = |seq| {
            let (id, from) = ("id".parse().unwrap(), "ana".parse().unwrap());
            let text = Text::new(id, UserId::unknown(), from, "x".repeat(1_000));
            let Message { room, seq, sent_at, .. } = Message::clone(&message(seq));
            Arc::new(Message::new(room, seq, sent_at, Content::Text(text)))
        };
        let mut tail = Tail::default();
        (1..4).for_each(|seq| tail.push(text_message(seq)));
        let before = tail.bytes;
        [0, 2, 9].into_iter().for_each(|seq| tail.erase(seq));
        let erased: Vec<_> = tail.messages.iter().map(|m| m.content == Content::Erased).collect();
        assert_eq!(erased, [false, true, false]);
        assert_eq!(tail.bytes, before - text_message(2).size() + message(2).size());
        assert_eq!(seqs(&tail, 1), Some(vec![1, 2, 3]));
    }

    #[test]
    fn all_tails_together_are_bounded_and_dropped_ones_do_not_count() {
        let body: Arc<str> = "x".repeat(100_000).into();
        let text_message = |seq| {
            let (id, from) = ("id".parse().unwrap(), "ana".parse().unwrap());
            let text = Text::new(id, UserId::unknown(), from, Arc::clone(&body));
            let Message { room, seq, sent_at, .. } = Message::clone(&message(seq));
            Arc::new(Message::new(room, seq, sent_at, Content::Text(text)))
        };
        let tails = Arc::new(Tails::default());
        let mut rooms: Vec<_> = (0..10_000).map(|_| Tail::default().counted_in(&tails)).collect();
        rooms.iter_mut().for_each(|tail| (1..3).for_each(|seq| tail.push(text_message(seq))));
        let bytes = |tails: &Tails| tails.bytes.load(Ordering::Relaxed);
        assert_eq!(bytes(&tails), rooms.iter().map(|tail| tail.bytes).sum::<usize>());
        assert!(bytes(&tails) <= MAX_TOTAL_BYTES + MAX_BYTES, "{}", bytes(&tails));
        let last = rooms.last_mut().unwrap();
        assert_eq!(
            (last.newest(), last.oldest(), seqs(last, 3)),
            (2, 3, Some(vec![])),
            "an empty tail still counts"
        );
        (3..100).for_each(|seq| last.push(message(seq)));
        assert!(last.messages.len() > 10, "small messages are still kept");
        rooms.clear();
        assert_eq!(bytes(&tails), 0);
    }

    #[test]
    fn a_tail_is_bounded() {
        let mut tail = Tail::default();
        (1..10_000).for_each(|seq| tail.push(message(seq)));
        assert_eq!(tail.newest(), 9_999);
        assert_eq!(tail.messages.len(), MAX_MESSAGES);
        assert_eq!(tail.oldest(), 10_000 - MAX_MESSAGES as u64);
    }
}
