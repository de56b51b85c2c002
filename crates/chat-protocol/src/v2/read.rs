//! Parses the frames of clients.

use std::sync::Arc;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use unicode_normalization::UnicodeNormalization;

use super::field::Field;
use super::{ClientFrame, Command, ErrorCode, Hello, History, Join, Members, Send, Since};
use crate::{Epoch, LengthError, MessageId, Reference, RoomName, Username};

/// Why a frame is not a valid command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Rejected {
    /// The `ref` of the frame, if it could be read.
    pub reference: Option<Reference>,
    /// The reason, for programs.
    pub code: ErrorCode,
    /// The reason, a sentence for people.
    pub message: String,
}

/// How many characters of an unknown type the error quotes.
const MAX_QUOTED_CHARS: usize = 64;

/// The fields of all commands together, so that a frame is parsed in one pass and without an
/// intermediate tree. The value of a field matters only if the frame's type has this field.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Fields<'a> {
    #[serde(borrow, rename = "type")]
    kind: Field<'a>,
    #[serde(borrow, rename = "ref")]
    reference: Field<'a>,
    #[serde(borrow)]
    room: Field<'a>,
    #[serde(borrow)]
    body: Field<'a>,
    #[serde(borrow)]
    id: Field<'a>,
    #[serde(borrow)]
    username: Field<'a>,
    #[serde(borrow)]
    resume: Field<'a>,
    #[serde(borrow)]
    token: Field<'a>,
    #[serde(borrow)]
    client: Field<'a>,
    #[serde(borrow)]
    render: Field<'a>,
    #[serde(borrow)]
    since: Field<'a>,
    #[serde(borrow)]
    history: Field<'a>,
    #[serde(borrow)]
    before: Field<'a>,
    /// A seq in `history`, a username in `members`.
    #[serde(borrow)]
    after: Field<'a>,
    #[serde(borrow)]
    prefix: Field<'a>,
    #[serde(borrow)]
    limit: Field<'a>,
}

/// The code and the message of a [`Rejected`], before the frame's `ref` is known.
struct Reason(ErrorCode, String);

/// Parses a text frame of a client. Fields that its type does not have are ignored, whatever their
/// values are. A field that is null counts as absent.
///
/// # Errors
/// [`Rejected`] if the frame is not a valid command; its contents are meant for the client.
pub fn read(frame: &str) -> Result<ClientFrame, Rejected> {
    let fields = fields(frame).map_err(|Reason(code, message)| Rejected {
        reference: reference_in_broken_frame(frame),
        code,
        message,
    })?;
    let reference = reference(&fields.reference).map_err(|Reason(code, message)| Rejected {
        reference: None,
        code,
        message,
    })?;
    match command(&fields) {
        Ok(command) => Ok(ClientFrame { reference, command }),
        Err(Reason(code, message)) => Err(Rejected { reference, code, message }),
    }
}

fn fields(frame: &str) -> Result<Fields<'_>, Reason> {
    // serde also deserializes a struct from an array of its fields in order
    if !frame.trim_start_matches([' ', '\t', '\r', '\n']).starts_with('{') {
        return Err(Reason(ErrorCode::BadJson, "a frame must be a JSON object".into()));
    }
    serde_json::from_str(frame).map_err(|error| {
        // fields accept values of any type here, so the only data error is a duplicate field
        if error.is_data() {
            Reason(ErrorCode::MissingField, format!("a field occurs twice: {error}"))
        } else {
            Reason(ErrorCode::BadJson, format!("invalid JSON: {error}"))
        }
    })
}

/// The `ref` of a frame that is not valid JSON, if it precedes the error.
fn reference_in_broken_frame(frame: &str) -> Option<Reference> {
    let mut found = None;
    // the result is an error, which is known already
    let _ = serde_json::Deserializer::from_str(frame).deserialize_map(ReferenceOnly(&mut found));
    found
}

/// Stores the first `ref` as soon as it is read, so that it survives an error after it.
struct ReferenceOnly<'f>(&'f mut Option<Reference>);

