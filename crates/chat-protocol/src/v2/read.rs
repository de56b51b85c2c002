//! Reads what a client sends.

use std::sync::Arc;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use unicode_normalization::UnicodeNormalization;

use super::field::Field;
use super::{ClientFrame, Command, ErrorCode, Hello, History, Join, Members, Send, Since};
use crate::{Epoch, LengthError, MessageId, Reference, RoomName, Username};

/// Why a frame is no command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Rejected {
    /// What the client calls the frame, as far as that could be read.
    pub reference: Option<Reference>,
    /// Why, for a program.
    pub code: ErrorCode,
    /// Why, for a person.
    pub message: String,
}

/// How much of an unknown type is repeated to its sender, in characters.
const QUOTED: usize = 64;

/// The fields of all commands in one: read in one pass, without a tree in between. What is in a field matters only if the
/// frame's type has it.
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

/// What is wrong, before it is known what the client calls the frame.
struct Wrong(ErrorCode, String);

/// Reads one text frame of a client. Fields that its type does not have are ignored, whatever is in them; null is as good as
/// no field.
///
/// # Errors
/// [`Rejected`]: what the sender is to be told.
pub fn read(frame: &str) -> Result<ClientFrame, Rejected> {
    let fields = fields(frame).map_err(|Wrong(code, message)| Rejected {
        reference: reference_of_broken(frame),
        code,
        message,
    })?;
    let reference = reference(&fields.reference).map_err(|Wrong(code, message)| Rejected {
        reference: None,
        code,
        message,
    })?;
    match command(&fields) {
        Ok(command) => Ok(ClientFrame { reference, command }),
        Err(Wrong(code, message)) => Err(Rejected { reference, code, message }),
    }
}

fn fields(frame: &str) -> Result<Fields<'_>, Wrong> {
    // serde takes an array, too, for the fields of a struct in their order
    if !frame.trim_start_matches([' ', '\t', '\r', '\n']).starts_with('{') {
        return Err(Wrong(ErrorCode::BadJson, "a frame must be a JSON object".into()));
    }
    serde_json::from_str(frame).map_err(|error| {
        // no field's type is wrong at this point: what is left is a field that stands there twice
        if error.is_data() {
            Wrong(ErrorCode::MissingField, format!("a field occurs twice: {error}"))
        } else {
            Wrong(ErrorCode::BadJson, format!("invalid JSON: {error}"))
        }
    })
}

/// What the client calls a frame that could not be read to its end.
fn reference_of_broken(frame: &str) -> Option<Reference> {
    let mut found = None;
    // what comes of it besides is known already: the frame is broken
    let _ = serde_json::Deserializer::from_str(frame).deserialize_map(ReferenceOnly(&mut found));
    found
}

/// Keeps the first `ref` as soon as it is read, so that it outlives whatever is wrong behind it.
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

fn command(fields: &Fields<'_>) -> Result<Command, Wrong> {
    Ok(match needed(text(&fields.kind, "type")?, "type")? {
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
            body: Arc::from(needed(text(&fields.body, "body")?, "body")?),
            id: text(&fields.id, "id")?
                .map(str::parse::<MessageId>)
                .transpose()
                .map_err(|error| wrong("id", error))?,
        }),
        "history" => Command::History(History {
            room: room(&fields.room)?,
            before: number(&fields.before, "before")?,
            after: number(&fields.after, "after")?,
            limit: number(&fields.limit, "limit")?,
        }),
        "members" => Command::Members(Members {
            room: room(&fields.room)?,
            after: text(&fields.after, "after")?.map(spelled_as_names_are),
            prefix: text(&fields.prefix, "prefix")?.map(spelled_as_names_are),
            limit: number(&fields.limit, "limit")?,
        }),
        "typing" => Command::Typing { room: room(&fields.room)? },
        "ping" => Command::Ping,
        unknown => {
            let quoted: String = unknown.chars().take(QUOTED).collect();
            return Err(Wrong(ErrorCode::UnknownType, format!("unknown type \"{quoted}\"")));
        }
    })
}

fn reference(field: &Field<'_>) -> Result<Option<Reference>, Wrong> {
    text(field, "ref")?.map(str::parse).transpose().map_err(|error| wrong("ref", error))
}

/// A part of a name in the form that names are compared in.
fn spelled_as_names_are(part: &str) -> String {
    part.nfc().collect()
}

fn room(field: &Field<'_>) -> Result<RoomName, Wrong> {
    let text = needed(text(field, "room")?, "room")?;
    RoomName::parse(text).map_err(|error| Wrong(ErrorCode::InvalidRoom, error.to_string()))
}

fn username(field: &Field<'_>) -> Result<Username, Wrong> {
    let text = needed(text(field, "username")?, "username")?;
    Username::parse(text).map_err(|error| Wrong(ErrorCode::InvalidUsername, error.to_string()))
}

fn since(field: &Field<'_>) -> Result<Option<Since>, Wrong> {
    let place = match field {
        Field::Absent => return Ok(None),
        Field::Object(place) => place,
        _ => return Err(of_type("since", "an object")),
    };
    let epoch = needed(text(&place.epoch, "since.epoch")?, "since.epoch")?;
    let seq = needed(number(&place.seq, "since.seq")?, "since.seq")?;
    Ok(Some(Since { epoch: Epoch(epoch.into()), seq }))
}

fn text<'f>(field: &'f Field<'_>, name: &str) -> Result<Option<&'f str>, Wrong> {
    match field {
        Field::Absent => Ok(None),
        Field::Text(text) => Ok(Some(text)),
        _ => Err(of_type(name, "a string")),
    }
}

/// What a number has to be.
const NUMBER: &str = "a whole number from 0 to 2^64 - 1";

fn number(field: &Field<'_>, name: &str) -> Result<Option<u64>, Wrong> {
    match field {
        Field::Absent => Ok(None),
        Field::Number(number) => Ok(Some(*number)),
        Field::OutOfRange => Err(Wrong(
            ErrorCode::BadJson,
            format!("the number in \"{name}\" is out of range: it must be {NUMBER}"),
        )),
        _ => Err(of_type(name, NUMBER)),
    }
}

fn flag(field: &Field<'_>, name: &str) -> Result<Option<bool>, Wrong> {
    match field {
        Field::Absent => Ok(None),
        Field::Flag(flag) => Ok(Some(*flag)),
        _ => Err(of_type(name, "true or false")),
    }
}

fn needed<T>(value: Option<T>, name: &str) -> Result<T, Wrong> {
    value.ok_or_else(|| Wrong(ErrorCode::MissingField, format!("the field \"{name}\" is missing")))
}

fn wrong(name: &str, error: LengthError) -> Wrong {
    Wrong(ErrorCode::MissingField, format!("the field \"{name}\" is invalid: {error}"))
}

fn of_type(name: &str, expected: &str) -> Wrong {
    Wrong(ErrorCode::MissingField, format!("the field \"{name}\" must be {expected}"))
}
