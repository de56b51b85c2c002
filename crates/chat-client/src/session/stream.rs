//! How far a room's stream was told, and what of it is told next.

use std::collections::VecDeque;

use chat_protocol::v2::{self, Since, StoredMessage};
use chat_protocol::{Epoch, RoomName};

use crate::model::{Counting, Event, Gap};

/// The stream of one room: every message once, in the order of `seq`.
#[derive(Debug)]
pub(super) struct Stream {
    room: RoomName,
    epoch: Epoch,
    /// The last message that was told, or the newest at the time of joining.
    last: u64,
}

impl Stream {
    /// The stream begins behind `last`.
    pub(super) fn new(room: RoomName, epoch: Epoch, last: u64) -> Self {
        Self { room, epoch, last }
    }

    /// What to ask for after a reconnect.
    pub(super) fn since(&self) -> Since {
        Since { epoch: self.epoch.clone(), seq: self.last }
    }

    /// Tells a message, if it was not told before. Whether it was told now.
    pub(super) fn tell(
        &mut self,
        message: StoredMessage,
        events: &mut VecDeque<Event>,
        counting: &Counting,
    ) -> bool {
        let seq = message.seq();
        if seq <= self.last {
            counting.repeat();
            tracing::warn!(room = %self.room, seq, last = self.last, "a message came again");
            return false;
        }
        self.skip_to(seq - 1, events, counting);
        self.last = seq;
        events.push_back(Event::Message { room: self.room.clone(), message });
        true
    }

    /// The room was joined again: tells what was missed, and whether that is all.
    pub(super) fn catch_up(&mut self, joined: v2::Joined, events: &mut VecDeque<Event>, counting: &Counting) {
        let last_seen = self.last;
        let epoch_changed = joined.epoch != self.epoch;
        // the seqs of before say nothing about those of now
        let begins_anew = epoch_changed || joined.seq < last_seen;
        let mut messages = joined.messages;
        if !joined.recovered && !begins_anew {
            // the newest were asked for, whatever was told of them already
            messages.retain(|message| message.seq() > last_seen);
        }
        let resumes_at = messages.first().map_or(joined.seq.saturating_add(1), StoredMessage::seq);
        let is_gap = begins_anew || (!joined.recovered && resumes_at > last_seen.saturating_add(1));
        if is_gap {
            self.epoch = joined.epoch;
            self.last = resumes_at.saturating_sub(1);
            let room = self.room.clone();
            events.push_back(Event::Gap(Gap { room, last_seen, resumes_at, epoch_changed }));
        }
        let mut count = 0;
        for message in messages {
            count += u64::from(self.tell(message, events, counting));
        }
        self.skip_to(joined.seq, events, counting);
        if !is_gap {
            events.push_back(Event::Recovered { room: self.room.clone(), count });
        }
    }

    /// The next message comes behind `seq`: all up to there should have come.
    fn skip_to(&mut self, seq: u64, events: &mut VecDeque<Event>, counting: &Counting) {
        if seq > self.last {
            let (expected, got) = (self.last + 1, seq.saturating_add(1));
            counting.hole();
            tracing::warn!(room = %self.room, expected, got, "messages are missing");
            events.push_back(Event::Hole { room: self.room.clone(), expected, got });
            self.last = seq;
        }
    }
}

#[cfg(test)]
mod tests {
    use chat_protocol::{MessageId, Timestamp};

    use super::*;

    fn said(seq: u64) -> StoredMessage {
        StoredMessage::Said {
            seq,
            id: MessageId::from_random(seq.into()),
            from: "ana".parse().unwrap(),
            body: "hi".into(),
            html: None,
            sent_at: Timestamp(0),
        }
    }

    struct Told {
        stream: Stream,
        events: VecDeque<Event>,
        counting: Counting,
    }

    /// A stream that has told everything up to 5.
    fn at_5() -> Told {
        let stream = Stream::new("lobby".parse().unwrap(), Epoch("e".into()), 5);
        Told { stream, events: VecDeque::new(), counting: Counting::default() }
    }

