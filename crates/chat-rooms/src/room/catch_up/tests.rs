use chat_history::{Extent, StoredEvent, StoredReaction};
use chat_protocol::{
    Content, DeletedBy, Deletion, Emoji, Reaction, ReactionChange, Reactor, RoomName, Text, Timestamp, UserId,
};
use proptest::prelude::*;

use super::*;

fn room() -> RoomName {
    RoomName::parse("r").unwrap()
}

fn message(seq: u64, body: &str) -> Arc<Message> {
    let (id, from) = ("id".parse().unwrap(), "ana".parse().unwrap());
    let text = Text::new(id, UserId::unknown(), from, body);
    Arc::new(Message::new(room(), seq, Timestamp::from_millis(0), Content::Text(text)))
}

fn emoji() -> Emoji {
    Emoji::parse("👍").unwrap()
}

fn reactor(name: &str) -> Reactor {
    Reactor { username: name.parse().unwrap(), user: format!("u_{name}").parse().unwrap() }
}

/// A store that has removed the messages before `oldest`, and a room whose tail begins after
/// `tail_start`. Of every `one_in` events, one deletes a message or is a reaction; 0: none is.
struct World {
    oldest: u64,
    events: Vec<StoredEvent>,
    /// The messages as they are now.
    messages: BTreeMap<u64, Arc<Message>>,
    /// All states that were changed, in order.
    states: Vec<Arc<Message>>,
    reactors: BTreeMap<u64, Vec<Reactor>>,
    one_in: u64,
    tail: Tail,
}

impl World {
    fn new(oldest: u64, tail_start: u64, newest: u64, one_in: u64) -> Self {
        let tail = Tail::after(tail_start);
        let (events, messages, reactors) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
        let states = Vec::new();
        let mut world = Self { oldest, events, messages, states, reactors, one_in, tail };
        world.advance(newest, 0);
        while world.tail.newest() < newest {
            world.deliver();
        }
        world
    }

    fn stored(&self) -> u64 {
        self.events.len() as u64
    }

    fn store(&mut self) {
        let seq = self.stored() + 1;
        // an arbitrary message, an old one or a new one
        let target = (self.one_in > 0 && seq.is_multiple_of(self.one_in))
            .then(|| {
                self.messages.range(seq * 31 % (seq + 7)..).find(|(_, message)| message.text().is_some())
            })
            .flatten();
        let target = target.map(|(target, message)| (*target, Arc::clone(message)));
        let event = match target {
            // the user in question and another one, in turn
            Some((target, message)) if seq.is_multiple_of(2) => self.react(seq, target, &message),
            Some((target, message)) => {
                let state = message.deleted(DeletedBy::Operator, seq);
                let state = Arc::new(state);
                self.messages.insert(target, Arc::clone(&state));
                self.states.push(Arc::clone(&state));
                StoredEvent::Deletion(Arc::new(Deletion::new(room(), seq, DeletedBy::Operator, vec![state])))
            }
            None => {
                self.messages.insert(seq, message(seq, ""));
                StoredEvent::Message(message(seq, ""))
            }
        };
        self.events.push(event);
    }

    /// A user puts an emoji on a message, or removes it if it is there.
    fn react(&mut self, seq: u64, target: u64, message: &Message) -> StoredEvent {
        let reactor = reactor(if seq.is_multiple_of(4) { "me" } else { "bob" });
        let mut users = self.reactors.remove(&target).unwrap_or_default();
        let (mut added, mut removed) = (vec![], vec![]);
        if let Some(index) = users.iter().position(|user| *user == reactor) {
            removed.push(users.remove(index));
        } else {
            users.push(reactor.clone());
            added.push(reactor);
        }
        let count = users.len() as u64;
        let reactions = (count > 0).then(|| Reaction::new(emoji(), count, vec![])).into_iter().collect();
        let state = Arc::new(message.reacted(reactions, seq).unwrap());
        self.messages.insert(target, Arc::clone(&state));
        self.states.push(Arc::clone(&state));
        self.reactors.insert(target, users);
        let change = ReactionChange { emoji: emoji(), count, added, removed };
        StoredEvent::Reaction(Arc::new(StoredReaction::new(seq, state, change)))
    }

    fn deliver(&mut self) {
        if let Some(event) = self.events.get(self.tail.newest() as usize) {
            self.tail.push(event.clone());
        }
    }

    /// Stores `stored` events, and delivers up to `delivered` of those that are stored.
    fn advance(&mut self, stored: u64, delivered: u64) {
        (0..stored).for_each(|_| self.store());
        (0..delivered).for_each(|_| self.deliver());
    }

