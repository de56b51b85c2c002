//! The newest messages of a room, in memory.

use std::collections::VecDeque;
use std::sync::Arc;

use chat_protocol::{Content, Message};

/// How much is kept: as much as is told while a page is read from the store, so that whoever comes back finds the rest here.
const MOST_MESSAGES: usize = 256;
const MOST_BYTES: usize = 128 << 10;

/// What was told last, without a hole, up to the newest message.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    messages: VecDeque<Arc<Message>>,
    bytes: usize,
    /// The number of the newest message that was told; 0 where none was.
    newest: u64,
}

impl Tail {
    /// An empty one behind the message with this number.
    pub(crate) fn after(newest: u64) -> Self {
        Self { newest, ..Self::default() }
    }

    /// The number of the newest message that was told.
    pub(crate) fn newest(&self) -> u64 {
        self.newest
    }

    /// Adds the message that is told now.
    pub(crate) fn push(&mut self, message: Arc<Message>) {
        if message.seq != self.newest + 1 {
            // never seen with a store that keeps its promise; what is not whole is no tail
            self.messages.clear();
            self.bytes = 0;
        }
        self.newest = message.seq;
        self.bytes += message.size();
        self.messages.push_back(message);
        while self.messages.len() > MOST_MESSAGES || (self.bytes > MOST_BYTES && self.messages.len() > 1) {
            self.bytes -= self.messages.pop_front().map_or(0, |message| message.size());
        }
    }

    /// Forgets what a message said, which is erased in the store. Its place stays.
    pub(crate) fn erase(&mut self, seq: u64) {
        let index = seq.checked_sub(self.oldest()).and_then(|index| usize::try_from(index).ok());
        let Some(message) = index.and_then(|index| self.messages.get_mut(index)) else { return };
        self.bytes -= message.size();
        let Message { room, seq, sent_at, .. } = &**message;
        let erased = Message { room: room.clone(), seq: *seq, sent_at: *sent_at, content: Content::Erased };
        self.bytes += erased.size();
        *message = Arc::new(erased);
    }

    /// The number of the oldest message that is here; one more than the newest where none is.
    pub(crate) fn oldest(&self) -> u64 {
        self.messages.front().map_or(self.newest + 1, |message| message.seq)
    }

    /// Everything from this number on; none where some of that is not here.
    pub(crate) fn from(&self, seq: u64) -> Option<impl Iterator<Item = &Arc<Message>>> {
        let skip = usize::try_from(seq.checked_sub(self.oldest())?).unwrap_or(usize::MAX);
        Some(self.messages.iter().skip(skip))
    }
}

#[cfg(test)]
mod tests {
    use chat_protocol::{Content, RoomName, Timestamp};

    use super::*;

    fn message(seq: u64) -> Arc<Message> {
        let room = RoomName::parse("r").unwrap();
        Arc::new(Message { room, seq, sent_at: Timestamp(0), content: Content::Erased })
    }

    fn seqs(tail: &Tail, from: u64) -> Option<Vec<u64>> {
        tail.from(from).map(|messages| messages.map(|message| message.seq).collect())
    }

    #[test]
    fn it_gives_what_it_has_and_says_what_it_has_not() {
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
    fn what_was_erased_keeps_its_place() {
        let said = |seq| {
            let content = Content::Said {
                id: "id".parse().unwrap(),
                from: "ana".parse().unwrap(),
                body: "x".repeat(1_000).into(),
            };
            Arc::new(Message { content, ..Message::clone(&message(seq)) })
        };
        let mut tail = Tail::default();
        (1..4).for_each(|seq| tail.push(said(seq)));
        let before = tail.bytes;
        [0, 2, 9].into_iter().for_each(|seq| tail.erase(seq));
        let erased: Vec<_> = tail.messages.iter().map(|m| m.content == Content::Erased).collect();
        assert_eq!(erased, [false, true, false]);
        assert_eq!(tail.bytes, before - said(2).size() + message(2).size());
        assert_eq!(seqs(&tail, 1), Some(vec![1, 2, 3]));
    }

    #[test]
    fn it_is_bounded() {
        let mut tail = Tail::default();
        (1..10_000).for_each(|seq| tail.push(message(seq)));
        assert_eq!(tail.newest(), 9_999);
        assert_eq!(tail.messages.len(), MOST_MESSAGES);
        assert_eq!(tail.oldest(), 10_000 - MOST_MESSAGES as u64);
    }
}
