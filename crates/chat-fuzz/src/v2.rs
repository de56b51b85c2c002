//! Any text of `chat.v2`, as the server reads it from a client, and as a client reads it from the server.

use chat_protocol::v2::{self, ClientFrame, Command, ErrorCode, Rejected, ServerFrame};
use chat_protocol::{MessageId, Reference, RoomName, Username};
use serde_json::Value;
use unicode_normalization::UnicodeNormalization;

use crate::json::{self, Object};

/// The longest sentence that says what is wrong: a type is quoted with at most 64 characters.
const MAX_SAID: usize = 64 * 4 + 200;

pub(crate) fn run(bytes: &[u8]) {
    let frame = crate::text(bytes);
    let seen = json::object(frame);
    match v2::read(frame) {
        Ok(command) => assert_command(&command, seen.as_ref()),
        Err(rejected) => assert_rejected(&rejected, seen.as_ref()),
    }
    if let Ok(frame) = serde_json::from_str::<ServerFrame>(frame) {
        assert_told(&frame);
    }
}

/// What was read is within the contract's limits, is what another reader sees, and is read again as it was.
fn assert_command(frame: &ClientFrame, seen: Option<&Object>) {
    let ClientFrame { reference, command } = frame;
    if let Some(seen) = seen {
        assert_eq!(
            seen.once("ref").and_then(|said| said.as_str()),
            reference.as_ref().map(Reference::as_str)
        );
        let (kind, fields) = outline(command);
        assert_eq!(seen.once("type").and_then(|said| said.as_str()), Some(kind));
        assert!(!seen.has_twice(&["type", "ref"]) && !seen.has_twice(fields), "{command:?}");
        assert_same(frame, fields, seen);
    }
    assert!(reference.as_ref().is_none_or(|said| said.as_str().chars().count() <= Reference::MAX));
    if let Command::Send(v2::Send { id: Some(id), .. }) = command {
        assert!((1..=MessageId::MAX).contains(&id.as_str().chars().count()));
    }
    if let Some(room) = room(command) {
        assert!((1..=RoomName::MAX).contains(&room.as_str().chars().count()));
        assert_eq!(RoomName::parse(room.as_str()).as_ref(), Ok(room), "a name has one spelling");
    }
    if let Command::Hello(hello) = command {
        assert!((1..=Username::MAX).contains(&hello.username.as_str().chars().count()));
    }
    let written = serde_json::to_string(frame).unwrap();
    assert_eq!(v2::read(&written).as_ref(), Ok(frame), "{written}");
    assert_eq!(&serde_json::from_str::<ClientFrame>(&written).unwrap(), frame, "{written}");
}

/// What is in each field is what another reader sees there. Names, and parts of them, are in the form that names have.
fn assert_same(frame: &ClientFrame, fields: &[&str], seen: &Object) {
    const NAMES: [&str; 4] = ["room", "username", "after", "prefix"];
    let read = serde_json::to_value(frame).unwrap();
    for field in fields {
        match (read.get(field), seen.once(field)) {
            (Some(Value::String(read)), Some(Value::String(seen))) if NAMES.contains(field) => {
                assert!(read.chars().eq(seen.nfc()), "{field}: {read:?} of {seen:?}");
            }
            (Some(Value::Object(read)), Some(Value::Object(seen))) => {
                // an object may have more in it
                assert!(
                    read.iter().all(|(name, value)| seen.get(name) == Some(value)),
                    "{field}: {read:?} of {seen:?}"
                );
            }
            // what is absent is written if it says anything
            (None, Some(seen)) => assert!(*seen == 0 || *seen == false, "{field}: nothing of {seen:?}"),
            (read, seen) => assert_eq!(read, seen, "{field}"),
        }
    }
}

/// A command's type, and the fields that it has.
fn outline(command: &Command) -> (&'static str, &'static [&'static str]) {
    match command {
        Command::Hello(_) => ("hello", &["username", "resume", "token", "client", "render"]),
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

/// The answer is short, and carries the `ref` that another reader sees.
fn assert_rejected(rejected: &Rejected, seen: Option<&Object>) {
    let Rejected { reference, code, message } = rejected;
    assert!(message.len() <= MAX_SAID, "{message}");
    let Some(seen) = seen else { return };
    let known =
        [ErrorCode::UnknownType, ErrorCode::MissingField, ErrorCode::InvalidRoom, ErrorCode::InvalidUsername];
    let is_out_of_range = *code == ErrorCode::BadJson && message.contains("is out of range");
    assert!(known.contains(code) || is_out_of_range, "{code:?} {message}");
    if seen.has_twice(&["ref"]) {
        return;
    }
    let said = seen.once("ref").and_then(|said| said.as_str());
    let said = said.filter(|said| said.chars().count() <= Reference::MAX);
    assert_eq!(said, reference.as_ref().map(Reference::as_str), "{message}");
}

/// What a client reads is written again as it was.
fn assert_told(frame: &ServerFrame) {
    let mut written = Vec::new();
    v2::write_frame(frame, &mut written);
    assert_eq!(serde_json::from_slice::<ServerFrame>(&written).unwrap(), *frame);
}
