//! Clients that keep a room over all kills by the cursor rule, and nothing else.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use chat_testkit::Seen;
use chat_testkit::v2::{Session, guest_token};
use serde_json::{Value, json};
use tokio::sync::{Barrier, Notify};

use super::reactions::{EMOJI, Reactions};
use super::{REACTED, is_end, room};

/// The state of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct State {
    /// `None` if the message was deleted.
    pub(super) text: Option<Text>,
    /// The number of the last event that has changed it.
    pub(super) changed: Option<u64>,
}

/// A message that is not deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Text {
    pub(super) id: String,
    pub(super) body: String,
    pub(super) reply_to: Option<u64>,
    /// By emoji: the count, and whether it is the client's own, too.
    pub(super) reactions: BTreeMap<String, (u64, bool)>,
}

impl State {
    pub(super) fn id(&self) -> Option<&String> {
        self.text.as_ref().map(|text| &text.id)
    }
}

/// The text of a message after it was edited.
pub(super) fn edited(id: &str) -> String {
    format!("edited {id}")
}

/// The state of an item of a list, or of a `message`.
pub(super) fn state(message: &Value) -> State {
    let is_deleted = message["deleted"] == json!(true);
    let (id, body) = (message["id"].as_str(), message["body"].as_str());
    assert_eq!((id.is_none(), body.is_none()), (is_deleted, is_deleted), "{message}");
    let text = id.zip(body).map(|(id, body)| {
        let is_edited = message["edited_at"].is_string();
        let expected = if is_edited { edited(id) } else { format!("says {id}") };
        assert_eq!(body, expected, "{message}");
        let reaction = |reaction: &Value| {
            let (count, is_mine) = (reaction["count"].as_u64().unwrap(), reaction["mine"] == true);
            assert!(count > 0, "{message}");
            (reaction["emoji"].as_str().unwrap().to_owned(), (count, is_mine))
        };
        let reactions = message["reactions"].as_array().into_iter().flatten().map(reaction).collect();
        let reply_to = message["reply_to"]["seq"].as_u64();
        Text { id: id.to_owned(), body: body.to_owned(), reply_to, reactions }
    });
    State { text, changed: message["changed_seq"].as_u64() }
}

pub(super) fn seq(frame: &Value) -> u64 {
    frame["seq"].as_u64().unwrap()
}

/// A client's view of one room.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) number: usize,
    pub(super) guest_token: String,
    /// Epoch and number of the last event that was applied.
    since: Option<Value>,
    pub(super) messages: BTreeMap<u64, State>,
    /// The ids of all messages that were delivered, by number.
    pub(super) delivered: BTreeMap<u64, String>,
    /// Its own reactions.
    pub(super) reactions: Reactions,
    /// Whether it waits for what it has missed.
    is_behind: bool,
    /// How many reactions were delivered.
    pub(super) reacted: usize,
    /// How many edits were delivered.
    pub(super) edits: usize,
    /// How many deletions were delivered.
    pub(super) deletions: usize,
    /// Notified of each deletion.
    on_deletion: Arc<Notify>,
    /// How often everything was recovered.
    pub(super) recoveries: usize,
}

impl Reader {
    pub(super) fn new(number: usize, on_deletion: Arc<Notify>) -> Self {
        let (messages, delivered) = (BTreeMap::new(), BTreeMap::new());
        Self {
            number,
            guest_token: guest_token(),
            since: None,
            messages,
            delivered,
            reactions: Reactions::default(),
            is_behind: false,
            reacted: 0,
            edits: 0,
            deletions: 0,
            on_deletion,
            recoveries: 0,
        }
    }

