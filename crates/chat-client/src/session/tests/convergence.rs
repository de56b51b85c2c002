//! A client ends with the messages that the server has, in the same states, whatever it missed.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::model::Timeline;

/// Chooses one of several places: the first for 0.
type Index = u16;

/// An event of the room, as the server has it.
#[derive(Debug, Clone)]
enum Logged {
    Post,
    /// The numbers of the targets.
    Delete(Vec<u64>),
    /// Of a type that the client does not know.
    Future,
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Post,
    Delete(Index),
    Future,
    /// The next event is sent.
    Send,
    /// The last event is sent again.
    Repeat,
    /// The next event is not sent: a fault.
    Lose,
    /// The next events are sent as a range, with some that were sent before.
    Sync {
        events: u64,
        overlap: u64,
        at: Index,
    },
    /// The server cannot send a range of the next events.
    Unsendable(u64),
    /// The client reads a page.
    Page {
        first: Index,
        last: Index,
        at: Index,
    },
    /// The server answers the client's `join`, if there is one.
    Join {
        recovers: bool,
        history: usize,
        seq: Index,
        at: Index,
    },
    Refuse,
    Reconnect,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let index = any::<Index>;
    let step = prop_oneof![
        6 => Just(Step::Post),
        3 => index().prop_map(Step::Delete),
        2 => Just(Step::Future),
        8 => Just(Step::Send),
        1 => Just(Step::Repeat),
        1 => Just(Step::Lose),
        2 => (1..4_u64, 0..3_u64, index()).prop_map(|(events, overlap, at)| Step::Sync { events, overlap, at }),
        1 => (1..4_u64).prop_map(Step::Unsendable),
        2 => (index(), index(), index()).prop_map(|(first, last, at)| Step::Page { first, last, at }),
        4 => (prop::bool::weighted(0.8), 0..4_usize, index(), index())
            .prop_map(|(recovers, history, seq, at)| Step::Join { recovers, history, seq, at }),
        1 => Just(Step::Refuse),
        1 => Just(Step::Reconnect),
    ];
    prop::collection::vec(step, 0..80)
}

/// The server's end of one client.
struct Server {
    fixture: Fixture,
    log: Vec<Logged>,
    /// The number of the last event that was sent, or that was lost: the place in the stream.
    place: u64,
    /// The client's `join` without an answer.
    join: Option<Value>,
    is_in_room: bool,
    /// The numbers of the messages that the client must have.
    expected: BTreeSet<u64>,
    /// Everything after this number belongs to them.
    start: u64,
    timeline: Timeline,
    /// The number of the last message that was delivered as new.
    newest: u64,
}

impl Server {
    fn start() -> Self {
        let mut fixture = Fixture::connected();
        drop(fixture.join());
        let timeline = Timeline::new(lobby());
        let (log, expected) = (Vec::new(), BTreeSet::new());
        let mut server = Self {
            fixture,
            log,
            place: 0,
            join: None,
            is_in_room: false,
            expected,
            start: 0,
            timeline,
            newest: 0,
        };
        server.read();
        server
    }

    fn end(&self) -> u64 {
        self.log.len() as u64
    }

    fn event(&self, seq: u64) -> &Logged {
        &self.log[usize::try_from(seq).unwrap() - 1]
    }

    /// A place from `from` to the end.
    fn pick(&self, index: Index, from: u64) -> u64 {
        from + u64::from(index) % (self.end() - from + 1)
    }

    fn posts(&self, first: u64, last: u64) -> impl DoubleEndedIterator<Item = u64> {
        (first.max(1)..=last).filter(|seq| matches!(self.event(*seq), Logged::Post))
    }

    /// The last event up to `at` that changed a message.
    fn changed(&self, message: u64, at: u64) -> Option<u64> {
        let deletes =
            |seq: &u64| matches!(self.event(*seq), Logged::Delete(targets) if targets.contains(&message));
        (1..=at).rev().find(deletes)
    }

    /// A message after the events up to `at`.
    fn state(&self, seq: u64, at: u64) -> Value {
        match self.changed(seq, at) {
            Some(changed_seq) => json!({"seq": seq, "sent_at": "2026-01-01T00:00:00Z", "deleted": true,
                                        "by": "author", "changed_seq": changed_seq}),
            None => message(seq, &seq.to_string(), "g_bob"),
        }
    }

    fn states(&self, messages: impl IntoIterator<Item = u64>, at: u64) -> Value {
        messages.into_iter().map(|seq| self.state(seq, at)).collect()
    }

    /// The messages before `first` that were changed in the range, or later.
    fn changed_since(&self, first: u64, at: u64) -> Value {
        let is_changed = |message: &u64| self.changed(*message, at) >= Some(first);
        self.states(self.posts(1, first - 1).filter(is_changed), at)
    }

