//! The reactions of one user, and what is known about their outcomes.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use chat_testkit::v2::Session;
use serde_json::{Value, json};

/// Few, so that users have the same ones.
pub(super) const EMOJI: [&str; 3] = ["👍", "🎉", "🚀"];

/// A message of one room, and an emoji on it.
pub(super) type Key = (u64, &'static str);

/// A reaction that was sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sent {
    key: Key,
    pub(super) is_added: bool,
    pub(super) outcome: Option<Outcome>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// With the number of the event, unless nothing was changed.
    Acked(Option<u64>),
    /// The message was deleted.
    NotFound,
}

/// All reactions of a user in one room, in the order of sending. The reference of each is its
/// index.
#[derive(Debug, Default)]
pub(super) struct Reactions {
    sent: Vec<Sent>,
    /// The number of the last event that was acked.
    newest: u64,
}

impl Reactions {
    /// The command that puts the emoji on the message, or removes it.
    pub(super) fn command(&mut self, room: &str, key: Key, is_added: bool) -> Value {
        let reference = format!("react:{}", self.sent.len());
        self.sent.push(Sent { key, is_added, outcome: None });
        let (target, emoji) = key;
        json!({
            "type": "react", "room": room, "target": target, "emoji": emoji, "on": is_added, "ref": reference,
        })
    }

    /// Notes the answer to a reaction. Returns its command; `None` if the frame is something else.
    pub(super) fn answered(&mut self, frame: &Value) -> Option<(Key, bool)> {
        let index: usize = frame["ref"].as_str()?.strip_prefix("react:")?.parse().unwrap();
        let sent = &mut self.sent[index];
        assert_eq!(sent.outcome, None, "one answer: {frame}");
        let seq = frame["seq"].as_u64();
        sent.outcome = Some(if frame["type"] == "ack" {
            Outcome::Acked(seq)
        } else {
            assert_eq!(frame["code"], "not_found", "{frame}");
            Outcome::NotFound
        });
        if let Some(seq) = seq {
            assert!(seq > self.newest, "in the order of sending: {frame}");
            self.newest = seq;
        }
        Some((sent.key, sent.is_added))
    }

    /// The last command for each emoji of each message.
    pub(super) fn latest(&self) -> BTreeMap<Key, Sent> {
        self.sent.iter().map(|sent| (sent.key, *sent)).collect()
    }

    /// The commands that may be carried out or not: each is the last one of its key.
    pub(super) fn uncertain(&self) -> Vec<(Key, bool)> {
        let latest = self.latest().into_iter().filter(|(_, sent)| sent.outcome.is_none());
        latest.map(|(key, sent)| (key, sent.is_added)).collect()
    }

    /// For each message, the number of the last event that was acked.
    pub(super) fn acked(&self) -> BTreeMap<u64, u64> {
        let acked = self.sent.iter().filter_map(|sent| match sent.outcome {
            Some(Outcome::Acked(seq)) => Some((sent.key.0, seq?)),
            _ => None,
        });
        acked.collect()
    }

    /// Sends the uncertain reactions again, and waits for the answers.
    pub(super) async fn settle(&mut self, server: SocketAddr, room: &str, (name, token): (&str, &str)) {
        let mut session = Session::hello_as(server, name, token).await;
        session.join(room).await;
        for (key, is_added) in self.uncertain() {
            let command = self.command(room, key, is_added);
            session.send(&command).await;
        }
        while !self.uncertain().is_empty() {
            let frame = session.frame().await;
            self.answered(&frame);
        }
    }
}