impl<'de> Visitor<'de> for ReferenceOnly<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<Field<'de>>()? {
            if key.is_text("ref") && self.0.is_none() {
                *self.0 = reference(&map.next_value()?).ok().flatten();
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

fn command(fields: &Fields<'_>) -> Result<Command, Reason> {
    Ok(match required(text(&fields.kind, "type")?, "type")? {
        "hello" => Command::Hello(Hello {
            username: username(&fields.username)?,
            resume: text(&fields.resume, "resume")?.map(Into::into),
            token: text(&fields.token, "token")?.map(Into::into),
            client: text(&fields.client, "client")?.map(Into::into),
            render: flag(&fields.render, "render")?.unwrap_or_default(),
        }),
        "join" => Command::Join(Join {
            room: room(&fields.room)?,
            since: since(&fields.since)?,
            history: number(&fields.history, "history")?.unwrap_or_default(),
        }),
        "leave" => Command::Leave { room: room(&fields.room)? },
        "send" => Command::Send(Send {
            room: room(&fields.room)?,
            body: Arc::from(required(text(&fields.body, "body")?, "body")?),
            id: text(&fields.id, "id")?
                .map(str::parse::<MessageId>)
                .transpose()
                .map_err(|error| invalid_length("id", error))?,
        }),
        "history" => Command::History(History {
            room: room(&fields.room)?,
            before: number(&fields.before, "before")?,
            after: number(&fields.after, "after")?,
            limit: number(&fields.limit, "limit")?,
        }),
        "members" => Command::Members(Members {
            room: room(&fields.room)?,
            after: text(&fields.after, "after")?.map(normalized),
            prefix: text(&fields.prefix, "prefix")?.map(normalized),
            limit: number(&fields.limit, "limit")?,
        }),
        "typing" => Command::Typing { room: room(&fields.room)? },
        "ping" => Command::Ping,
        unknown => {
            let quoted: String = unknown.chars().take(MAX_QUOTED_CHARS).collect();
            return Err(Reason(ErrorCode::UnknownType, format!("unknown type \"{quoted}\"")));
        }
    })
}

fn reference(field: &Field<'_>) -> Result<Option<Reference>, Reason> {
    text(field, "ref")?.map(str::parse).transpose().map_err(|error| invalid_length("ref", error))
}

/// A part of a name in NFC, in which names are compared.
fn normalized(part: &str) -> String {
    part.nfc().collect()
}

fn room(field: &Field<'_>) -> Result<RoomName, Reason> {
    let text = required(text(field, "room")?, "room")?;
    RoomName::parse(text).map_err(|error| Reason(ErrorCode::InvalidRoom, error.to_string()))
}

fn username(field: &Field<'_>) -> Result<Username, Reason> {
    let text = required(text(field, "username")?, "username")?;
    Username::parse(text).map_err(|error| Reason(ErrorCode::InvalidUsername, error.to_string()))
}

fn since(field: &Field<'_>) -> Result<Option<Since>, Reason> {
    let since = match field {
        Field::Absent => return Ok(None),
        Field::Object(since) => since,
        _ => return Err(wrong_type("since", "an object")),
    };
    let epoch = required(text(&since.epoch, "since.epoch")?, "since.epoch")?;
    let seq = required(number(&since.seq, "since.seq")?, "since.seq")?;
    Ok(Some(Since { epoch: Epoch::new(epoch), seq }))
}

fn text<'f>(field: &'f Field<'_>, name: &str) -> Result<Option<&'f str>, Reason> {
    match field {
        Field::Absent => Ok(None),
        Field::Text(text) => Ok(Some(text)),
        _ => Err(wrong_type(name, "a string")),
    }
}

/// The type of a number, in error messages.
const NUMBER: &str = "a whole number from 0 to 2^64 - 1";

fn number(field: &Field<'_>, name: &str) -> Result<Option<u64>, Reason> {
    match field {
        Field::Absent => Ok(None),
        Field::Number(number) => Ok(Some(*number)),
        Field::OutOfRange => Err(Reason(
            ErrorCode::BadJson,
            format!("the number in \"{name}\" is out of range: it must be {NUMBER}"),
        )),
        _ => Err(wrong_type(name, NUMBER)),
    }
}

fn flag(field: &Field<'_>, name: &str) -> Result<Option<bool>, Reason> {
    match field {
        Field::Absent => Ok(None),
        Field::Flag(flag) => Ok(Some(*flag)),
        _ => Err(wrong_type(name, "true or false")),
    }
}

fn required<T>(value: Option<T>, name: &str) -> Result<T, Reason> {
    value.ok_or_else(|| Reason(ErrorCode::MissingField, format!("the field \"{name}\" is missing")))
}

fn invalid_length(name: &str, error: LengthError) -> Reason {
    Reason(ErrorCode::MissingField, format!("the field \"{name}\" is invalid: {error}"))
}

fn wrong_type(name: &str, expected: &str) -> Reason {
    Reason(ErrorCode::MissingField, format!("the field \"{name}\" must be {expected}"))
}
