//! What one session knows of a room, by the cursor rules of the protocol.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::log::text;

/// A message, as a client or the model has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) id: String,
    pub(crate) user: String,
    pub(crate) body: String,
    /// The number and the author of the message that this one replies to.
    pub(crate) reply_to: Option<(u64, String)>,
    pub(crate) is_edited: bool,
    /// Who deleted it.
    pub(crate) deleted: Option<String>,
    pub(crate) changed: u64,
    /// How many users have put an emoji there, and whether the user of the session has.
    pub(crate) reactions: BTreeMap<String, (u64, bool)>,
}

impl State {
    /// An item of a list, or a `message`.
    pub(crate) fn of(item: &Value) -> Self {
        let mut state = Self { changed: item["changed_seq"].as_u64().unwrap_or_default(), ..Self::default() };
        if item["deleted"] == true {
            for field in ["id", "from", "user", "body", "reply_to", "reactions", "edited_at"] {
                assert!(item.get(field).is_none(), "a deleted message with {field}: {item}");
            }
            state.deleted = Some(text(item, "by").to_owned());
            return state;
        }
        let field = |name| text(item, name).to_owned();
        (state.id, state.user, state.body) = (field("id"), field("user"), field("body"));
        state.is_edited = item.get("edited_at").is_some();
        state.reply_to =
            item.get("reply_to").map(|to| (to["seq"].as_u64().unwrap(), text(to, "user").to_owned()));
        for reaction in item["reactions"].as_array().into_iter().flatten() {
            let count = (reaction["count"].as_u64().unwrap(), reaction["mine"] == true);
            state.reactions.insert(text(reaction, "emoji").to_owned(), count);
        }
        state
    }
}

#[derive(Debug, Default)]
pub(crate) struct View {
    pub(crate) is_present: bool,
    pub(crate) cursor: u64,
    /// From which number on the session has all messages.
    pub(crate) first: u64,
    pub(crate) messages: BTreeMap<u64, State>,
    /// The number that the last `joined` had.
    joined_at: u64,
    /// When the session joined last.
    pub(crate) joined: u64,
}

impl View {
    pub(crate) fn joined(&mut self, frame: &Value, since: Option<u64>) {
        let seq = frame["seq"].as_u64().unwrap();
        assert_eq!(frame["last"], frame["seq"], "{frame}");
        if let Some(since) = since.filter(|since| frame["recovered"] == true || seq - since <= 1_000) {
            // nothing is ever pruned here
            assert_eq!(frame["recovered"], true, "{frame}");
            assert_eq!(since, self.cursor);
            for item in list(frame, "messages") {
                assert!(number(item) > since, "{item} is not after {since}");
                self.put(item);
            }
            for item in list(frame, "changed") {
                assert!(number(item) <= since, "{item} is after {since}");
                if number(item) >= self.first {
                    self.put(item);
                }
            }
        } else {
            self.messages.clear();
            self.first = frame["first"].as_u64().unwrap();
            for item in list(frame, "messages") {
                self.put(item);
            }
        }
        (self.cursor, self.joined_at, self.is_present) = (seq, seq, true);
    }

    /// A page that was requested before the first message.
    pub(crate) fn page(&mut self, frame: &Value) {
        let (first, last) = (frame["first"].as_u64().unwrap(), frame["last"].as_u64().unwrap());
        for item in list(frame, "messages") {
            assert!((first..=last).contains(&number(item)), "{item} is not in {first} to {last}");
            if last + 1 >= self.first || number(item) >= self.first {
                self.put(item);
            }
        }
        if last + 1 >= self.first {
            self.first = self.first.min(first);
        }
    }

    /// An item of a list is never older than what the session has.
    fn put(&mut self, item: &Value) {
        let (seq, state) = (number(item), State::of(item));
        let known = self.messages.get(&seq).map_or(0, |known| known.changed);
        assert!(known <= state.changed, "{item} is older than {:?}", self.messages[&seq]);
        self.messages.insert(seq, state);
    }

    /// A durable event. Without faults of the store, no event is missing, and none comes twice.
    pub(crate) fn event(&mut self, frame: &Value, me: &str) {
        let seq = number(frame);
        let first = frame["first_seq"].as_u64().unwrap_or(seq);
        let next = self.cursor + 1;
        if seq < next {
            // reactions are merged for a moment: a session that joins meanwhile has them already
            let is_late = text(frame, "type") == "reactions" && seq <= self.joined_at;
            assert!(is_late, "{frame} after {}", self.cursor);
            return;
        }
        assert!((first..=seq).contains(&next), "{frame} after {}", self.cursor);
        self.cursor = seq;
        let target = frame["target"].as_u64().unwrap_or_default();
        match text(frame, "type") {
            "message" => self.put(frame),
            "edited" => {
                if let Some(state) = self.older(target, seq) {
                    state.body = text(frame, "body").to_owned();
                    state.is_edited = true;
                }
            }
            "deleted" => {
                for target in frame["targets"].as_array().unwrap() {
                    if let Some(state) = self.older(target.as_u64().unwrap(), seq) {
                        let deleted = Some(text(frame, "by").to_owned());
                        *state = State { deleted, changed: seq, ..State::default() };
                    }
                }
            }
            "reactions" => {
                if let Some(state) = self.older(target, seq) {
                    for change in list(frame, "changes") {
                        react(state, change, me);
                    }
                }
            }
            "room_changed" => {}
            other => panic!("{other} without a fault of the store: {frame}"),
        }
    }

    /// The message, if this event is newer than what the session knows of it.
    fn older(&mut self, target: u64, seq: u64) -> Option<&mut State> {
        let state = self.messages.get_mut(&target).filter(|state| state.changed < seq)?;
        state.changed = seq;
        Some(state)
    }
}

fn react(state: &mut State, change: &Value, me: &str) {
    let (emoji, count) = (text(change, "emoji").to_owned(), change["count"].as_u64().unwrap());
    let names_me = |field| list(change, field).iter().any(|user| user["user"] == me);
    let before = state.reactions.get(&emoji).is_some_and(|(_, mine)| *mine);
    let mine = (before || names_me("added")) && !names_me("removed");
    if count == 0 {
        state.reactions.remove(&emoji);
    } else {
        state.reactions.insert(emoji, (count, mine));
    }
}

fn number(item: &Value) -> u64 {
    item["seq"].as_u64().unwrap()
}

fn list<'a>(frame: &'a Value, field: &str) -> &'a [Value] {
    frame[field].as_array().map(Vec::as_slice).unwrap_or_default()
}
