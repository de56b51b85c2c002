//! The position in a room's stream, and the delivery of its messages.

use std::collections::VecDeque;

use chat_protocol::v2::{self, Since, StoredMessage};
use chat_protocol::{Epoch, RoomName};

use crate::model::{CounterCells, Event, Gap};

/// The stream of one room: every message once, in the order of `seq`.
#[derive(Debug)]
pub(super) struct Stream {
    room: RoomName,
    epoch: Epoch,
    /// The number of the last message that was delivered, or of the newest one at the time of
    /// joining.
    last: u64,
}

impl Stream {
    /// A stream whose first message follows number `last`.
    pub(super) fn new(room: RoomName, epoch: Epoch, last: u64) -> Self {
        Self { room, epoch, last }
    }

    /// The position from which to rejoin after a reconnect.
    pub(super) fn since(&self) -> Since {
        Since { epoch: self.epoch.clone(), seq: self.last }
    }

    /// Delivers a message, unless it is a duplicate. Returns whether it was delivered.
    pub(super) fn deliver(
        &mut self,
        message: StoredMessage,
        events: &mut VecDeque<Event>,
        counters: &CounterCells,
    ) -> bool {
        let seq = message.seq();
        if seq <= self.last {
            counters.duplicate();
            tracing::warn!(room = %self.room, seq, last = self.last, "a message was delivered twice");
            return false;
        }
        self.advance_to(seq - 1, events, counters);
        self.last = seq;
        events.push_back(Event::Message { room: self.room.clone(), message });
        true
    }

    /// The room was rejoined: delivers the missed messages, and reports whether they are complete.
    pub(super) fn catch_up(
        &mut self,
        joined: v2::Joined,
        events: &mut VecDeque<Event>,
        counters: &CounterCells,
    ) {
        let last_seen = self.last;
        let epoch_changed = joined.epoch != self.epoch;
        // earlier numbers have no meaning for a new history
        let is_new_history = epoch_changed || joined.seq < last_seen;
        let mut messages = joined.messages;
        if !joined.recovered && !is_new_history {
            // these are the newest messages, and may include some that were delivered before
            messages.retain(|message| message.seq() > last_seen);
        }
        let resumes_at = messages.first().map_or(joined.seq.saturating_add(1), StoredMessage::seq);
        let is_gap = is_new_history || (!joined.recovered && resumes_at > last_seen.saturating_add(1));
        if is_gap {
            self.epoch = joined.epoch;
            self.last = resumes_at.saturating_sub(1);
            let room = self.room.clone();
            events.push_back(Event::Gap(Gap { room, last_seen, resumes_at, epoch_changed }));
        }
        let mut count = 0;
        for message in messages {
            count += u64::from(self.deliver(message, events, counters));
        }
        self.advance_to(joined.seq, events, counters);
        if !is_gap {
            events.push_back(Event::Recovered { room: self.room.clone(), count });
        }
    }

    /// Everything up to `seq` should have been delivered: reports a gap if it was not.
    fn advance_to(&mut self, seq: u64, events: &mut VecDeque<Event>, counters: &CounterCells) {
        if seq > self.last {
            let (expected, got) = (self.last + 1, seq.saturating_add(1));
            counters.sequence_gap();
            tracing::warn!(room = %self.room, expected, got, "messages are missing");
            events.push_back(Event::SequenceGap { room: self.room.clone(), expected, got });
            self.last = seq;
        }
    }
}

#[cfg(test)]
mod tests {
    use chat_protocol::{MessageId, Timestamp};

    use super::*;

