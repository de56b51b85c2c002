//! The two dialects, as far as a run needs them.

mod stamp;
mod text;

use memchr::memmem;
use serde::Deserialize;

pub use stamp::Stamp;

use crate::plan::{Plan, Seat};

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Dialect {
    /// chat.v2: sessions with acks; the list of members is sent once
    V2,
    /// classic: one room per connection; the list of users is in every event
    Classic,
}

/// What a frame says.
#[derive(Debug)]
pub enum Heard<'a> {
    /// A message's text as JSON has it, and in v2 its number.
    Message { seq: Option<u64>, text: &'a [u8] },
    /// The session is open; how many messages a second the server takes from it in the long run, 0: any number.
    Welcome { messages_per_second: f64 },
    /// It is in the room, and the number of the newest message there.
    Joined { seq: u64 },
    /// The server refuses something.
    Error(String),
    /// The server is about to close.
    Bye(String),
    /// What a run does not look at.
    Other,
}

impl std::fmt::Display for Dialect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::V2 => "chat.v2",
            Self::Classic => "classic",
        })
    }
}

impl Dialect {
    /// The request that opens a connection.
    pub fn handshake(self, plan: &Plan, seat: Seat) -> Vec<u8> {
        let (path, protocol) = match self {
            Self::V2 => ("/ws".to_owned(), "Sec-WebSocket-Protocol: chat.v2\r\n"),
            Self::Classic => (format!("/ws/chat/{}/{}", plan.room_name(seat.room), plan.username(seat)), ""),
        };
        let extensions =
            if plan.compression { "Sec-WebSocket-Extensions: permessage-deflate\r\n" } else { "" };
        format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: Y2hhdC1sb2FkIGxvYWRzIQ==\r\n{protocol}{extensions}\r\n",
            plan.host
        )
        .into_bytes()
    }

    /// The first frame of a session.
    pub fn hello(plan: &Plan, seat: Seat) -> String {
        format!(r#"{{"type":"hello","username":"{}","client":"chat-load"}}"#, plan.username(seat))
    }

    pub fn join(plan: &Plan, seat: Seat) -> String {
        format!(r#"{{"type":"join","room":"{}"}}"#, plan.room_name(seat.room))
    }

    /// Puts what says a message into `out`.
    pub fn say(self, plan: &Plan, seat: Seat, stamp: Stamp, out: &mut Vec<u8>) {
        match self {
            Self::V2 => {
                let head = format!(
                    r#"{{"type":"send","room":"{}","id":"{}-{}","body":""#,
                    plan.room_name(seat.room),
                    plan.prefix,
                    stamp.count,
                );
                out.extend_from_slice(head.as_bytes());
            }
            Self::Classic => out.extend_from_slice(br#"{"type":"chat_message","message":""#),
        }
        stamp.put(plan.size, out);
        out.extend_from_slice(br#""}"#);
    }

    pub fn hear(self, frame: &[u8]) -> Heard<'_> {
        match self {
            Self::V2 if frame.starts_with(br#"{"type":"message","#) => {
                let text = behind(frame, br#""body":""#).unwrap_or_default();
                Heard::Message { seq: behind(frame, br#""seq":"#).map(number), text }
            }
            Self::V2 => hear_rest(frame),
            Self::Classic => match behind(frame, br#""type":"chat_message""#) {
                Some(_) => {
                    Heard::Message { seq: None, text: behind(frame, br#""message":""#).unwrap_or_default() }
                }
                None => Heard::Other,
            },
        }
    }
}

/// What stands behind the first place where `what` stands. A field's name cannot stand inside a text: its quotation marks would be
/// escaped there.
fn behind<'a>(frame: &'a [u8], what: &[u8]) -> Option<&'a [u8]> {
    memmem::find(frame, what).map(|at| &frame[at + what.len()..])
}

fn number(digits: &[u8]) -> u64 {
    digits
        .iter()
        .take_while(|digit| digit.is_ascii_digit())
        .fold(0, |number, digit| number * 10 + u64::from(digit - b'0'))
}

/// What comes seldom is read as it should be.
fn hear_rest(frame: &[u8]) -> Heard<'static> {
    #[derive(Deserialize)]
    #[serde(tag = "type", rename_all = "snake_case")]
    enum Rest {
        Welcome {
            limits: Limits,
        },
        Joined {
            seq: u64,
        },
        Error {
            code: String,
            message: String,
        },
        Bye {
            code: u16,
            reason: String,
        },
        #[serde(other)]
        Other,
    }
    #[derive(Deserialize)]
    struct Limits {
        messages_per_second: f64,
    }
    match serde_json::from_slice(frame) {
        Ok(Rest::Welcome { limits }) => Heard::Welcome { messages_per_second: limits.messages_per_second },
        Ok(Rest::Joined { seq }) => Heard::Joined { seq },
        Ok(Rest::Error { code, message }) => Heard::Error(format!("{code}: {message}")),
        Ok(Rest::Bye { code, reason }) => Heard::Bye(format!("{code}: {reason}")),
        Ok(Rest::Other) => Heard::Other,
        Err(error) => Heard::Error(format!("cannot read a frame: {error}")),
    }
}
