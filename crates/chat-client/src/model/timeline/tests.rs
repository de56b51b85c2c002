//! Whatever the order in which lists and events arrive, the newest state of each message remains.

use std::sync::Arc;

use chat_protocol::v2::{
    DeletedBy, Edited, HistoryPage, ReactionChange, ReactionCount, Reactions, Reactor, RoomSettings, Standing,
};
use chat_protocol::{Emoji, Epoch, Timestamp};
use proptest::prelude::*;

use super::super::event::{Joined, Reacted};
use super::*;

/// The number of messages of a room. Their numbers are 1, 2 and so on.
const MESSAGES: u64 = 4;

/// What an event does to a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    /// As by an event of a later version of the protocol.
    Edit,
    Delete,
    /// A user puts one of two emoji on it, or removes it if it is there.
    React(u8, bool),
}

/// What a program receives.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// The next event of the room.
    Next,
    /// A page of all messages up to this one, as they are so many events later, or at the end.
    Page(u64, usize),
    /// The state of one message, as it is so many events later, or at the end.
    State(u64, usize),
}

fn room() -> RoomName {
    "lobby".parse().unwrap()
}

fn text(seq: u64, changed_seq: Option<u64>, html: bool) -> StoredMessage {
    StoredMessage::Text {
        seq,
        id: chat_protocol::MessageId::from_random(seq.into()),
        from: "ana".parse().unwrap(),
        user: "u_ana".parse().unwrap(),
        body: format!("{changed_seq:?}").into(),
        html: html.then(|| "html".into()),
        sent_at: Timestamp::from_millis(0),
        reply_to: None,
        mentions: None,
        edited_at: changed_seq.map(|_| Timestamp::from_millis(0)),
        changed_seq,
        reactions: Vec::new(),
    }
}

fn emoji(is_first: bool) -> Emoji {
    Emoji::parse(if is_first { "👍" } else { "🎉" }).unwrap()
}

/// The first user is the one of the client.
fn reactor(number: u8) -> Reactor {
    Reactor { username: format!("p{number}").parse().unwrap(), user: format!("u_{number}").parse().unwrap() }
}

/// What a reaction makes of those of a message.
fn toggle(reactions: &mut Vec<ReactionCount>, user: u8, is_first: bool) -> ReactionChange {
    let (emoji, reactor) = (emoji(is_first), reactor(user));
    let index = reactions.iter().position(|known| known.emoji == emoji).unwrap_or_else(|| {
        reactions.push(ReactionCount { emoji: emoji.clone(), count: 0, users: Vec::new(), mine: false });
        reactions.len() - 1
    });
    let reaction = &mut reactions[index];
    let (mut added, mut removed) = (Vec::new(), Vec::new());
    if let Some(index) = reaction.users.iter().position(|name| *name == reactor.username) {
        reaction.users.remove(index);
        removed.push(reactor);
    } else {
        reaction.users.push(reactor.username.clone());
        added.push(reactor);
    }
    let count = reaction.users.len() as u64;
    (reaction.count, reaction.mine) = (count, reaction.users.contains(&self::reactor(0).username));
    reactions.retain(|reaction| reaction.count > 0);
    ReactionChange { emoji, count, added, removed }
}

/// The event that changes a message from this state.
fn react(seq: u64, mut before: StoredMessage, user: u8, is_first: bool) -> Event {
    let target = before.seq();
    let StoredMessage::Text { reactions, .. } = &mut before else { panic!("a text") };
    let changes = vec![toggle(reactions, user, is_first)];
    let reactions = Reactions { room: room(), first_seq: None, seq, target, changes };
    Event::Reacted(Reacted::new(reactions, &[reactor(0).user]))
}

fn deleted(seq: u64, changed_seq: u64) -> StoredMessage {
    let (sent_at, by) = (Timestamp::from_millis(0), DeletedBy::Author);
    StoredMessage::Deleted { seq, sent_at, deleted: true, by, changed_seq }
}

fn delete(seq: u64, targets: &[u64]) -> Event {
    Event::Deleted(Deleted { room: room(), seq, targets: targets.to_vec(), by: DeletedBy::Author })
}

fn edit(seq: u64, target: u64) -> Event {
    let (body, html, edited_at) = (format!("{:?}", Some(seq)).into(), None, Timestamp::from_millis(0));
    Event::Edited(Edited { room: room(), seq, target, body, html, mentions: None, edited_at })
}

fn page(messages: Vec<StoredMessage>) -> Event {
    let (reference, epoch, more) = (None, Epoch::new("e"), false);
    let page = HistoryPage { reference, room: room(), epoch, first: 1, last: MESSAGES, messages, more };
    Event::History(Arc::new(page))
}

fn joined(seq: u64, oldest: u64, messages: Vec<StoredMessage>, recovered: bool) -> Event {
    let (epoch, members, member_count, first, since) = (Epoch::new("e"), Vec::new(), 1, 1, None);
    let room = room();
    Event::Joined(Arc::new(Joined {
        room,
        epoch,
        seq,
        oldest,
        info: RoomSettings::default(),
        topic_html: None,
        standing: Standing::default(),
        members,
        member_count,
        first,
        messages,
        recovered,
        since,
    }))
}

/// The number of an event that changes a message.
fn number(event: usize) -> u64 {
    MESSAGES + 1 + event as u64
}