    fn text(seq: u64) -> StoredMessage {
        StoredMessage::Text {
            seq,
            id: MessageId::from_random(seq.into()),
            from: "ana".parse().unwrap(),
            user: "u_ana".parse().unwrap(),
            body: "hi".into(),
            html: None,
            sent_at: Timestamp::from_millis(0),
        }
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
        fn joined(&mut self, epoch: &str, seq: u64, messages: &[u64], recovered: bool) -> String {
            let joined = v2::Joined {
                reference: None,
                room: "lobby".parse().unwrap(),
                epoch: Epoch::new(epoch),
                seq,
                members: Vec::new(),
                member_count: 0,
                messages: messages.iter().copied().map(text).collect(),
                recovered,
            };
            self.stream.catch_up(joined, &mut self.events, &self.counters);
            self.delivered()
        }

        fn delivered(&mut self) -> String {
            let brief = |event: Event| match event {
                Event::Message { message, .. } => message.seq().to_string(),
                Event::Recovered { count, .. } => format!("recovered:{count}"),
                Event::Gap(Gap { last_seen, resumes_at, epoch_changed, .. }) => {
                    let kind = if epoch_changed { "new" } else { "gap" };
                    format!("{kind}:{last_seen}..{resumes_at}")
                }
                Event::SequenceGap { expected, got, .. } => format!("sequence gap:{expected}..{got}"),
                other => format!("{other:?}"),
            };
            self.events.drain(..).map(brief).collect::<Vec<_>>().join(" ")
        }
    }

    #[test]
    fn each_message_is_delivered_once_and_in_order() {
        let mut at = at_5();
        for seq in [6, 7, 7, 3, 8] {
            at.stream.deliver(text(seq), &mut at.events, &at.counters);
        }
        assert_eq!(at.delivered(), "6 7 8");
        assert_eq!(at.counters.read().duplicates, 2);
    }

    #[test]
    fn a_sequence_gap_is_reported_and_the_stream_continues() {
        let mut at = at_5();
        for seq in [6, 9, 10] {
            at.stream.deliver(text(seq), &mut at.events, &at.counters);
        }
        assert_eq!(at.delivered(), "6 sequence gap:7..9 9 10");
        assert_eq!(at.counters.read().sequence_gaps, 1);
    }

    #[test]
    fn missed_messages_are_delivered_and_then_reported_as_complete() {
        assert_eq!(at_5().joined("e", 8, &[6, 7, 8], true), "6 7 8 recovered:3");
        assert_eq!(at_5().joined("e", 5, &[], true), "recovered:0");
    }

    #[test]
    fn an_incomplete_recovery_is_reported() {
        let mut at = at_5();
        assert_eq!(
            at.joined("e", 9, &[5, 6, 8], true),
            "6 sequence gap:7..8 8 sequence gap:9..10 recovered:2"
        );
        assert_eq!((at.counters.read().duplicates, at.counters.read().sequence_gaps), (1, 2));
        assert_eq!(at.stream.last, 9);
    }

    #[test]
    fn a_gap_is_reported_before_the_messages_after_it() {
        let mut at = at_5();
        assert_eq!(at.joined("e", 2_000, &[1_999, 2_000], false), "gap:5..1999 1999 2000");
        assert_eq!(at.joined("e", 4_000, &[], false), "gap:2000..4001");
        at.stream.deliver(text(4_001), &mut at.events, &at.counters);
        assert_eq!(at.delivered(), "4001");
        assert_eq!(at.counters.read(), crate::model::Counters::default());
    }

    #[test]
    fn newest_messages_that_reach_back_to_the_position_are_no_gap() {
        let mut at = at_5();
        assert_eq!(at.joined("e", 8, &[4, 5, 6, 7, 8], false), "6 7 8 recovered:3");
        assert_eq!(at.joined("e", 8, &[7, 8], false), "recovered:0");
        assert_eq!(at.counters.read().duplicates, 0);
    }

    #[test]
    fn a_new_epoch_is_a_gap() {
        let mut at = at_5();
        assert_eq!(at.joined("f", 3, &[2, 3], false), "new:5..2 2 3");
        assert_eq!(at.stream.since(), Since { epoch: Epoch::new("f"), seq: 3 });
        assert_eq!(at_5().joined("f", 0, &[], false), "new:5..1");
    }

    #[test]
    fn a_store_that_was_reset_is_a_gap() {
        let mut at = at_5();
        assert_eq!(at.joined("e", 3, &[2, 3], false), "gap:5..2 2 3");
        assert_eq!(at.stream.last, 3);
    }
}
