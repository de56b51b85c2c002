//! Frames that are not commands, and what the server answers.

use chat_protocol::v2::{self, Command, ErrorCode, Rejected, Send};
use serde_json::json;

use crate::{reference, rejected};

#[test]
fn ids_have_1_to_64_characters_and_refs_at_most_64() {
    let send = |id: String, reference: String| {
        v2::read(
            &json!({"type": "send", "room": "lobby", "body": "", "id": id, "ref": reference}).to_string(),
        )
    };
    let (min, max, too_long) = ("é".to_owned(), "é".repeat(64), "é".repeat(65));
    for (id, reference) in [(&min, ""), (&max, &*min), (&max, &*max)] {
        let frame = send(id.clone(), reference.into()).unwrap();
        assert_eq!(frame.reference.unwrap().as_str(), reference);
        assert!(matches!(frame.command, Command::Send(Send { id: Some(read), .. }) if read.as_str() == id));
    }
    for invalid in ["", &too_long] {
        let rejected = send(invalid.into(), "r1".into()).unwrap_err();
        assert_eq!((rejected.reference, rejected.code), (reference(), ErrorCode::MissingField));
        insta::allow_duplicates! {
            insta::assert_snapshot!(rejected.message, @r#"the field "id" is invalid: it must have 1 to 64 characters"#);
        }
    }
    let rejected = send(min, too_long).unwrap_err();
    assert_eq!((rejected.reference, rejected.code), (None, ErrorCode::MissingField));
    insta::assert_snapshot!(rejected.message, @r#"the field "ref" is invalid: it must have at most 64 characters"#);
}

#[test]
fn an_invalid_frame_is_rejected_with_a_reason() {
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let deep_objects = "{\"a\":".repeat(10_000);
    let deep_type = format!(r#"{{"ref":"r1","type":{deep}}}"#);
    let deep_body = format!(r#"{{"ref":"r1","type":"send","room":"lobby","body":{deep}}}"#);
    let deep_since =
        format!(r#"{{"ref":"r1","type":"join","room":"lobby","since":{}"#, r#"{"epoch":"#.repeat(10_000));
    let replies: Vec<String> = [
        // not a JSON object
        "",
        " ",
        "hello",
        "{",
        "null",
        "7",
        r#""ping""#,
        r#"["ping"]"#,
        r#"[{"type":"ping"}]"#,
        "\u{feff}{\"type\":\"ping\"}",
        r#"{"ref":"r1","type":"ping"} x"#,
        r#"{"ref":"r1","type":"ping","#,
        r#"{"type":"ping" "ref":"r1"}"#,
        r#"{'ref':'r1','type':'ping'}"#,
        r#"{"ref":"r1","type":"send","room":"lobby","body":"\ud800"}"#,
        r#"{"type":"send","room":"lobby","body":"\udc00\ud800","ref":"r1"}"#,
        r#"{"type":"send","room":"lobby","body":"hi","ref":"\ud800"}"#,
        "{\"ref\":\"r1\",\"type\":\"send\",\"room\":\"lobby\",\"body\":\"a\nb\"}",
        r#"{"ref":"r1","type":"history","room":"lobby","before":1e999}"#,
        r#"{"ref":"r1","type":"history","room":"lobby","before":01}"#,
        // numbers out of range, in every numeric field
        r#"{"ref":"r1","type":"join","room":"lobby","history":-1}"#,
        r#"{"ref":"r1","type":"join","room":"lobby","since":{"epoch":"e","seq":-5}}"#,
        r#"{"ref":"r1","type":"join","room":"lobby","since":{"epoch":"e","seq":1e20}}"#,
        r#"{"ref":"r1","type":"history","room":"lobby","limit":18446744073709551616}"#,
        r#"{"ref":"r1","type":"history","room":"lobby","before":-9223372036854775809}"#,
        r#"{"ref":"r1","type":"history","room":"lobby","after":-1}"#,
        r#"{"ref":"r1","type":"members","room":"lobby","limit":-1}"#,
        &deep,
        &deep_objects,
        &deep_since,
        // the type
        "{}",
        r#"{"ref":"r1"}"#,
        r#"{"ref":"r1","type":null}"#,
        r#"{"ref":"r1","type":7}"#,
        r#"{"type":["ping"],"ref":"r1"}"#,
        &deep_type,
        r#"{"ref":"r1","type":"Ping"}"#,
        r#"{"ref":"r1","type":""}"#,
        r#"{"ref":"r1","type":"welcome"}"#,
        // the ref
        r#"{"type":"ping","ref":5}"#,
        r#"{"type":"ping","ref":["r1"]}"#,
        r#"{"type":"ping","ref":{"epoch":"r1"}}"#,
        r#"{"type":"ping","ref":"r1","ref":"r2"}"#,
        // missing fields, and fields of the wrong type
        r#"{"ref":"r1","type":"hello","username":5}"#,
        r#"{"ref":"r1","type":"hello","username":"ana","token":true}"#,
        r#"{"ref":"r1","type":"hello","username":"ana","guest_token":5}"#,
        r#"{"ref":"r1","type":"hello","username":"ana","guest_token":"secret"}"#,
        r#"{"ref":"r1","type":"hello","username":"ana","replaces":5}"#,
        r#"{"ref":"r1","type":"hello","username":"ana","client":{"name":"page"}}"#,
        r#"{"ref":"r1","type":"hello","username":"ana","render":"true"}"#,
        r#"{"ref":"r1","type":"hello","username":"ana","render":1}"#,
        r#"{"ref":"r1","type":"join"}"#,
        r#"{"type":"join","room":["lobby"],"ref":"r1"}"#,
        r#"{"ref":"r1","type":"join","room":"lobby","since":5}"#,
        r#"{"ref":"r1","type":"join","room":"lobby","since":"5"}"#,
        r#"{"ref":"r1","type":"join","room":"lobby","since":["e",5]}"#,
        r#"{"ref":"r1","type":"join","room":"lobby","since":{}}"#,
        r#"{"ref":"r1","type":"join","room":"lobby","since":{"epoch":"e"}}"#,
        r#"{"ref":"r1","type":"join","room":"lobby","since":{"epoch":"e","seq":"5"}}"#,
        r#"{"ref":"r1","type":"join","room":"lobby","since":{"epoch":7,"seq":5}}"#,
        r#"{"type":"join","room":"lobby","since":{"seq":5,"seq":6},"ref":"r1"}"#,
        r#"{"ref":"r1","type":"join","room":"lobby","history":true}"#,
        r#"{"ref":"r1","type":"join","room":"lobby","history":1.0}"#,
        r#"{"ref":"r1","type":"leave"}"#,
        r#"{"ref":"r1","type":"send","body":"hi"}"#,
        r#"{"ref":"r1","type":"send","room":"lobby"}"#,
        r#"{"ref":"r1","type":"send","room":"lobby","body":null}"#,
        r#"{"ref":"r1","type":"send","room":"lobby","body":5}"#,
        &deep_body,
        r#"{"ref":"r1","type":"send","room":"lobby","body":"hi","id":5}"#,
        r#"{"type":"send","room":"lobby","body":"a","body":"b","ref":"r1"}"#,
        r#"{"ref":"r1","type":"history"}"#,
        r#"{"ref":"r1","type":"history","room":"lobby","before":"5"}"#,
        r#"{"ref":"r1","type":"history","room":"lobby","after":"5"}"#,
        r#"{"ref":"r1","type":"members"}"#,
        r#"{"ref":"r1","type":"members","room":"lobby","after":5}"#,
        r#"{"ref":"r1","type":"members","room":"lobby","prefix":5}"#,
        r#"{"ref":"r1","type":"members","room":"lobby","limit":0.5}"#,
        r#"{"ref":"r1","type":"typing"}"#,
        // names
        r#"{"ref":"r1","type":"join","room":""}"#,
        r#"{"ref":"r1","type":"leave","room":"a b"}"#,
        r#"{"ref":"r1","type":"typing","room":"\u0000"}"#,
        r#"{"ref":"r1","type":"hello","username":""}"#,
        r#"{"ref":"r1","type":"hello","username":"*chatd*"}"#,
    ]
    .iter()
    .map(|frame| {
        let Rejected { reference, code, message } = rejected(frame);
        let code = serde_json::to_value(code).unwrap();
        let frame: String = frame.chars().take(90).collect();
        let reference = reference.map_or("-".into(), |reference| reference.to_string());
        format!(
            "{}\n    {reference} {}: {message}",
            frame.replace('\n', "\\n").replace('\u{feff}', "U+FEFF "),
            code.as_str().unwrap()
        )
    })
    .collect();
    insta::assert_snapshot!(replies.join("\n"));
}

#[test]
fn names_that_are_too_long_are_rejected() {
    let frame = json!({"type": "join", "room": "é".repeat(65)}).to_string();
    assert_eq!(rejected(&frame).code, ErrorCode::InvalidRoom);
    let frame = json!({"type": "hello", "username": "é".repeat(51)}).to_string();
    assert_eq!(rejected(&frame).code, ErrorCode::InvalidUsername);
}

#[test]
fn the_reason_is_short_however_long_the_frame_is() {
    let long = "é".repeat(100_000);
    for field in ["type", "ref", "room", "id", "username", "guest_token", "render", "since", "limit", "after"]
    {
        for kind in ["hello", "join", "send", "history"] {
            let mut frame = json!({"type": kind, "room": "lobby", "username": "ana", "body": "hi"});
            frame[field] = long.as_str().into();
            if let Err(rejected) = v2::read(&frame.to_string()) {
                assert!(rejected.message.chars().count() < 120, "{}", rejected.message);
            }
        }
    }
    let rejected = rejected(&json!({ "type": long }).to_string());
    assert_eq!(rejected.code, ErrorCode::UnknownType);
    assert_eq!(rejected.message, format!("unknown type \"{}\"", "é".repeat(64)));
}