    fn read(&self, read: Read) -> Found {
        let kept = || self.messages.range(self.oldest..).map(|(_, message)| Arc::clone(message));
        match read {
            Read::Page(page) => {
                let (found, more) = match page {
                    Page::After { seq, limit } => {
                        let mut found = kept().filter(|message| message.seq > seq);
                        (found.by_ref().take(limit).collect::<Vec<_>>(), found.next().is_some())
                    }
                    Page::Before { seq, limit } => {
                        let mut found = kept().rev().filter(|message| message.seq < seq);
                        let mut messages: Vec<_> = found.by_ref().take(limit).collect();
                        messages.reverse();
                        (messages, found.next().is_some())
                    }
                };
                Found::Page(Messages::new(page, Extent::new(self.oldest, self.stored()), found, more))
            }
            Read::Changed { after, limit } => {
                let changed: Vec<_> = kept().filter(|message| message.changed_seq > Some(after)).collect();
                let changed = (changed.len() <= limit).then_some(changed);
                Found::Changed(Changed::new(changed, self.stored()))
            }
            Read::Own { targets, users } => {
                assert_eq!(users, [reactor("me").user]);
                let own = targets.iter().filter(|seq| self.has_own(**seq)).map(|seq| (*seq, vec![emoji()]));
                Found::Own(Own::new(own.collect(), self.stored()))
            }
        }
    }

    fn has_own(&self, seq: u64) -> bool {
        let is_mine = |user: &Reactor| *user == reactor("me");
        let is_there = self.messages[&seq].text().is_some();
        is_there && self.reactors.get(&seq).is_some_and(|users| users.iter().any(is_mine))
    }

    fn catch_up(&mut self, since: Option<u64>, newest: usize, speed: u64) -> CaughtUp {
        let mut catch_up = CatchUp::new(since, newest, CatchUpLimits::default());
        catch_up = catch_up.for_user(vec![reactor("me").user]);
        loop {
            match catch_up.step(&self.tail) {
                Step::Read(read) => catch_up.add(self.read(read)),
                Step::Done(caught) => return caught,
            }
            self.advance(speed, speed);
        }
    }

    /// The numbers of the recovered messages, and whether everything was recovered.
    fn seqs(&mut self, since: Option<u64>, newest: usize) -> (Vec<u64>, bool) {
        let CaughtUp { messages, changed, .. } = self.catch_up(since, newest, 0);
        (messages.iter().map(|message| message.seq).collect(), changed.is_some())
    }
}

#[test]
fn recovers_everything_since_a_position_or_the_newest() {
    let seqs = |range: std::ops::RangeInclusive<u64>| range.collect::<Vec<_>>();
    let world = |newest| World::new(1, newest, newest, 0);
    assert_eq!(world(10).seqs(Some(7), 2), (seqs(8..=10), true));
    assert_eq!(world(10).seqs(Some(10), 2), (vec![], true));
    assert_eq!(world(10).seqs(Some(11), 2), (seqs(9..=10), false), "past the newest");
    assert_eq!(world(2_000).seqs(Some(1_000), 2).0.len(), 1_000);
    assert_eq!(world(2_000).seqs(Some(999), 2), (seqs(1_999..=2_000), false), "too much");
    assert_eq!(World::new(9, 10, 10, 0).seqs(Some(7), 5), (seqs(9..=10), false), "pruned");
    assert_eq!(World::new(11, 10, 10, 0).seqs(None, 5), (vec![], false), "all pruned");
    assert_eq!(world(10).seqs(None, 0), (vec![], false));
    assert_eq!(world(0).seqs(None, 5), (vec![], false));
    assert_eq!(world(0).seqs(Some(0), 5), (vec![], true));
    assert_eq!(world(500).seqs(None, 300), (seqs(201..=500), false), "more than one read");
}

#[test]
fn recovers_the_changes_of_older_messages() {
    for tail_start in [0, 5, 12] {
        // the events 3, 6, 9 and 12 delete messages
        let mut world = World::new(1, tail_start, 12, 3);
        let CaughtUp { first, messages, changed, .. } = world.catch_up(Some(5), 0, 0);
        assert_eq!(first, 6);
        assert!(messages.iter().all(|message| *message == world.messages[&message.seq]));
        assert_eq!(messages.len(), 4, "7, 8, 10 and 11");
        let expected = world.messages.range(..=5).map(|(_, message)| message);
        let expected = expected.filter(|message| message.changed_seq > Some(5));
        assert_eq!(changed.unwrap(), expected.map(Arc::clone).collect::<Vec<_>>());
    }
}

