//! The frames of both dialects, as far as a run needs them.

mod stamp;
mod text;

pub use stamp::Stamp;

use chat_testkit::v2::guest_token;
use memchr::memmem;
use serde::Deserialize;

use crate::plan::{Dialect, Participant, Plan};

/// What a frame of the server contains.
#[derive(Debug)]
pub(crate) enum ServerEvent<'a> {
    /// A message: its text as JSON encodes it, and in chat.v2 its number.
    Message { seq: Option<u64>, text: &'a [u8] },
    /// The session has begun. `messages_per_second` is the server's rate limit; 0: none.
    Welcome { messages_per_second: f64 },
    /// The session has joined its room; `seq` is the number of the newest message there.
    Joined { seq: u64 },
    /// The server refuses a command.
    Error(String),
    /// The server is about to close the connection.
    Bye(String),
    /// A frame that a run ignores.
    Other,
}

impl Dialect {
    /// The request that opens a connection.
    pub(crate) fn handshake(self, plan: &Plan, participant: Participant) -> Vec<u8> {
        let (path, protocol) = match self {
            Self::V2 => ("/ws".to_owned(), "Sec-WebSocket-Protocol: chat.v2\r\n"),
            Self::Classic => {
                let (room, username) = (plan.room_name(participant.room), plan.username(participant));
                (format!("/ws/chat/{room}/{username}"), "")
            }
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

    /// The first frame of a session. Each session is another guest.
    pub(crate) fn hello(plan: &Plan, participant: Participant) -> String {
        format!(
            r#"{{"type":"hello","username":"{}","guest_token":"{}","client":"chat-load"}}"#,
            plan.username(participant),
            guest_token(),
        )
    }

    pub(crate) fn join(plan: &Plan, participant: Participant) -> String {
        format!(r#"{{"type":"join","room":"{}"}}"#, plan.room_name(participant.room))
    }

    /// Appends the frame that sends a message.
    pub(crate) fn write_message(
        self,
        plan: &Plan,
        participant: Participant,
        stamp: Stamp,
        out: &mut Vec<u8>,
    ) {
        match self {
            Self::V2 => {
                let head = format!(
                    r#"{{"type":"send","room":"{}","id":"{}-{}","body":""#,
                    plan.room_name(participant.room),
                    plan.prefix,
                    stamp.count,
                );
                out.extend_from_slice(head.as_bytes());
            }
            Self::Classic => out.extend_from_slice(br#"{"type":"chat_message","message":""#),
        }
        stamp.write(plan.size, out);
        out.extend_from_slice(br#""}"#);
    }

    pub(crate) fn parse(self, frame: &[u8]) -> ServerEvent<'_> {
        match self {
            Self::V2 if frame.starts_with(br#"{"type":"message","#) => {
                let text = text_after(frame, br#""body":""#).unwrap_or_default();
                ServerEvent::Message { seq: text_after(frame, br#""seq":"#).map(number), text }
            }
            Self::V2 => parse_other(frame),
            Self::Classic => match text_after(frame, br#""type":"chat_message""#) {
                Some(_) => {
                    let text = text_after(frame, br#""message":""#).unwrap_or_default();
                    ServerEvent::Message { seq: None, text }
                }
                None => ServerEvent::Other,
            },
        }
    }
}

/// The bytes after the first occurrence of `key`. A key with its quotation marks cannot occur in
/// a text: JSON escapes quotation marks there.
fn text_after<'a>(frame: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    memmem::find(frame, key).map(|at| &frame[at + key.len()..])
}

fn number(digits: &[u8]) -> u64 {
    digits
        .iter()
        .take_while(|digit| digit.is_ascii_digit())
        .fold(0, |number, digit| number * 10 + u64::from(digit - b'0'))
}

/// Parses the frames that are rare, and may take longer.
fn parse_other(frame: &[u8]) -> ServerEvent<'static> {
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
        Ok(Rest::Welcome { limits }) => {
            ServerEvent::Welcome { messages_per_second: limits.messages_per_second }
        }
        Ok(Rest::Joined { seq }) => ServerEvent::Joined { seq },
        Ok(Rest::Error { code, message }) => ServerEvent::Error(format!("{code}: {message}")),
        Ok(Rest::Bye { code, reason }) => ServerEvent::Bye(format!("{code}: {reason}")),
        Ok(Rest::Other) => ServerEvent::Other,
        Err(error) => ServerEvent::Error(format!("cannot read a frame: {error}")),
    }
}
