//! Recovers the messages that a joining member missed: reads them from the store until the rest is
//! in the room's tail.

use std::sync::Arc;

use chat_history::{Messages, Page};
use chat_protocol::Message;

use crate::room::tail::Tail;

/// The maximum number of pages read. A store that is slower than the room's senders would never get
/// to the end.
const MAX_PAGES: usize = 32;

/// The messages to recover.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// All messages after this number, or else the newest ones.
    Since(u64),
    /// The newest messages.
    Newest,
}

/// How many messages one read from the store asks for.
const READ_MESSAGES: usize = 200;

/// Limits the messages that a joining member recovers. If it missed more, it receives the newest
/// messages instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct CatchUpLimits {
    /// The maximum number of messages.
    pub messages: usize,
    /// The maximum size of all messages together, counted by [`Message::encoded_size`]. It also
    /// limits the newest messages.
    pub bytes: usize,
}

impl CatchUpLimits {
    /// Creates limits of `messages` messages and `bytes` bytes.
    pub fn new(messages: usize, bytes: usize) -> Self {
        Self { messages, bytes }
    }
}

impl Default for CatchUpLimits {
    /// 1,000 messages and 960 KiB.
    fn default() -> Self {
        Self::new(1_000, (1 << 20) - (64 << 10))
    }
}

/// The messages to recover, and those that were read so far.
#[derive(Debug)]
pub(crate) struct CatchUp {
    wanted: Wanted,
    /// How many of the newest messages to send if `Since` cannot be recovered or was not requested.
    newest: usize,
    limits: CatchUpLimits,
    /// Read from the store, oldest first, without a gap.
    read: Vec<Arc<Message>>,
    /// The encoded size of `read`. It is counted when messages are added, because a step runs under
    /// the room's lock.
    read_bytes: usize,
    pages: usize,
}

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Read this page, and [`add`](CatchUp::add) it.
    Read(Page),
    /// Recovery is complete.
    Done(CaughtUp),
}

/// The recovered messages, up to the newest message that was delivered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct CaughtUp {
    /// Oldest first.
    pub(crate) messages: Vec<Arc<Message>>,
    /// Whether these are all messages after the requested position.
    pub(crate) recovered: bool,
}

impl CatchUp {
    /// Recovers all messages after `since`, or up to `newest` of the newest messages if `since` is
    /// `None` or cannot be recovered.
    pub(crate) fn new(since: Option<u64>, newest: usize, limits: CatchUpLimits) -> Self {
        let wanted = since.map_or(Wanted::Newest, Wanted::Since);
        Self { wanted, newest, limits, read: Vec::new(), read_bytes: 0, pages: 0 }
    }

    /// Returns what to do next, given the current tail of the room.
    pub(crate) fn step(&mut self, tail: &Tail) -> Step {
        // messages that are committed but not delivered yet arrive with the live stream
        let delivered = self.read.partition_point(|message| message.seq <= tail.newest());
        self.read_bytes -= encoded_size(&self.read[delivered..]);
        self.read.truncate(delivered);
        if let Wanted::Since(since) = self.wanted {
            match self.step_since(since, tail) {
                Some(step) => return step,
                None => self.give_up(),
            }
        }
        self.step_newest(tail)
    }

    /// Returns `None` if the messages after `since` cannot be recovered.
    fn step_since(&self, since: u64, tail: &Tail) -> Option<Step> {
        let missed = tail.newest().checked_sub(since)?;
        if missed > self.limits.messages as u64 || self.pages > MAX_PAGES {
            return None;
        }
        // messages that do not fit into one reply are not read to the end
        if self.read_bytes > self.limits.bytes {
            return None;
        }
        let have = self.read.last().map_or(since, |message| message.seq);
        let Some(rest) = tail.from(have + 1) else {
            return Some(Step::Read(Page::After { seq: have, limit: READ_MESSAGES }));
        };
        let messages: Vec<_> = self.read.iter().chain(rest).map(Arc::clone).collect();
        let bytes = self.read_bytes + encoded_size(&messages[self.read.len()..]);
        (bytes <= self.limits.bytes).then_some(Step::Done(CaughtUp { messages, recovered: true }))
    }

