//! The protocol of the existing web clients, which were written for the Django Channels back-end
//! that this project reimplements.
//!
//! Every frame that the server sends is an object with exactly four keys: `message`, `username`,
//! `type` and `users`, in this order. Existing clients do not recover from any other shape.

use std::borrow::Cow;
use std::sync::Arc;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use crate::{Content, Event, Member, MemberList, SERVER_NAME, Text};

/// How many members a coalesced event names; it counts the others.
const MAX_NAMED: usize = 3;

/// A command of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command {
    /// Post a message to the room.
    Say {
        /// The text, unchanged.
        body: Arc<str>,
    },
}

/// Why a frame is not a valid command. The text is sent to the client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The frame is not valid JSON.
    #[error("invalid JSON: {0}")]
    BadJson(String),
    /// The frame is JSON, but not an object.
    #[error("a frame must be a JSON object")]
    NotAnObject,
    /// A required key is missing.
    #[error("the key \"{0}\" is missing")]
    Missing(&'static str),
    /// A value has the wrong type, or a key occurs twice.
    #[error("a frame must be an object with the strings \"type\" and \"message\": {0}")]
    WrongShape(String),
    /// There is no frame of this type.
    #[error("unknown type \"{0}\"; clients can send \"chat_message\"")]
    UnknownType(String),
}

/// How many characters of an unknown type the error quotes.
const MAX_QUOTED_CHARS: usize = 64;

#[derive(Deserialize)]
struct ClientFrame<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    message: Option<Cow<'a, str>>,
}

/// Parses a text frame of a client: `{"message": ..., "username": ..., "type": "chat_message"}`.
///
/// `username` and unknown keys are ignored: the handshake determines the sender.
///
/// # Errors
/// A [`ReadError`] if the frame is not a valid command; its text is meant for the client.
pub fn read(frame: &str) -> Result<Command, ReadError> {
    // serde also deserializes a struct from an array of its fields in order, and its error for a
    // string quotes the whole string
    if !frame.trim_start_matches([' ', '\t', '\r', '\n']).starts_with('{') {
        return Err(match serde_json::from_str::<IgnoredAny>(frame) {
            Ok(_) => ReadError::NotAnObject,
            Err(error) => ReadError::BadJson(error.to_string()),
        });
    }
    let frame: ClientFrame<'_> = serde_json::from_str(frame).map_err(|error| {
        if error.is_data() {
            ReadError::WrongShape(error.to_string())
        } else {
            ReadError::BadJson(error.to_string())
        }
    })?;
    let kind = frame.kind.ok_or(ReadError::Missing("type"))?;
    if kind != "chat_message" {
        return Err(ReadError::UnknownType(kind.chars().take(MAX_QUOTED_CHARS).collect()));
    }
    let body = frame.message.ok_or(ReadError::Missing("message"))?;
    Ok(Command::Say { body: body.into() })
}

#[derive(Serialize)]
struct ServerFrame<'a> {
    message: &'a str,
    username: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
}

#[derive(Serialize)]
struct User<'a> {
    id: i64,
    room: &'a str,
    username: &'a str,
    channel_name: String,
}

impl<'a> From<&'a Member> for User<'a> {
    fn from(member: &'a Member) -> Self {
        Self {
            id: member.id.get(),
            room: member.room.as_str(),
            username: member.username.as_str(),
            channel_name: member.channel.to_string(),
        }
    }
}

/// Appends the event as one JSON object. Appends nothing if this protocol has no frame for it.
pub fn write(event: &Event, out: &mut Vec<u8>) {
    match event {
        Event::Entered { group, members } => {
            let subjects = &group[..group.len().min(MAX_NAMED)];
            let text = format!("{} entered the room", list_names(group));
            write_frame(&text, first_username(group), "chat_enter_room", members, subjects, out);
        }
        Event::Left { group, members } => {
            let text = format!("{} left the room", list_names(group));
            write_frame(&text, first_username(group), "chat_leave_room", members, &[], out);
        }
        Event::Message { message, from: sender, members } => {
            if let Content::Text(Text { from, body, .. }) = &message.content {
                write_frame(body, from.as_str(), "chat_message", members, sender.as_slice(), out);
            }
        }
        Event::Notice { body, members, .. } => {
            write_frame(body, SERVER_NAME, "chat_notice", members, &[], out);
        }
        Event::Refused { reason, members, .. } => {
            write_frame(reason, SERVER_NAME, "chat_error", members, &[], out);
        }
        _ => {}
    }
}

/// Estimates how many bytes [`write()`] appends, without serializing the event. The estimate leaves
/// out what escaping adds to the text, and members that [`write()`] appends to the shared list.
pub fn size_hint(event: &Event) -> usize {
    /// The size of a frame without the text and the list.
    const FRAME: usize = 75;
    let text = match event {
        Event::Message { message, .. } => message.size(),
        Event::Notice { body, .. } => body.len(),
        Event::Refused { reason, .. } => reason.len(),
        _ => 0,
    };
    event.members().map_or(0, |members| FRAME + text + members.encoded(encode_open_list).len())
}

fn first_username(group: &[Arc<Member>]) -> &str {
    group.first().map_or(SERVER_NAME, |member| member.username.as_str())
}

/// "ana", "ana and bob", "ana, bob and cid", "ana, bob, cid and 5 others".
fn list_names(group: &[Arc<Member>]) -> String {
    let (named, rest) = group.split_at(group.len().min(MAX_NAMED));
    let mut parts: Vec<Cow<'_, str>> = named.iter().map(|member| member.username.as_str().into()).collect();
    match rest.len() {
        0 => {}
        1 => parts.push("1 other".into()),
        n => parts.push(format!("{n} others").into()),
    }
    match parts.split_last() {
        None => String::new(),
        Some((only, [])) => only.to_string(),
        Some((last, before)) => format!("{} and {last}", before.join(", ")),
    }
}

/// Appends a frame with the four keys: three of them through serde, and `users` from the cached
/// encoding of the list. The members in `subjects` that are not in the list are appended to it.
fn write_frame(
    message: &str,
    username: &str,
    kind: &'static str,
    members: &MemberList,
    subjects: &[Arc<Member>],
    out: &mut Vec<u8>,
) {
    write_json(&ServerFrame { message, username, kind }, out);
    out.pop();
    out.extend_from_slice(b",\"users\":");
    out.extend_from_slice(members.encoded(encode_open_list));
    let mut empty = members.first().is_empty();
    for member in subjects.iter().filter(|member| !members.lists(member.id)) {
        if !empty {
            out.push(b',');
        }
        empty = false;
        write_json(&User::from(&**member), out);
    }
    out.extend_from_slice(b"]}");
}

/// Encodes the list of members without its closing bracket.
fn encode_open_list(members: &[Arc<Member>]) -> Vec<u8> {
    let mut out = Vec::with_capacity(members.len() * 96 + 1);
    out.push(b'[');
    for (i, member) in members.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        write_json(&User::from(&**member), &mut out);
    }
    out
}

/// Cannot fail: structs of strings and numbers always serialize, and a vector accepts every write.
fn write_json(value: &impl Serialize, out: &mut Vec<u8>) {
    let written = serde_json::to_writer(out, value);
    debug_assert!(written.is_ok());
}