    /// Sends an event as a frame. Consecutive ones that the client does not know may be one frame.
    fn send(&mut self, seq: u64) {
        match self.event(seq).clone() {
            Logged::Post => self.fixture.delivers(&message(seq, &seq.to_string(), "g_bob")),
            Logged::Delete(targets) => self.fixture.receives(
                &json!({"type": "deleted", "room": "lobby", "seq": seq, "targets": targets, "by": "author"}),
            ),
            Logged::Future => {
                let is_future = |seq: &u64| matches!(self.event(*seq), Logged::Future);
                let last = (seq..=self.end()).take_while(is_future).last().unwrap();
                let mut frame = json!({"type": "future", "room": "lobby", "seq": last});
                if seq < last {
                    frame["first_seq"] = seq.into();
                }
                self.fixture.receives(&frame);
                self.place = self.place.max(last);
            }
        }
        self.place = self.place.max(seq);
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Post => self.log.push(Logged::Post),
            Step::Future => self.log.push(Logged::Future),
            Step::Delete(index) => {
                let end = self.end();
                let is_there = |seq: &u64| self.changed(*seq, end).is_none();
                let there: Vec<_> = self.posts(1, end).filter(is_there).collect();
                if !there.is_empty() {
                    self.log.push(Logged::Delete(vec![there[usize::from(index) % there.len()]]));
                }
            }
            Step::Join { recovers, history, seq, at } => self.answer_join(recovers, history, seq, at),
            Step::Refuse => {
                if let Some(join) = self.join.take_if(|join| join["since"].is_object()) {
                    self.fixture.refused(&join, "store_unavailable");
                    self.fixture.advance(Duration::from_secs(60));
                }
            }
            Step::Reconnect => {
                (self.join, self.is_in_room) = (None, false);
                self.fixture.disconnect();
                self.fixture.welcome();
            }
            step if self.is_in_room => self.step_in_room(step),
            _ => {}
        }
        self.read();
    }

    fn step_in_room(&mut self, step: Step) {
        let (next, end) = (self.place + 1, self.end());
        match step {
            Step::Send if next <= end => self.send(next),
            Step::Repeat if self.place > 0 => self.send(self.place),
            Step::Lose if next <= end => self.place = next,
            Step::Sync { events, overlap, at } if next <= end => {
                let (first, last) = (next.saturating_sub(overlap).max(1), end.min(self.place + events));
                let at = self.pick(at, last);
                let (messages, changed) =
                    (self.states(self.posts(first, last), at), self.changed_since(first, at));
                self.fixture.receives(
                    &json!({"type": "sync", "room": "lobby", "first_seq": first, "seq": last, "recovered": true,
                            "messages": messages, "changed": changed}),
                );
                self.place = last;
            }
            Step::Unsendable(events) if next <= end => {
                let last = end.min(self.place + events);
                self.fixture.receives(
                    &json!({"type": "sync", "room": "lobby", "first_seq": next, "seq": last, "recovered": false}),
                );
                self.place = last;
            }
            Step::Page { first, last, at } => {
                let first = 1 + self.pick(first, 0);
                let last = self.pick(last, first - 1);
                let at = self.pick(at, self.place.max(last));
                drop(self.fixture.history());
                let messages = self.states(self.posts(first, last), at);
                let history = self.read().expect("a request");
                self.fixture.receives(
                    &json!({"type": "history", "ref": history["ref"], "room": "lobby", "epoch": "e",
                            "first": first, "last": last, "messages": messages, "more": false}),
                );
                self.expected = self.posts(first, last).chain(self.expected.iter().copied()).collect();
            }
            _ => {}
        }
    }

    fn answer_join(&mut self, recovers: bool, history: usize, seq: Index, at: Index) {
        let Some(join) = self.join.take() else { return };
        let seq = self.pick(seq, self.place);
        let at = self.pick(at, seq);
        match join["since"]["seq"].as_u64().filter(|_| recovers) {
            Some(since) => {
                let messages = self.states(self.posts(since + 1, seq), at);
                let changed = self.changed_since(since + 1, at);
                self.fixture.answers_join(&join, "e", seq, &messages, Some(&changed));
            }
            None => {
                let mut newest: Vec<_> = self.posts(1, seq).rev().take(history).collect();
                newest.reverse();
                (self.start, self.newest) = (seq, seq);
                self.fixture.answers_join(&join, "e", seq, &self.states(newest.iter().copied(), at), None);
                self.expected = newest.into_iter().collect();
            }
        }
        (self.place, self.is_in_room) = (seq, true);
    }

    /// Takes what the client has written, and its events. Returns its request for a page.
    fn read(&mut self) -> Option<Value> {
        let mut page = None;
        for frame in self.fixture.written() {
            match frame["type"].as_str() {
                Some("join") => assert_eq!(self.join.replace(frame), None, "a second join"),
                Some("history") => page = Some(frame),
                other => panic!("{other:?}"),
            }
        }
        for event in self.fixture.events() {
            if let Event::Message { message, .. } = &event {
                assert!(message.seq() > self.newest, "each message once, in order");
                self.newest = message.seq();
            }
            self.timeline.apply(&event);
            self.timeline.apply(&event);
        }
        page
    }

    /// Everything that was posted arrives, and one more event, by which the client notices a loss.
    fn finish(&mut self) {
        self.step(Step::Post);
        while self.join.is_some() || self.place < self.end() {
            let join = Step::Join { recovers: true, history: 0, seq: 0, at: 0 };
            self.step(join);
            self.step(Step::Send);
        }
    }
}

proptest! {
    #[test]
    fn a_client_ends_with_the_messages_of_the_server(steps in steps()) {
        let mut server = Server::start();
        steps.into_iter().for_each(|step| server.step(step));
        server.finish();
        let end = server.end();
        let expected: BTreeSet<_> = server.posts(server.start + 1, end).chain(server.expected.clone()).collect();
        let expected = server.states(expected, end);
        let expected: Vec<v2::StoredMessage> = serde_json::from_value(expected).unwrap();
        prop_assert_eq!(server.timeline.messages().cloned().collect::<Vec<_>>(), expected);
        prop_assert_eq!(server.fixture.cursor(), end);
    }
}
