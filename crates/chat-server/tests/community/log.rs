//! What everyone did, and what the server answered.

use serde_json::Value;

/// A command and its answer. `sent` and `answered` are ticks of one clock for everyone: of two
/// commands, the server has carried out first the one that was answered before the other was sent.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// The id of the user.
    pub(crate) user: String,
    pub(crate) command: Value,
    pub(crate) answer: Value,
    pub(crate) sent: u64,
    pub(crate) answered: u64,
    /// What a command of a moderator or of an invited user has changed.
    pub(crate) fact: Option<Fact>,
}

/// An act that only one user at a time does to its target, so that its effect is certain.
#[derive(Debug, Clone)]
pub(crate) struct Fact {
    /// The name of the act in the audit log.
    pub(crate) act: &'static str,
    /// The id of the target.
    pub(crate) target: String,
    /// Whether it has changed something.
    pub(crate) changed: bool,
    /// The number of the newest event that was stored when the answer had come.
    pub(crate) newest: u64,
}

impl Entry {
    pub(crate) fn kind(&self) -> &str {
        text(&self.command, "type")
    }

    pub(crate) fn room(&self) -> &str {
        self.command["room"].as_str().unwrap_or_default()
    }

    /// The number of the event that was acknowledged.
    pub(crate) fn seq(&self) -> Option<u64> {
        (self.answer["type"] == "ack").then(|| self.answer["seq"].as_u64()).flatten()
    }

    pub(crate) fn target(&self) -> u64 {
        self.command["target"].as_u64().unwrap()
    }

    pub(crate) fn is_done(&self) -> bool {
        self.answer["type"] == "done"
    }

    /// The act on this user in this room, if this is one.
    pub(crate) fn act_on(&self, room: &str, user: &str) -> Option<&'static str> {
        let fact = self.fact.as_ref()?;
        (self.room() == room && fact.target == user).then_some(fact.act)
    }
}

/// A field that is a text; empty if it is absent.
pub(crate) fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}

/// The code of an error, or else the type of the answer.
pub(crate) fn outcome(answer: &Value) -> &str {
    answer["code"].as_str().unwrap_or_else(|| text(answer, "type"))
}

/// A session was in a room from an answered `join` until it left.
#[derive(Debug, Clone)]
pub(crate) struct Stay {
    pub(crate) user: String,
    pub(crate) room: String,
    /// When `joined` was received.
    pub(crate) joined: u64,
    /// The number of the newest event that the session received there.
    pub(crate) last: u64,
}