    impl Told {
        fn joined(&mut self, epoch: &str, seq: u64, messages: &[u64], recovered: bool) -> String {
            let joined = v2::Joined {
                reference: None,
                room: "lobby".parse().unwrap(),
                epoch: Epoch(epoch.into()),
                seq,
                members: Vec::new(),
                member_count: 0,
                messages: messages.iter().copied().map(said).collect(),
                recovered,
            };
            self.stream.catch_up(joined, &mut self.events, &self.counting);
            self.told()
        }

        fn told(&mut self) -> String {
            let brief = |event: Event| match event {
                Event::Message { message, .. } => message.seq().to_string(),
                Event::Recovered { count, .. } => format!("recovered:{count}"),
                Event::Gap(Gap { last_seen, resumes_at, epoch_changed, .. }) => {
                    let kind = if epoch_changed { "anew" } else { "gap" };
                    format!("{kind}:{last_seen}..{resumes_at}")
                }
                Event::Hole { expected, got, .. } => format!("hole:{expected}..{got}"),
                other => format!("{other:?}"),
            };
            self.events.drain(..).map(brief).collect::<Vec<_>>().join(" ")
        }
    }

    #[test]
    fn each_message_is_told_once_and_in_order() {
        let mut at = at_5();
        for seq in [6, 7, 7, 3, 8] {
            at.stream.tell(said(seq), &mut at.events, &at.counting);
        }
        assert_eq!(at.told(), "6 7 8");
        assert_eq!(at.counting.read().repeats, 2);
    }

    #[test]
    fn a_hole_is_reported_and_the_stream_goes_on() {
        let mut at = at_5();
        for seq in [6, 9, 10] {
            at.stream.tell(said(seq), &mut at.events, &at.counting);
        }
        assert_eq!(at.told(), "6 hole:7..9 9 10");
        assert_eq!(at.counting.read().holes, 1);
    }

    #[test]
    fn what_was_missed_is_told_and_then_that_it_is_all() {
        assert_eq!(at_5().joined("e", 8, &[6, 7, 8], true), "6 7 8 recovered:3");
        assert_eq!(at_5().joined("e", 5, &[], true), "recovered:0");
    }

    #[test]
    fn a_recovery_that_is_none_shows() {
        let mut at = at_5();
        assert_eq!(at.joined("e", 9, &[5, 6, 8], true), "6 hole:7..8 8 hole:9..10 recovered:2");
        assert_eq!((at.counting.read().repeats, at.counting.read().holes), (1, 2));
        assert_eq!(at.stream.last, 9);
    }

    #[test]
    fn a_gap_comes_before_what_is_behind_it() {
        let mut at = at_5();
        assert_eq!(at.joined("e", 2_000, &[1_999, 2_000], false), "gap:5..1999 1999 2000");
        assert_eq!(at.joined("e", 4_000, &[], false), "gap:2000..4001");
        at.stream.tell(said(4_001), &mut at.events, &at.counting);
        assert_eq!(at.told(), "4001");
        assert_eq!(at.counting.read(), crate::Counters::default());
    }

    #[test]
    fn the_newest_that_reach_back_to_the_last_are_no_gap() {
        let mut at = at_5();
        assert_eq!(at.joined("e", 8, &[4, 5, 6, 7, 8], false), "6 7 8 recovered:3");
        assert_eq!(at.joined("e", 8, &[7, 8], false), "recovered:0");
        assert_eq!(at.counting.read().repeats, 0);
    }

    #[test]
    fn in_another_epoch_everything_is_new() {
        let mut at = at_5();
        assert_eq!(at.joined("f", 3, &[2, 3], false), "anew:5..2 2 3");
        assert_eq!(at.stream.since(), Since { epoch: Epoch("f".into()), seq: 3 });
        assert_eq!(at_5().joined("f", 0, &[], false), "anew:5..1");
    }

    #[test]
    fn a_store_that_went_back_is_a_gap() {
        let mut at = at_5();
        assert_eq!(at.joined("e", 3, &[2, 3], false), "gap:5..2 2 3");
        assert_eq!(at.stream.last, 3);
    }
}
