//! The dialect of the web clients that exist for the Django Channels back-end this project reimplements.
//!
//! Every frame the server writes is an object of exactly four keys, `message`, `username`, `type` and `users`, in this
//! order; existing clients break for good on any other shape.

use std::borrow::Cow;
use std::sync::Arc;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use crate::{Content, Event, Member, MemberList, SERVER_NAME};

/// How many people a gathered event names before it counts the rest.
const NAMED: usize = 3;

/// What a client asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command {
    /// Say something to the room.
    Say {
        /// What, untouched.
        body: Arc<str>,
    },
}

/// Why a frame is no command. The text is for its sender.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The frame is not a JSON object that a person could have meant.
    #[error("invalid JSON: {0}")]
    BadJson(String),
    /// It is JSON, but not an object.
    #[error("a frame must be a JSON object")]
    NotAnObject,
    /// A key that every frame has is not there.
    #[error("the key \"{0}\" is missing")]
    Missing(&'static str),
    /// A key holds something of another type, or stands there twice.
    #[error("a frame must be an object with the strings \"type\" and \"message\": {0}")]
    WrongShape(String),
    /// There is no such type of frame.
    #[error("unknown type \"{0}\"; clients can send \"chat_message\"")]
    UnknownType(String),
}

/// How much of an unknown type is repeated to its sender, in characters.
const QUOTED: usize = 64;

#[derive(Deserialize)]
struct ClientFrame<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    message: Option<Cow<'a, str>>,
}

/// Reads one text frame of a client: `{"message": ..., "username": ..., "type": "chat_message"}`. The username and any
/// other key are ignored: who speaks is what the handshake said.
///
/// # Errors
/// A [`ReadError`] whose text is meant for the sender.
pub fn read(frame: &str) -> Result<Command, ReadError> {
    // serde takes an array, too, for the fields of a struct in their order; and a text it would repeat to its end
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
        return Err(ReadError::UnknownType(kind.chars().take(QUOTED).collect()));
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
            id: member.id.0,
            room: member.room.as_str(),
            username: member.username.as_str(),
            channel_name: member.channel.to_string(),
        }
    }
}

/// Appends the event as one JSON object; nothing where this dialect has no frame for it.
pub fn write(event: &Event, out: &mut Vec<u8>) {
    match event {
        Event::Entered { group, members } => {
            let about = &group[..group.len().min(NAMED)];
            let text = format!("{} entered the room", names(group));
            frame(&text, first(group), "chat_enter_room", members, about, out);
        }
        Event::Left { group, members } => {
            let text = format!("{} left the room", names(group));
            frame(&text, first(group), "chat_leave_room", members, &[], out);
        }
        Event::Message { message, from: member, members } => {
            if let Content::Said { from, body, .. } = &message.content {
                frame(body, from.as_str(), "chat_message", members, member.as_slice(), out);
            }
        }
        Event::Notice { body, members, .. } => frame(body, SERVER_NAME, "chat_notice", members, &[], out),
        Event::Refused { reason, members, .. } => frame(reason, SERVER_NAME, "chat_error", members, &[], out),
        _ => {}
    }
}

/// About how many bytes [`write()`] appends, without writing the event: all but what escaping adds to the text, and those
/// the list has no room for.
pub fn size_hint(event: &Event) -> usize {
    /// A frame without the text and the list.
    const FRAME: usize = 75;
    let text = match event {
        Event::Message { message, .. } => message.size(),
        Event::Notice { body, .. } => body.len(),
        Event::Refused { reason, .. } => reason.len(),
        _ => 0,
    };
    event.members().map_or(0, |members| FRAME + text + members.encoded(open_list).len())
}

fn first(who: &[Arc<Member>]) -> &str {
    who.first().map_or(SERVER_NAME, |member| member.username.as_str())
}

/// "ana", "ana and bob", "ana, bob and cid", "ana, bob, cid and 5 others".
fn names(who: &[Arc<Member>]) -> String {
    let (named, rest) = who.split_at(who.len().min(NAMED));
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

/// Writes the four keys: three by serde, and the list from where it is kept written, with those of `about` that it
/// does not list behind it.
fn frame(
    message: &str,
    username: &str,
    kind: &'static str,
    members: &MemberList,
    about: &[Arc<Member>],
    out: &mut Vec<u8>,
) {
    write_json(&ServerFrame { message, username, kind }, out);
    out.pop();
    out.extend_from_slice(b",\"users\":");
    out.extend_from_slice(members.encoded(open_list));
    let mut empty = members.first().is_empty();
    for member in about.iter().filter(|member| !members.lists(member.id)) {
        if !empty {
            out.push(b',');
        }
        empty = false;
        write_json(&User::from(&**member), out);
    }
    out.extend_from_slice(b"]}");
}

/// The list of members without its closing bracket.
fn open_list(members: &[Arc<Member>]) -> Vec<u8> {
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

/// Structs of strings and numbers cannot fail to serialize, and a vector takes every write.
fn write_json(value: &impl Serialize, out: &mut Vec<u8>) {
    let written = serde_json::to_writer(out, value);
    debug_assert!(written.is_ok());
}