    fn step_newest(&self, tail: &Tail) -> Step {
        let from = (tail.newest() + 1).saturating_sub(self.newest as u64).max(1);
        let done = |messages: Vec<Arc<Message>>| {
            Step::Done(CaughtUp { messages: self.newest_of(messages), recovered: false })
        };
        if let Some(all) = tail.from(from) {
            return done(all.map(Arc::clone).collect());
        }
        match self.read.last() {
            None if self.pages == 0 => {
                Step::Read(Page::Before { seq: tail.newest() + 1, limit: self.newest })
            }
            Some(last) if self.pages <= MAX_PAGES => match tail.from(last.seq + 1) {
                Some(rest) => done(self.read.iter().chain(rest).map(Arc::clone).collect()),
                None => Step::Read(Page::After { seq: last.seq, limit: READ_MESSAGES }),
            },
            // pruned, or the room is too fast: send what is in memory
            _ => done(tail.from(tail.oldest()).into_iter().flatten().map(Arc::clone).collect()),
        }
    }

    /// Returns the newest messages, as many as were requested and fit.
    fn newest_of(&self, mut messages: Vec<Arc<Message>>) -> Vec<Arc<Message>> {
        let mut bytes = 0;
        let fits = |message: &&Arc<Message>| {
            bytes += message.encoded_size();
            bytes <= self.limits.bytes
        };
        let count = messages.iter().rev().take(self.newest).take_while(fits).count();
        messages.split_off(messages.len() - count)
    }

    fn give_up(&mut self) {
        self.wanted = Wanted::Newest;
        self.read.clear();
        self.read_bytes = 0;
        self.pages = 0;
    }

    /// Adds the page that was requested.
    pub(crate) fn add(&mut self, page: Messages) {
        self.pages += 1;
        let expected = match (self.read.last(), self.wanted) {
            (Some(last), _) => Some(last.seq + 1),
            (None, Wanted::Since(since)) => Some(since + 1),
            (None, Wanted::Newest) => None,
        };
        let first = page.messages.first().map(|message| message.seq);
        if expected.is_some() && first != expected {
            // the next message was pruned
            self.give_up();
            return;
        }
        self.read_bytes += encoded_size(&page.messages);
        self.read.extend(page.messages);
    }
}

fn encoded_size(messages: &[Arc<Message>]) -> usize {
    messages.iter().map(|message| message.encoded_size()).sum()
}

#[cfg(test)]
mod tests {
    use chat_protocol::{Content, RoomName, Text, Timestamp, UserId};
    use proptest::prelude::*;

    use super::*;

    fn message(seq: u64) -> Arc<Message> {
        let room = RoomName::parse("r").unwrap();
        Arc::new(Message::new(room, seq, Timestamp::from_millis(0), Content::Erased))
    }

    /// A store that keeps the messages after `pruned`, and a room whose tail begins after
    /// `tail_start`.
    struct World {
        pruned: u64,
        stored: u64,
        tail: Tail,
    }

    impl World {
        fn new(pruned: u64, tail_start: u64, newest: u64) -> Self {
            let mut tail = Tail::after(tail_start);
            (tail_start + 1..=newest).for_each(|seq| tail.push(message(seq)));
            Self { pruned, stored: newest, tail }
        }

        /// Stores `stored` messages, and delivers up to `delivered` of those that are stored.
        fn advance(&mut self, stored: u64, delivered: u64) {
            self.stored += stored;
            (0..delivered).for_each(|_| {
                if self.tail.newest() < self.stored {
                    self.tail.push(message(self.tail.newest() + 1));
                }
            });
        }

        fn read(&self, page: Page) -> Messages {
            let range = match page {
                Page::After { seq, limit } => {
                    seq.max(self.pruned) + 1..=self.stored.min(seq.max(self.pruned) + limit as u64)
                }
                Page::Before { seq, limit } => {
                    seq.saturating_sub(limit as u64).max(self.pruned + 1)..=self.stored.min(seq - 1)
                }
            };
            Messages { messages: range.map(message).collect(), more: false }
        }

