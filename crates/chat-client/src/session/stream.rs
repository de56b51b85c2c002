//! The position in a room's stream, and the delivery of its messages.

use std::collections::VecDeque;

use chat_protocol::v2::{Since, StoredMessage};
use chat_protocol::{Epoch, RoomName};

use crate::model::{CounterCells, Event};

/// How a durable frame fits the cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    /// Everything in it has been applied.
    Old,
    /// It continues the stream.
    Next,
    /// Events before it are missing.
    Gap,
}

/// The stream of one room.
#[derive(Debug)]
pub(super) struct Stream {
    room: RoomName,
    epoch: Epoch,
    /// The cursor: the number of the last event that has been applied.
    seq: u64,
    /// The cursor in the last `join`.
    requested: u64,
}

impl Stream {
    /// A stream whose first event follows number `seq`.
    pub(super) fn new(room: RoomName, epoch: Epoch, seq: u64) -> Self {
        Self { room, epoch, seq, requested: seq }
    }

    pub(super) fn epoch(&self) -> &Epoch {
        &self.epoch
    }

    /// The position up to which everything has been delivered.
    pub(super) fn cursor(&self) -> Since {
        Since { epoch: self.epoch.clone(), seq: self.seq }
    }

    /// The position for a `join` that is about to be sent.
    pub(super) fn request(&mut self) -> Since {
        self.requested = self.seq;
        self.cursor()
    }

    /// How a frame fits that stands for the events from `first_seq` to `seq`.
    pub(super) fn fit(&self, first_seq: u64, seq: u64) -> Fit {
        if seq <= self.seq {
            Fit::Old
        } else if first_seq <= self.seq.saturating_add(1) {
            Fit::Next
        } else {
            Fit::Gap
        }
    }

    /// Everything up to this number has been applied.
    pub(super) fn advance(&mut self, seq: u64) {
        self.seq = seq;
    }

    /// Whether a `joined` can continue the stream. If the server says so for another epoch, or for
    /// an end before the cursor, it is wrong.
    pub(super) fn is_continued_by(&self, epoch: &Epoch, seq: u64) -> bool {
        self.epoch == *epoch && self.seq <= seq
    }

    /// The room was joined from the requested position. Returns the number of new messages.
    pub(super) fn recover(
        &mut self,
        seq: u64,
        messages: Vec<StoredMessage>,
        changed: Vec<StoredMessage>,
        events: &mut VecDeque<Event>,
        counters: &CounterCells,
    ) -> u64 {
        self.apply(self.requested, seq, messages, changed, events, counters)
    }

    /// Delivers the outcome of all events after `after` up to `seq`: the messages that were posted,
    /// and those before that were changed. Some of the events may have been applied already.
    /// Returns the number of new messages.
    pub(super) fn apply(
        &mut self,
        after: u64,
        seq: u64,
        messages: Vec<StoredMessage>,
        changed: Vec<StoredMessage>,
        events: &mut VecDeque<Event>,
        counters: &CounterCells,
    ) -> u64 {
        let room = &self.room;
        events.extend(changed.into_iter().map(|message| Event::Changed { room: room.clone(), message }));
        let mut count = 0;
        for message in messages {
            let posted = message.seq();
            if posted > self.seq {
                count += 1;
                self.seq = posted;
                events.push_back(Event::Message { room: self.room.clone(), message });
            } else if posted <= after {
                counters.duplicate();
                tracing::warn!(room = %self.room, seq = posted, "a message was delivered twice");
            } else if is_changed(&message) {
                // it has been delivered, and its state here is at least as new
                events.push_back(Event::Changed { room: self.room.clone(), message });
            }
        }
        self.seq = self.seq.max(seq);
        count
    }
}

fn is_changed(message: &StoredMessage) -> bool {
    match message {
        StoredMessage::Text { changed_seq, .. } => changed_seq.is_some(),
        StoredMessage::Deleted { .. } => true,
    }
}

#[cfg(test)]
mod tests {
    use chat_protocol::v2::DeletedBy;
    use chat_protocol::{MessageId, Timestamp};

    use super::*;

