//! Clients that keep a room over all kills by the cursor rule, and nothing else.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use chat_testkit::Seen;
use chat_testkit::v2::Session;
use serde_json::{Value, json};
use tokio::sync::Barrier;

use super::room;

/// A message: its id and the number of the last event that has changed it. The id of a deleted
/// message is gone.
pub(super) type State = (Option<String>, Option<u64>);

/// The state of an item of a list, or of a `message`.
pub(super) fn state(message: &Value) -> State {
    let is_deleted = message["deleted"] == json!(true);
    let id = message["id"].as_str().map(str::to_owned);
    assert_eq!(id.is_none(), is_deleted, "{message}");
    if let Some(id) = &id {
        assert_eq!(message["body"], format!("says {id}"));
    }
    (id, message["changed_seq"].as_u64())
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
    /// How many deletions were delivered.
    pub(super) deletions: usize,
    /// How often everything was recovered.
    pub(super) recoveries: usize,
}

impl Reader {
    pub(super) fn new(number: usize) -> Self {
        let (messages, delivered) = (BTreeMap::new(), BTreeMap::new());
        Self { number, since: None, messages, delivered, deletions: 0, recoveries: 0 }
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
                "deleted" => {
                    self.moves(&frame);
                    self.deletions += 1;
                    for target in frame["targets"].as_array().unwrap() {
                        if let Some(held) = self.messages.get_mut(&target.as_u64().unwrap()) {
                            *held = (None, Some(seq(&frame)));
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
        if let Some(id) = &state.0 {
            let before = self.delivered.insert(seq, id.clone());
            assert!(before.is_none_or(|before| before == *id), "a number belongs to one message");
        }
        if let Some(held) = self.messages.get(&seq) {
            assert!(held.1 <= state.1, "no list is older than the stream: {message}");
        }
        self.messages.insert(seq, state);
    }
}
