//! `chat.v2` over real sockets.

mod announcements;
mod changes;
mod events;
mod hello;
mod notices;
mod pages;
mod presence;
mod reactions;
mod recovery;
mod rendered;
mod replaces;
mod retention;
mod rooms;
mod search;
mod sessions;

use serde_json::{Value, json};

/// The bodies of a list of messages.
fn bodies(messages: &Value) -> Vec<&str> {
    messages.as_array().unwrap().iter().map(|message| message["body"].as_str().unwrap()).collect()
}

/// The numbers of a list of messages.
fn seqs(messages: &Value) -> Vec<u64> {
    messages.as_array().unwrap().iter().map(|message| message["seq"].as_u64().unwrap()).collect()
}

/// The names in a list of members.
fn names(members: &Value) -> Vec<&str> {
    members.as_array().unwrap().iter().map(|member| member["username"].as_str().unwrap()).collect()
}

/// A position in a room's history, with the epoch of a `joined` frame.
fn since(joined: &Value, seq: u64) -> Value {
    json!({ "epoch": joined["epoch"], "seq": seq })
}
