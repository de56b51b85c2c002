//! The log of a room, rebuilt from what was acknowledged.

use std::collections::{BTreeMap, BTreeSet};

use crate::log::{Entry, text};
use crate::view::State;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    Message { id: String, body: String, reply_to: Option<u64> },
    Edit { target: u64, id: String, body: String },
    Delete { target: u64 },
    React { target: u64, emoji: String, is_on: bool },
    Configure { join: Option<String>, post: Option<String> },
}

#[derive(Debug, Default)]
pub(crate) struct Room {
    /// What was acknowledged under each number, and to whom.
    pub(crate) events: BTreeMap<u64, (String, Event)>,
    /// The numbers of the events about a message, without its own.
    about: BTreeMap<u64, Vec<u64>>,
}

impl Room {
    pub(crate) fn new(log: &[Entry], room: &str) -> Self {
        let mut found = Self::default();
        for entry in log.iter().filter(|entry| entry.room() == room) {
            let Some(seq) = entry.seq() else { continue };
            let Some(event) = event(entry) else { continue };
            let event = (entry.user.clone(), event);
            // a repeated command has the number of the first one
            let known = found.events.entry(seq).or_insert_with(|| event.clone());
            assert_eq!(*known, event, "two events have the number {seq} in {room}");
        }
        if room.starts_with('~') {
            // that it is private or direct is the first event
            let first = (String::new(), Event::Configure { join: None, post: None });
            assert_eq!(found.events.insert(1, first), None);
        }
        for (seq, (_, event)) in &found.events {
            match event {
                Event::Edit { target, .. } | Event::Delete { target } | Event::React { target, .. } => {
                    found.about.entry(*target).or_default().push(*seq);
                }
                Event::Message { .. } | Event::Configure { .. } => {}
            }
        }
        found
    }

    /// The numbers of the messages in this range.
    pub(crate) fn messages(&self, range: std::ops::RangeInclusive<u64>) -> Vec<u64> {
        let events = self.events.range(range);
        let messages = events.filter(|(_, (_, event))| matches!(event, Event::Message { .. }));
        messages.map(|(seq, _)| *seq).collect()
    }

    pub(crate) fn author(&self, seq: u64) -> &str {
        &self.events[&seq].0
    }

    /// A message after the event with the number `as_of`, for the session of this user.
    pub(crate) fn state(&self, seq: u64, as_of: u64, viewer: &str) -> State {
        let Some((user, Event::Message { id, body, reply_to })) = self.events.get(&seq) else {
            panic!("{seq} is not the number of a message")
        };
        let reply_to = reply_to.map(|to| (to, self.author(to).to_owned()));
        let mut state =
            State { id: id.clone(), user: user.clone(), body: body.clone(), reply_to, ..State::default() };
        let mut reactions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for number in self.about.get(&seq).into_iter().flatten().filter(|number| **number <= as_of) {
            let (doer, event) = &self.events[number];
            assert!(state.deleted.is_none(), "{event:?} of a deleted message");
            state.changed = *number;
            match event {
                Event::Edit { body, .. } => {
                    assert_eq!(doer, user, "only the author edits");
                    (state.body, state.is_edited) = (body.clone(), true);
                }
                Event::Delete { .. } => {
                    let by = if doer == user { "author" } else { "moderator" };
                    let deleted = Some(by.to_owned());
                    state = State { deleted, changed: *number, ..State::default() };
                    reactions.clear();
                }
                Event::React { emoji, is_on, .. } => {
                    let users = reactions.entry(emoji).or_default();
                    let changed = if *is_on { users.insert(doer) } else { users.remove(doer.as_str()) };
                    assert!(changed, "the reaction {number} changes nothing");
                }
                Event::Message { .. } | Event::Configure { .. } => unreachable!(),
            }
        }
        reactions.retain(|_, users| !users.is_empty());
        let counts = reactions
            .into_iter()
            .map(|(emoji, users)| (emoji.to_owned(), (users.len() as u64, users.contains(viewer))));
        state.reactions = counts.collect();
        state
    }
}

fn event(entry: &Entry) -> Option<Event> {
    let command = &entry.command;
    let field = |name| text(command, name).to_owned();
    let optional = |name: &str| command[name].as_str().map(str::to_owned);
    match entry.kind() {
        "send" => {
            assert_eq!(entry.answer["id"], command["id"]);
            let reply_to = command["reply_to"].as_u64();
            Some(Event::Message { id: field("id"), body: field("body"), reply_to })
        }
        "edit" => Some(Event::Edit { target: entry.target(), id: field("id"), body: field("body") }),
        "delete" => Some(Event::Delete { target: entry.target() }),
        "react" => {
            let is_on = command["on"] == true;
            Some(Event::React { target: entry.target(), emoji: field("emoji"), is_on })
        }
        "configure_room" | "create_room" => {
            Some(Event::Configure { join: optional("join"), post: optional("post") })
        }
        _ => None,
    }
}
