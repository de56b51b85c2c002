//! Any text of `chat.v2`, as a frame of a client and as a frame of the server.

use chat_protocol::v2::{self, ClientFrame, Command, ErrorCode, Rejected, ServerFrame};
use chat_protocol::{MessageId, Reference, RoomName, Username};
use serde_json::Value;
use unicode_normalization::UnicodeNormalization;

use crate::json::{self, Object};

/// The maximum length of an error message in bytes: it quotes at most 64 characters of a type.
const MAX_ERROR: usize = 64 * 4 + 200;

pub(crate) fn run(bytes: &[u8]) {
    let frame = crate::text(bytes);
    let parsed = json::object(frame);
    match v2::read(frame) {
        Ok(command) => assert_command(&command, parsed.as_ref()),
        Err(rejected) => assert_rejected(&rejected, parsed.as_ref()),
    }
    if let Ok(frame) = serde_json::from_str::<ServerFrame>(frame) {
        assert_server_frame(&frame);
    }
}

/// Checks that a command is within the protocol's limits, agrees with another JSON parser, and is
/// read unchanged after it is written.
fn assert_command(frame: &ClientFrame, parsed: Option<&Object>) {
    let ClientFrame { reference, command } = frame;
    if let Some(parsed) = parsed {
        assert_eq!(
            parsed.once("ref").and_then(|text| text.as_str()),
            reference.as_ref().map(Reference::as_str)
        );
        let (kind, fields) = type_and_fields(command);
        assert_eq!(parsed.once("type").and_then(|text| text.as_str()), Some(kind));
        assert!(!parsed.has_duplicate(&["type", "ref"]) && !parsed.has_duplicate(fields), "{command:?}");
        assert_same(frame, fields, parsed);
    }
    assert!(reference.as_ref().is_none_or(|text| text.as_str().chars().count() <= Reference::MAX));
    if let Command::Send(v2::Send { id: Some(id), .. }) = command {
        assert!((1..=MessageId::MAX).contains(&id.as_str().chars().count()));
    }
    if let Some(room) = room(command) {
        assert!((1..=RoomName::MAX).contains(&room.as_str().chars().count()));
        assert_eq!(RoomName::parse(room.as_str()).as_ref(), Ok(room), "a name is in its normal form");
    }
    if let Command::Hello(hello) = command {
        let length = hello.username.as_ref().map_or(1, |name| name.as_str().chars().count());
        assert!((1..=Username::MAX).contains(&length));
    }
    let written = serde_json::to_string(frame).unwrap();
    assert_eq!(v2::read(&written).as_ref(), Ok(frame), "{written}");
    assert_eq!(&serde_json::from_str::<ClientFrame>(&written).unwrap(), frame, "{written}");
}

/// Checks that each field has the value that another parser reads. Names and parts of names are
/// normalised.
fn assert_same(frame: &ClientFrame, fields: &[&str], parsed: &Object) {
    const NAMES: [&str; 4] = ["room", "username", "after", "prefix"];
    let read = serde_json::to_value(frame).unwrap();
    for field in fields {
        match (read.get(field), parsed.once(field)) {
            (Some(Value::String(read)), Some(Value::String(parsed))) if NAMES.contains(field) => {
                assert!(read.chars().eq(parsed.nfc()), "{field}: {read:?} of {parsed:?}");
            }
            (Some(Value::Object(read)), Some(Value::Object(parsed))) => {
                // an object may have more fields
                assert!(
                    read.iter().all(|(name, value)| parsed.get(name) == Some(value)),
                    "{field}: {read:?} of {parsed:?}"
                );
            }
            // default values are not written
            (None, Some(parsed)) => {
                assert!(*parsed == 0 || *parsed == false, "{field}: nothing for {parsed:?}");
            }
            (read, parsed) => assert_eq!(read, parsed, "{field}"),
        }
    }
}

/// The type of a command and its fields.
fn type_and_fields(command: &Command) -> (&'static str, &'static [&'static str]) {
    match command {
        Command::Hello(_) => ("hello", &["username", "token", "guest_token", "replaces", "client", "render"]),
        Command::Join(_) => ("join", &["room", "since", "history"]),
        Command::Leave { .. } => ("leave", &["room"]),
        Command::Send(_) => ("send", &["room", "body", "id"]),
        Command::History(_) => ("history", &["room", "before", "after", "limit"]),
        Command::Members(_) => ("members", &["room", "after", "prefix", "limit"]),
        Command::Typing { .. } => ("typing", &["room"]),
        Command::Ping => ("ping", &[]),
        other => panic!("{other:?}"),
    }
}

fn room(command: &Command) -> Option<&RoomName> {
    match command {
        Command::Join(v2::Join { room, .. })
        | Command::Leave { room }
        | Command::Send(v2::Send { room, .. })
        | Command::History(v2::History { room, .. })
        | Command::Members(v2::Members { room, .. })
        | Command::Typing { room } => Some(room),
        _ => None,
    }
}

/// Checks that the error is short and carries the `ref` that another parser reads.
fn assert_rejected(rejected: &Rejected, parsed: Option<&Object>) {
    let Rejected { reference, code, message } = rejected;
    assert!(message.len() <= MAX_ERROR, "{message}");
    let Some(parsed) = parsed else { return };
    let known =
        [ErrorCode::UnknownType, ErrorCode::MissingField, ErrorCode::InvalidRoom, ErrorCode::InvalidUsername];
    let is_out_of_range = *code == ErrorCode::BadJson && message.contains("is out of range");
    assert!(known.contains(code) || is_out_of_range, "{code:?} {message}");
    if parsed.has_duplicate(&["ref"]) {
        return;
    }
    let expected = parsed.once("ref").and_then(|text| text.as_str());
    let expected = expected.filter(|text| text.chars().count() <= Reference::MAX);
    assert_eq!(expected, reference.as_ref().map(Reference::as_str), "{message}");
}

/// Checks that a frame of the server is read unchanged after it is written.
fn assert_server_frame(frame: &ServerFrame) {
    let mut written = Vec::new();
    v2::write_frame(frame, &mut written);
    assert_eq!(serde_json::from_slice::<ServerFrame>(&written).unwrap(), *frame);
}
