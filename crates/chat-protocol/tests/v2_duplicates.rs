//! A field of the protocol must not occur twice in a frame, whichever command it belongs to.
#![allow(clippy::unwrap_used)]

use chat_protocol::v2::{self, Command, ErrorCode};

fn error(frame: &str) -> (ErrorCode, String) {
    let rejected = v2::read(frame).err().unwrap_or_else(|| panic!("{frame} is a command"));
    assert_eq!(rejected.reference.unwrap().as_str(), "r1", "{frame}");
    (rejected.code, rejected.message)
}

#[test]
fn a_known_field_twice_is_rejected_in_every_command() {
    let names = [
        "room", "body", "id", "username", "token", "client", "render", "since", "history", "before", "after",
        "prefix", "limit",
    ];
    for name in names {
        // null counts as absent, but the field still occurs twice
        for value in ["null", "1"] {
            let start = format!(r#"{{"ref":"r1","type":"ping","{name}":{value},"{name}""#);
            let (code, message) = error(&format!("{start}:1}}"));
            assert_eq!(code, ErrorCode::MissingField, "{name}");
            let expected = format!(
                "a field occurs twice: duplicate field `{name}` at line 1 column {}",
                start.chars().count()
            );
            assert_eq!(message, expected);
        }
    }
}

#[test]
fn the_first_error_in_a_frame_is_reported() {
    let (code, _) = error(r#"{"ref":"r1","type":"ping","body":1,"body":2 x"#);
    assert_eq!(code, ErrorCode::MissingField, "the duplicate precedes the invalid JSON");
    let (code, _) = error(r#"{"ref":"r1","type":"ping","body":1 x,"body":2"#);
    assert_eq!(code, ErrorCode::BadJson, "the invalid JSON precedes the duplicate");
}

#[test]
fn an_unknown_field_may_occur_twice() {
    let frame = v2::read(r#"{"x":1,"type":"ping","x":2,"y":{"seq":1,"seq":1},"y":3}"#).unwrap();
    assert_eq!(frame.command, Command::Ping);
}

#[test]
fn a_field_of_since_twice_is_rejected() {
    let (code, message) = error(r#"{"ref":"r1","type":"ping","since":{"seq":null,"seq":1}}"#);
    assert_eq!(code, ErrorCode::MissingField);
    assert!(message.contains("duplicate field `seq`"), "{message}");
}