    /// A message of this number, as it was posted or as the last event about it has changed it.
    fn text(seq: u64, changed_seq: Option<u64>) -> StoredMessage {
        StoredMessage::Text {
            seq,
            id: MessageId::from_random(seq.into()),
            from: "ana".parse().unwrap(),
            user: "u_ana".parse().unwrap(),
            body: "hi".into(),
            html: None,
            reply_to: None,
            mentions: None,
            sent_at: Timestamp::from_millis(0),
            edited_at: changed_seq.map(|_| Timestamp::from_millis(0)),
            changed_seq,
            reactions: Vec::new(),
        }
    }

    fn deleted(seq: u64, changed_seq: u64) -> StoredMessage {
        let (sent_at, by) = (Timestamp::from_millis(0), DeletedBy::Operator);
        StoredMessage::Deleted { seq, sent_at, deleted: true, by, changed_seq }
    }

    struct Fixture {
        stream: Stream,
        events: VecDeque<Event>,
        counters: CounterCells,
    }

    /// A stream at number 5.
    fn at_5() -> Fixture {
        let stream = Stream::new("lobby".parse().unwrap(), Epoch::new("e"), 5);
        Fixture { stream, events: VecDeque::new(), counters: CounterCells::default() }
    }

    impl Fixture {
        fn recover(&mut self, seq: u64, messages: Vec<StoredMessage>, changed: Vec<StoredMessage>) -> String {
            let count = self.stream.recover(seq, messages, changed, &mut self.events, &self.counters);
            let brief = |event: Event| match event {
                Event::Message { message, .. } => message.seq().to_string(),
                Event::Changed { message, .. } => format!("changed:{}", message.seq()),
                other => format!("{other:?}"),
            };
            let events: Vec<_> = self.events.drain(..).map(brief).collect();
            format!("{} | {count} up to {}", events.join(" "), self.stream.seq)
        }
    }

    #[test]
    fn a_frame_fits_if_it_continues_the_stream() {
        let stream = at_5().stream;
        let cases = [
            ((5, 5), Fit::Old),
            ((1, 5), Fit::Old),
            ((6, 6), Fit::Next),
            ((6, 9), Fit::Next),
            ((3, 7), Fit::Next),
            ((7, 7), Fit::Gap),
            ((7, 9), Fit::Gap),
            ((0, u64::MAX), Fit::Next),
            ((u64::MAX, u64::MAX), Fit::Gap),
        ];
        for ((first_seq, seq), fit) in cases {
            assert_eq!(stream.fit(first_seq, seq), fit, "{first_seq} to {seq}");
        }
        let end = Stream::new("lobby".parse().unwrap(), Epoch::new("e"), u64::MAX);
        assert_eq!(end.fit(u64::MAX, u64::MAX), Fit::Old);
    }

    #[test]
    fn missed_messages_are_delivered_whatever_lies_between_them() {
        let messages = vec![text(6, None), text(9, None)];
        assert_eq!(at_5().recover(12, messages, vec![deleted(2, 7)]), "changed:2 6 9 | 2 up to 12");
        assert_eq!(at_5().recover(5, Vec::new(), Vec::new()), " | 0 up to 5");
    }

    #[test]
    fn messages_before_the_requested_position_are_duplicates() {
        let mut at = at_5();
        at.stream.request();
        assert_eq!(at.recover(7, vec![text(5, None), text(7, None)], Vec::new()), "7 | 1 up to 7");
        assert_eq!(at.counters.read().duplicates, 1);
    }

    #[test]
    fn what_arrived_after_the_request_is_delivered_once() {
        let mut at = at_5();
        at.stream.request();
        at.stream.advance(7);
        let messages = vec![text(6, None), deleted(7, 8), text(9, None)];
        assert_eq!(at.recover(9, messages, Vec::new()), "changed:7 9 | 1 up to 9");
        assert_eq!(at.counters.read().duplicates, 0);
    }

    #[test]
    fn another_epoch_or_an_earlier_end_does_not_continue_the_stream() {
        let stream = at_5().stream;
        assert!(stream.is_continued_by(&Epoch::new("e"), 5));
        assert!(!stream.is_continued_by(&Epoch::new("e"), 4));
        assert!(!stream.is_continued_by(&Epoch::new("f"), 5));
    }
}