#[test]
fn reading_stops_once_the_messages_exceed_the_limit() {
    let mut catch_up = CatchUp::new(Some(0), 0, CatchUpLimits::default());
    let tail = Tail::after(500);
    let long = "x".repeat(100_000);
    let mut pages = 0;
    while let Step::Read(read) = catch_up.step(&tail) {
        catch_up.add(match read {
            Read::Page(page @ Page::After { seq, .. }) => {
                pages += 1;
                let messages = (seq + 1..seq + 10).map(|seq| message(seq, &long)).collect();
                Found::Page(Messages::new(page, Extent::new(1, 500), messages, true))
            }
            Read::Page(page) => Found::Page(Messages::new(page, Extent::new(1, 500), vec![], true)),
            Read::Changed { .. } => Found::Changed(Changed::new(Some(vec![]), 500)),
            Read::Own { .. } => panic!("nobody asked for them"),
        });
    }
    assert_eq!(pages, 2);
    let nothing = CaughtUp { first: 501, messages: vec![], changed: None, mine: OwnReactions::new() };
    assert_eq!(catch_up.step(&tail), Step::Done(nothing));
}

/// A page that was read before a message was deleted does not bring its text back.
#[test]
fn a_state_is_not_older_than_its_place_in_the_stream() {
    for delivered in [1, 300] {
        let mut world = World::new(1, 10, 10, 0);
        let mut catch_up = CatchUp::new(Some(2), 0, CatchUpLimits::default());
        let mut reads = 0;
        let caught = loop {
            match catch_up.step(&world.tail) {
                Step::Read(read) => catch_up.add(world.read(read)),
                Step::Done(caught) => break caught,
            }
            reads += 1;
            if reads == 2 {
                // the page was read, and everything in it is deleted before the next step
                world.one_in = 1;
                world.advance(9, 9);
                world.one_in = 0;
                world.advance(delivered, delivered);
            }
        };
        assert!(caught.messages.iter().all(|message| *message == world.messages[&message.seq]), "{caught:?}");
        assert!(caught.messages.iter().filter(|message| message.text().is_none()).count() >= 3);
        let changed =
            world.messages.values().filter(|message| message.seq <= 2 && message.changed_seq > Some(2));
        assert_eq!(caught.changed.unwrap(), changed.map(Arc::clone).collect::<Vec<_>>());
    }
}

proptest! {
    // a world of many deletions takes a while
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However fast the room goes on in the meantime, the recovered messages are all those of their
    /// range, which ends with the newest delivered event and, if everything was recovered, begins
    /// right after `since`. Their states are not older than that.
    #[test]
    fn recovery_ends_where_the_live_stream_begins(
        (tail_start, delivered) in (0..900_u64, 0..400_u64),
        since in prop::option::of(0..1_500_u64),
        (oldest, newest, speed, ahead) in (1..900_u64, 0..300_usize, 0..300_u64, 0..5_u64),
        one_in in prop_oneof![Just(0), 2..9_u64],
    ) {
        let mut world = World::new(oldest.min(tail_start + 1), tail_start, tail_start + delivered, one_in);
        world.advance(ahead, 0);
        let CaughtUp { first, messages, changed, mine } = world.catch_up(since, newest, speed);
        let end = world.tail.newest();
        let state_at_end = |seq: u64| {
            let mut states = world.states.iter().rev().filter(|state| state.seq == seq);
            let state = states.find(|state| state.changed_seq.is_some_and(|by| by <= end));
            state.map_or_else(|| message(seq, ""), Arc::clone)
        };
        let is_current = |held: &Arc<Message>| {
            *held == world.messages[&held.seq] || *held == state_at_end(held.seq)
        };
        prop_assert!(messages.iter().all(is_current));
        // what has happened since the end may be included, and then all of it
        for held in messages.iter().chain(changed.iter().flatten()) {
            let has_reactions = held.text().is_some_and(|text| !text.reactions().is_empty());
            let is_later = world.messages[&held.seq].changed_seq.is_some_and(|by| by > end);
            // a tail has 256 events: what happens during two reads has to fit
            if !is_later && speed < 100 {
                let is_own = has_reactions && world.has_own(held.seq);
                prop_assert_eq!(mine.contains_key(&held.seq), is_own, "{}", held.seq);
            }
        }
        let kept = world.messages.range(first.max(world.oldest)..=end.max(first)).map(|(seq, _)| *seq);
        let kept: Vec<_> = kept.filter(|seq| *seq <= end).collect();
        prop_assert_eq!(messages.iter().map(|message| message.seq).collect::<Vec<_>>(), kept);
        prop_assert!(first <= end + 1);
        match changed {
            Some(changed) => {
                let since = since.unwrap();
                prop_assert_eq!(first, since + 1);
                prop_assert!(changed.iter().all(is_current));
                let expected: Vec<_> = world
                    .messages
                    .range(world.oldest..=since.max(world.oldest))
                    .filter(|(seq, message)| {
                        **seq <= since && message.changed_seq.is_some_and(|by| by > since && by <= end)
                    })
                    .map(|(seq, _)| *seq)
                    .collect();
                let found: Vec<_> = changed.iter().map(|message| message.seq).collect();
                prop_assert!(expected.iter().all(|seq| found.contains(seq)), "{expected:?} {found:?}");
                prop_assert!(found.is_sorted());
            }
            None => prop_assert!(messages.len() <= newest),
        }
    }
}
