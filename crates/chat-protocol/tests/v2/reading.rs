//! Commands that the server accepts although no client has to write them in this way.

use chat_protocol::Epoch;
use chat_protocol::v2::{self, ClientFrame, Command, ErrorCode, Join, React, Send, Since};
use serde_json::json;

use crate::{emoji, read, rejected, room};

#[test]
fn other_fields_of_a_command_are_ignored() {
    let send = Command::Send(Send { room: room(), body: "hi".into(), reply_to: None, id: None });
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let deep_unknown = format!(r#"{{"type":"send","x":{deep},"room":"lobby","body":"hi"}}"#);
    let deep_unused = format!(r#"{{"type":"send","limit":{deep},"room":"lobby","body":"hi"}}"#);
    for frame in [
        r#"{"type":"send","room":"lobby","body":"hi"}"#,
        r#"{"body":"hi","room":"lobby","x":[1,{"y":null}],"type":"send"}"#,
        r#"{"__proto__":{"type":"ping"},"constructor":0,"type":"send","room":"lobby","body":"hi"}"#,
        " \r\n\t{\"t\\u0079pe\":\"s\\u0065nd\",\"room\":\"lobby\",\"body\":\"\\u0068i\"}\n",
        // null counts as absent
        r#"{"type":"send","room":"lobby","body":"hi","id":null,"ref":null,"since":null,"limit":null}"#,
        // fields that the type does not have may have any value
        r#"{"type":"send","room":"lobby","body":"hi","username":5,"guest_token":"x","replaces":[],"render":"x","since":7,"after":{},"limit":-1}"#,
        r#"{"type":"send","room":"lobby","body":"hi","x":1e999,"x":2,"y":"\ud800"}"#,
        &deep_unknown,
        &deep_unused,
    ] {
        assert_eq!(
            v2::read(frame),
            Ok(ClientFrame { reference: None, command: send.clone() }),
            "{frame:.80}"
        );
    }
}

#[test]
fn names_are_normalised() {
    let Command::Join(join) = read(r#"{"type":"join","room":"cafe\u0301"}"#) else { unreachable!() };
    assert_eq!(join.room.as_str(), "café");
    let Command::Hello(hello) = read(r#"{"type":"hello","username":"jose\u0301"}"#) else { unreachable!() };
    assert_eq!(hello.username.unwrap().as_str(), "josé");
}

#[test]
fn a_prefix_of_a_name_is_normalised() {
    let read = |prefix: &str| {
        v2::read(&format!(r#"{{"type":"members","room":"r","prefix":"{prefix}"}}"#)).unwrap().command
    };
    assert_eq!(read("jose\u{301}"), read("josé"));
}

#[test]
fn after_is_a_number_in_history_and_a_name_in_members() {
    let Command::History(history) = read(r#"{"type":"history","room":"lobby","after":5}"#) else {
        unreachable!()
    };
    assert_eq!(history.after, Some(5));
    let Command::Members(members) = read(r#"{"type":"members","room":"lobby","after":"5"}"#) else {
        unreachable!()
    };
    assert_eq!(members.after.as_deref(), Some("5"));
    for frame in [
        json!({"type": "history", "room": "lobby", "after": "5"}),
        json!({"type": "members", "room": "lobby", "after": 5}),
    ] {
        assert_eq!(rejected(&frame.to_string()).code, ErrorCode::MissingField, "{frame}");
    }
}

#[test]
fn the_largest_numbers_are_accepted() {
    let frame = format!(
        r#"{{"type":"join","room":"lobby","since":{{"epoch":"","seq":{0},"x":[]}},"history":{0}}}"#,
        u64::MAX
    );
    let since = Since { epoch: Epoch::new(""), seq: u64::MAX };
    assert_eq!(
        read(&frame),
        Command::Join(Join { room: room(), invite: None, since: Some(since), history: u64::MAX }),
        "the parser does not limit positions"
    );
}

#[test]
fn a_hello_needs_no_name_and_null_counts_as_absent() {
    for frame in [
        r#"{"type":"hello"}"#,
        r#"{"type":"hello","username":null,"token":null,"guest_token":null,"replaces":null}"#,
        // a field of an earlier version
        r#"{"type":"hello","resume":"f3a94be210d57c00"}"#,
    ] {
        let Command::Hello(hello) = read(frame) else { unreachable!() };
        assert_eq!((hello.username, hello.token), (None, None), "{frame}");
        assert_eq!((hello.guest_token, hello.replaces), (None, None), "{frame}");
    }
}

#[test]
fn replaces_is_any_text() {
    for session in ["5b1c7d0e9a3f4c21", "", "é \u{0}", &"x".repeat(10_000)] {
        let frame = json!({"type": "hello", "username": "ana", "replaces": session}).to_string();
        let Command::Hello(hello) = read(&frame) else { unreachable!() };
        assert_eq!(hello.replaces.as_deref(), Some(session), "a server ignores ids that it does not know");
    }
}

#[test]
fn an_emoji_is_read_in_any_spelling() {
    for text in ["👍", ":+1:", "thumbsup"] {
        let frame = format!(r#"{{"type":"react","room":"lobby","target":7,"emoji":"{text}","on":false}}"#);
        let react = React { room: room(), target: 7, emoji: emoji(), on: false };
        assert_eq!(read(&frame), Command::React(react));
    }
}
