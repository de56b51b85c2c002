//! Clients that keep a room over all kills by the cursor rule, and nothing else.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use chat_testkit::Seen;
use chat_testkit::v2::Session;
use serde_json::{Value, json};
use tokio::sync::Barrier;

use super::room;

/// The state of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct State {
    /// The id and the text; `None` if the message was deleted.
    pub(super) text: Option<(String, String)>,
    /// The number of the last event that has changed it.
    pub(super) changed: Option<u64>,
}

impl State {
    pub(super) fn id(&self) -> Option<&String> {
        self.text.as_ref().map(|(id, _)| id)
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
    let changed = message["changed_seq"].as_u64();
    if let Some(id) = id {
        let expected = if changed.is_some() { edited(id) } else { format!("says {id}") };
        assert_eq!(body, Some(&*expected), "{message}");
    }
    State { text: id.zip(body).map(|(id, body)| (id.to_owned(), body.to_owned())), changed }
}

pub(super) fn seq(frame: &Value) -> u64 {
    frame["seq"].as_u64().unwrap()
}

/// A client's view of one room.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) number: usize,
    /// Epoch and number of the last event that was applied.
    since: Option<Value>,
    pub(super) messages: BTreeMap<u64, State>,
    /// The ids of all messages that were delivered, by number.
    pub(super) delivered: BTreeMap<u64, String>,
    /// How many edits were delivered.
    pub(super) edits: usize,
    /// How many deletions were delivered.
    pub(super) deletions: usize,
    /// How often everything was recovered.
    pub(super) recoveries: usize,
}

impl Reader {
    pub(super) fn new(number: usize) -> Self {
        let (messages, delivered) = (BTreeMap::new(), BTreeMap::new());
        Self { number, since: None, messages, delivered, edits: 0, deletions: 0, recoveries: 0 }
    }

    /// Reads until the server is killed, or until everything up to the number `until` is there.
    pub(super) async fn read(&mut self, server: SocketAddr, all_joined: &Barrier, until: Option<u64>) {
        let mut session = Session::hello(server, &format!("reader{}", self.number)).await;
        let mut join = json!({"type": "join", "room": room(self.number), "history": 200});
        if let Some(since) = &self.since {
            join["since"] = since.clone();
        }
        let joined = session.ask(join).await;
        self.on_joined(&joined);
        all_joined.wait().await;
        while until.is_none_or(|until| self.cursor() < until) {
            let Seen::Event(frame) = session.client.see().await else { return };
            match frame["type"].as_str().unwrap() {
                "message" => {
                    self.moves(&frame);
                    self.hold(&frame);
                }
                "edited" => {
                    self.moves(&frame);
                    self.edits += 1;
                    if let Some(held) = self.messages.get_mut(&frame["target"].as_u64().unwrap()) {
                        let (id, _) = held.text.take().expect("a deleted message is not edited");
                        assert_eq!(frame["body"], edited(&id));
                        *held = State { text: Some((id.clone(), edited(&id))), changed: Some(seq(&frame)) };
                    }
                }
                "deleted" => {
                    self.moves(&frame);
                    self.deletions += 1;
                    for target in frame["targets"].as_array().unwrap() {
                        if let Some(held) = self.messages.get_mut(&target.as_u64().unwrap()) {
                            *held = State { text: None, changed: Some(seq(&frame)) };
                        }
                    }
                }
                "sync" => {
                    assert_eq!(frame["recovered"], true, "little was missed: {frame}");
                    self.moves(&frame);
                    self.hold_all(&frame);
                }
                _ => {}
            }
        }
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
    }

    /// Checks that a frame follows what was applied, and moves the cursor.
    fn moves(&mut self, frame: &Value) {
        let first = frame["first_seq"].as_u64().unwrap_or(seq(frame));
        assert_eq!(first, self.cursor() + 1, "in order, without a gap: {frame}");
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