    /// Reads until the server is killed, or until everything up to the number `until` is there.
    pub(super) async fn read(&mut self, server: SocketAddr, all_joined: &Barrier, until: Option<u64>) {
        let mut session = Session::hello_as(server, &self.name(), &self.guest_token).await;
        let user = session.user().to_owned();
        let joined = session.ask(self.join()).await;
        self.on_joined(&joined);
        all_joined.wait().await;
        for (key, is_added) in self.reactions.uncertain() {
            let command = self.reactions.command(&room(self.number), key, is_added);
            if !session.client.try_send(&command.to_string()).await {
                return;
            }
        }
        while until.is_none_or(|until| self.cursor() < until) {
            let Seen::Event(frame) = session.client.see().await else { return };
            if is_end(&frame) {
                return;
            }
            match frame["type"].as_str().unwrap() {
                "message" if !self.is_behind => {
                    self.moves(&frame);
                    self.hold(&frame);
                    if until.is_none() && seq(&frame).is_multiple_of(REACTED) {
                        let key = (seq(&frame), EMOJI[self.number % EMOJI.len()]);
                        let command = self.reactions.command(&room(self.number), key, true);
                        if !session.client.try_send(&command.to_string()).await {
                            return;
                        }
                    }
                }
                "reactions" if !self.is_behind => self.react(&frame, &user),
                "ack" | "error" => {
                    let answered = self.reactions.answered(&frame);
                    assert!(answered.is_some(), "{frame}");
                }
                "edited" if !self.is_behind => {
                    self.moves(&frame);
                    self.edits += 1;
                    if let Some(held) = self.messages.get_mut(&frame["target"].as_u64().unwrap()) {
                        let text = held.text.as_mut().expect("a deleted message is not edited");
                        assert_eq!(frame["body"], edited(&text.id));
                        text.body = edited(&text.id);
                        held.changed = Some(seq(&frame));
                    }
                }
                "deleted" if !self.is_behind => {
                    self.moves(&frame);
                    self.deletions += 1;
                    self.on_deletion.notify_one();
                    for target in frame["targets"].as_array().unwrap() {
                        if let Some(held) = self.messages.get_mut(&target.as_u64().unwrap()) {
                            *held = State { text: None, changed: Some(seq(&frame)) };
                        }
                    }
                }
                "joined" => self.on_joined(&frame),
                // little was missed, but the server does not know whose reactions there are
                "sync" if frame["recovered"] == false && !self.is_behind => {
                    self.is_behind = true;
                    if !session.client.try_send(&self.join().to_string()).await {
                        return;
                    }
                }
                "sync" if !self.is_behind => {
                    self.moves(&frame);
                    self.hold_all(&frame);
                }
                _ => {}
            }
        }
    }

    pub(super) fn name(&self) -> String {
        format!("reader{}", self.number)
    }

    fn join(&self) -> Value {
        let mut join = json!({"type": "join", "room": room(self.number), "history": 200});
        if let Some(since) = &self.since {
            join["since"] = since.clone();
        }
        join
    }

    /// Users have put emoji on a message, or removed them. A list may have had some of it before.
    fn react(&mut self, frame: &Value, user: &str) {
        if seq(frame) <= self.cursor() {
            return;
        }
        self.follows(frame);
        self.reacted += 1;
        let changed = Some(seq(frame));
        let held = self.messages.get_mut(&frame["target"].as_u64().unwrap());
        let Some(held) = held.filter(|held| held.changed < changed) else { return };
        held.changed = changed;
        let reactions = &mut held.text.as_mut().expect("nobody reacts to a deleted message").reactions;
        for change in frame["changes"].as_array().unwrap() {
            let has_own = |list: &str| {
                change[list].as_array().into_iter().flatten().any(|reactor| reactor["user"] == user)
            };
            let emoji = change["emoji"].as_str().unwrap();
            let (count, is_mine) = reactions.entry(emoji.to_owned()).or_default();
            *count = change["count"].as_u64().unwrap();
            *is_mine = has_own("added") || (*is_mine && !has_own("removed"));
        }
        reactions.retain(|_, (count, _)| *count > 0);
    }

    fn cursor(&self) -> u64 {
        self.since.as_ref().map_or(0, seq)
    }

    fn on_joined(&mut self, joined: &Value) {
        if self.since.is_some() && joined["recovered"] == true {
            self.recoveries += 1;
        } else {
            self.messages.clear();
        }
        self.hold_all(joined);
        self.since = Some(json!({"epoch": joined["epoch"], "seq": joined["seq"]}));
        self.is_behind = false;
    }

    /// Checks that a frame follows what was applied, and moves the cursor.
    fn moves(&mut self, frame: &Value) {
        let first = frame["first_seq"].as_u64().unwrap_or(seq(frame));
        assert_eq!(first, self.cursor() + 1, "in order, without a gap: {frame}");
        self.follows(frame);
    }

    fn follows(&mut self, frame: &Value) {
        let first = frame["first_seq"].as_u64().unwrap_or(seq(frame));
        assert!(first <= self.cursor() + 1, "in order, without a gap: {frame}");
        if let Some(since) = &mut self.since {
            since["seq"] = frame["seq"].clone();
        }
    }

    fn hold_all(&mut self, lists: &Value) {
        for list in ["messages", "changed"] {
            lists[list].as_array().into_iter().flatten().for_each(|message| self.hold(message));
        }
    }

    fn hold(&mut self, message: &Value) {
        let (seq, state) = (seq(message), state(message));
        if let Some(id) = state.id() {
            let before = self.delivered.insert(seq, id.clone());
            assert!(before.is_none_or(|before| before == *id), "a number belongs to one message");
        }
        if let Some(held) = self.messages.get(&seq) {
            assert!(held.changed <= state.changed, "no list is older than the stream: {message}");
        }
        self.messages.insert(seq, state);
    }
}