        fn catch_up(&mut self, since: Option<u64>, newest: usize, speed: u64) -> (Vec<u64>, bool) {
            let mut catch_up = CatchUp::new(since, newest, CatchUpLimits::default());
            loop {
                match catch_up.step(&self.tail) {
                    Step::Read(page) => catch_up.add(self.read(page)),
                    Step::Done(CaughtUp { messages, recovered }) => {
                        return (messages.iter().map(|message| message.seq).collect(), recovered);
                    }
                }
                self.advance(speed, speed);
            }
        }
    }

    #[test]
    fn recovers_everything_since_a_position_or_the_newest() {
        let seqs = |range: std::ops::RangeInclusive<u64>| range.collect::<Vec<_>>();
        let world = |newest| World::new(0, newest, newest);
        assert_eq!(world(10).catch_up(Some(7), 2, 0), (seqs(8..=10), true));
        assert_eq!(world(10).catch_up(Some(10), 2, 0), (vec![], true));
        assert_eq!(world(10).catch_up(Some(11), 2, 0), (seqs(9..=10), false), "past the newest");
        assert_eq!(world(2_000).catch_up(Some(1_000), 2, 0).0.len(), 1_000);
        assert_eq!(world(2_000).catch_up(Some(999), 2, 0), (seqs(1_999..=2_000), false), "too much");
        assert_eq!(World::new(8, 10, 10).catch_up(Some(7), 5, 0), (seqs(9..=10), false), "pruned");
        assert_eq!(World::new(10, 10, 10).catch_up(None, 5, 0), (vec![], false), "all pruned");
        assert_eq!(world(10).catch_up(None, 0, 0), (vec![], false));
        assert_eq!(world(0).catch_up(None, 5, 0), (vec![], false));
        assert_eq!(world(0).catch_up(Some(0), 5, 0), (vec![], true));
        assert_eq!(world(500).catch_up(None, 300, 0), (seqs(201..=500), false), "more than one read");
    }

    #[test]
    fn reading_stops_once_the_messages_exceed_the_limit() {
        let long = |seq| {
            let (id, from) = ("id".parse().unwrap(), "ana".parse().unwrap());
            let text = Text::new(id, UserId::unknown(), from, "x".repeat(100_000));
            let Message { room, seq, sent_at, .. } = (*message(seq)).clone();
            Arc::new(Message::new(room, seq, sent_at, Content::Text(text)))
        };
        let tail = Tail::after(500);
        let mut catch_up = CatchUp::new(Some(0), 0, CatchUpLimits::default());
        let mut pages = 0;
        while let Step::Read(Page::After { seq, .. }) = catch_up.step(&tail) {
            pages += 1;
            catch_up.add(Messages { messages: (seq + 1..seq + 10).map(long).collect(), more: true });
        }
        assert_eq!(pages, 2);
        assert_eq!(catch_up.step(&tail), Step::Done(CaughtUp { messages: vec![], recovered: false }));
    }

    proptest! {
        /// However fast the room goes on in the meantime, the recovered messages have no gap, end
        /// with the newest message that was delivered and, if they are marked as recovered, begin
        /// right after `since`.
        #[test]
        fn recovery_ends_where_the_live_stream_begins(
            (tail_start, delivered) in (0..900_u64, 0..400_u64),
            since in prop::option::of(0..1_500_u64),
            (pruned, newest, speed, ahead) in (0..900_u64, 0..300_usize, 0..400_u64, 0..5_u64),
        ) {
            let mut world = World::new(pruned.min(tail_start), tail_start, tail_start + delivered);
            world.advance(ahead, 0);
            let (seqs, recovered) = world.catch_up(since, newest, speed);
            prop_assert!(seqs.windows(2).all(|pair| pair[1] == pair[0] + 1));
            if let Some(last) = seqs.last() {
                prop_assert_eq!(*last, world.tail.newest());
            }
            if recovered {
                prop_assert_eq!(seqs.first().copied().unwrap_or(world.tail.newest() + 1), since.unwrap() + 1);
            } else {
                prop_assert!(seqs.len() <= newest);
            }
        }
    }
}