/// A message after the first events.
fn state(seq: u64, changes: &[(u64, Change)], events: usize) -> StoredMessage {
    let mut state = text(seq, None, false);
    for (event, (target, change)) in changes.iter().enumerate().take(events) {
        match change {
            _ if *target != seq => {}
            Change::Edit => {
                let StoredMessage::Text { reactions: held, .. } = state else { continue };
                state = text(seq, Some(number(event)), false);
                if let StoredMessage::Text { reactions, .. } = &mut state {
                    *reactions = held;
                }
            }
            Change::React(user, is_first) => {
                if let StoredMessage::Text { reactions, changed_seq, .. } = &mut state {
                    toggle(reactions, *user, *is_first);
                    *changed_seq = Some(number(event));
                }
            }
            Change::Delete => state = deleted(seq, number(event)),
        }
    }
    state
}

/// Changes of messages, none of a deleted one.
fn changes() -> impl Strategy<Value = Vec<(u64, Change)>> {
    let reaction = (0..3_u8, any::<bool>()).prop_map(|(user, is_first)| Change::React(user, is_first));
    let change = prop_oneof![3 => Just(Change::Edit), 1 => Just(Change::Delete), 6 => reaction];
    prop::collection::vec((1..=MESSAGES, change), 0..12).prop_map(|changes| {
        let mut gone = Vec::new();
        let is_possible = |(target, change): &(u64, Change)| {
            let is_there = !gone.contains(target);
            if *change == Change::Delete {
                gone.push(*target);
            }
            is_there
        };
        changes.into_iter().filter(is_possible).collect()
    })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => Just(Step::Next),
        1 => (1..=MESSAGES, 0..12_usize).prop_map(|(last, later)| Step::Page(last, later)),
        1 => (1..=MESSAGES, 0..12_usize).prop_map(|(seq, later)| Step::State(seq, later)),
    ];
    prop::collection::vec(step, 0..40)
}

proptest! {
    #[test]
    fn lists_and_events_in_any_order_end_in_the_same_state(changes in changes(), steps in steps()) {
        let mut timeline = Timeline::new(room());
        let (mut place, mut held) = (0, 0);
        let to_the_end = std::iter::repeat_n(Step::Next, changes.len());
        for step in steps.into_iter().chain(to_the_end) {
            let event = match step {
                Step::Next => {
                    let Some((target, change)) = changes.get(place) else { continue };
                    place += 1;
                    match change {
                        Change::Delete => delete(number(place - 1), &[*target]),
                        Change::Edit => edit(number(place - 1), *target),
                        Change::React(user, is_first) => {
                            let before = state(*target, &changes, place - 1);
                            react(number(place - 1), before, *user, *is_first)
                        }
                    }
                }
                Step::Page(last, later) => {
                    held = held.max(last);
                    page((1..=last).map(|seq| state(seq, &changes, place + later)).collect())
                }
                Step::State(seq, later) => {
                    Event::Changed { room: room(), message: state(seq, &changes, place + later) }
                }
            };
            timeline.apply(&event);
            prop_assert!(!timeline.apply(&event), "twice is as once");
        }
        let expected: Vec<_> = (1..=held).map(|seq| state(seq, &changes, changes.len())).collect();
        prop_assert_eq!(timeline.messages().cloned().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn the_newest_of_all_states_remains(
        states in prop::collection::vec((prop::option::of(2..6_u64), any::<bool>()), 1..8),
    ) {
        let mut timeline = Timeline::new(room());
        for (changed_seq, html) in &states {
            timeline.insert(&text(1, *changed_seq, *html));
        }
        let (changed_seq, html) = *states.iter().max().unwrap();
        prop_assert_eq!(timeline.get(1), Some(&text(1, changed_seq, html)));
    }
}

#[test]
fn a_deletion_concerns_the_messages_that_are_held() {
    let mut timeline = Timeline::new(room());
    timeline.apply(&page(vec![text(1, None, true), text(2, Some(9), true), text(3, Some(7), true)]));
    assert!(timeline.apply(&delete(8, &[1, 2, 3, 4])));
    let messages: Vec<_> = timeline.messages().cloned().collect();
    assert_eq!(messages, [deleted(1, 8), text(2, Some(9), true), deleted(3, 8)]);
    assert!(!timeline.apply(&delete(8, &[1, 2, 3, 4])));
    assert!(!timeline.update(&text(4, Some(9), false)), "an isolated message is not added");
}

#[test]
fn a_room_that_starts_again_has_only_the_messages_of_its_new_beginning() {
    let mut timeline = Timeline::new(room());
    timeline.apply(&page(vec![text(1, None, false), text(2, Some(9), false)]));
    assert!(timeline.apply(&joined(20, 1, vec![text(2, None, false)], false)));
    assert_eq!(timeline.messages().cloned().collect::<Vec<_>>(), [text(2, None, false)]);
    assert!(timeline.apply(&joined(20, 1, Vec::new(), false)));
    assert!(timeline.is_empty());
}

#[test]
fn a_recovered_room_keeps_its_messages_that_are_not_too_old() {
    let mut timeline = Timeline::new(room());
    timeline.apply(&page((1..=4).map(|seq| text(seq, None, false)).collect()));
    assert!(!timeline.apply(&joined(20, 1, Vec::new(), true)));
    assert!(timeline.apply(&joined(20, 3, Vec::new(), true)));
    assert_eq!(timeline.messages().map(StoredMessage::seq).collect::<Vec<_>>(), [3, 4]);
}

#[test]
fn other_rooms_have_no_effect() {
    let mut tea = Timeline::new("tea".parse().unwrap());
    let message = text(1, None, false);
    tea.insert(&message);
    for event in [
        Event::Message { room: room(), message: text(2, None, false) },
        Event::Changed { room: room(), message: text(1, Some(5), false) },
        delete(5, &[1]),
        page(vec![text(3, None, false)]),
        joined(5, 4, Vec::new(), false),
    ] {
        assert!(!tea.apply(&event), "{event:?}");
    }
    assert_eq!(tea.messages().collect::<Vec<_>>(), [&message]);
}
