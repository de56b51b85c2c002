//! docs/protocol.md and docs/asyncapi.json agree with the types.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use chat_protocol::v2::{ClientFrame, ErrorCode, ServerFrame};
use chat_protocol::{CloseCode, classic};
use serde_json::Value;

const PAGE: &str = include_str!("../../../docs/protocol.md");

/// The examples of `chat.v2`: every JSON object in the code blocks after that heading. In
/// transcripts, an arrow shows the sender.
fn examples() -> Vec<Value> {
    let (_, protocol) = PAGE.split_once("\n## `chat.v2`").unwrap();
    let blocks = protocol.split("\n```").skip(1).step_by(2);
    let json =
        blocks.map(|block| block.split_once('\n').unwrap().1.replace("-> {", "{").replace("<- {", "{"));
    json.flat_map(|block| {
        let frames =
            serde_json::Deserializer::from_str(&block).into_iter().collect::<Result<Vec<Value>, _>>();
        frames.unwrap_or_else(|error| panic!("{error}: {block}"))
    })
    .collect()
}

/// Returns the sender of the example and its type. The example must not have unknown fields.
fn frame(example: &Value) -> (&'static str, String) {
    let kind = example["type"].as_str().unwrap_or_else(|| panic!("no frame: {example}")).to_owned();
    let command = serde_json::from_value::<ClientFrame>(example.clone())
        .map(|frame| serde_json::to_value(frame).unwrap());
    let event = serde_json::from_value::<ServerFrame>(example.clone())
        .map(|frame| serde_json::to_value(frame).unwrap());
    if command.as_ref().is_ok_and(|command| command == example) {
        return ("client", kind);
    }
    if event.as_ref().is_ok_and(|event| event == example) {
        return ("server", kind);
    }
    panic!("neither a command nor an event: {example}\n{command:?}\n{event:?}");
}

/// The examples of `classic` are one frame of the server and one of a client.
#[test]
fn the_examples_of_classic_are_valid_frames() {
    let (before, _) = PAGE.split_once("\n## `chat.v2`").unwrap();
    let examples: Vec<_> = before
        .split("\n```")
        .skip(1)
        .step_by(2)
        .map(|block| block.strip_prefix("json\n").unwrap_or_else(|| panic!("not JSON: {block}")))
        .collect();
    let [from_server, from_client] = examples[..] else { panic!("{examples:?}") };

    let keys = ["message", "username", "type", "users"];
    let offsets = keys.map(|key| from_server.find(&format!("\"{key}\":")).unwrap());
    assert!(offsets.is_sorted(), "the keys are in another order: {from_server}");
    let frame: serde_json::Map<String, Value> = serde_json::from_str(from_server).unwrap();
    assert_eq!(frame.len(), keys.len());
    assert_eq!(frame["users"][0].as_object().unwrap().len(), 4);

    let command = classic::read(from_client).unwrap();
    assert_eq!(command, classic::Command::Say { body: "hello".into() });
}

#[test]
fn every_type_of_frame_has_a_valid_example() {
    let examples = examples();
    let shown: BTreeSet<_> = examples.iter().map(frame).collect();
    let client = ["hello", "join", "leave", "send", "history", "members", "typing", "ping"];
    let server = [
        "welcome",
        "joined",
        "left",
        "message",
        "presence",
        "typing",
        "ack",
        "history",
        "members",
        "notice",
        "announcement",
        "error",
        "bye",
        "pong",
    ];
    for (side, kinds) in [("client", &client[..]), ("server", &server[..])] {
        for kind in kinds {
            assert!(
                shown.contains(&(side, (*kind).to_owned())),
                "docs/protocol.md shows no `{kind}` from the {side}"
            );
        }
    }
}

#[test]
fn every_close_code_has_a_row_that_says_whether_to_reconnect() {
    for code in CloseCode::ALL.into_iter().filter(|code| *code != CloseCode::Normal) {
        let start = format!("| {} |", code.code());
        let end = if code.reconnect() { "| yes |" } else { "| no |" };
        let row = PAGE.lines().find(|line| line.starts_with(&start));
        assert!(
            row.is_some_and(|row| row.ends_with(end)),
            "docs/protocol.md: {code:?} is not \"{end}\": {row:?}"
        );
    }
}

#[test]
fn every_error_code_has_a_row() {
    for code in ErrorCode::ALL {
        let start = format!("| `{}` |", serde_json::to_value(code).unwrap().as_str().unwrap());
        assert!(
            PAGE.lines().any(|line| line.starts_with(&start)),
            "docs/protocol.md has no row for {code:?}"
        );
    }
}

#[cfg(feature = "schema")]
mod asyncapi {
    use super::*;

    fn document() -> Value {
        chat_protocol::v2::asyncapi()
    }

    #[test]
    fn the_document_in_the_repository_is_up_to_date() {
        let stored: Value = serde_json::from_str(include_str!("../../../docs/asyncapi.json")).unwrap();
        assert!(stored == document(), "docs/asyncapi.json is out of date: generate it with `just contract`");
    }

    /// Resolves a reference inside the document.
    fn resolve<'d>(document: &'d Value, reference: &str) -> &'d Value {
        let target = document.pointer(reference.strip_prefix('#').unwrap());
        target.unwrap_or_else(|| panic!("{reference} does not exist"))
    }

    fn references<'d>(value: &'d Value, found: &mut BTreeSet<&'d str>) {
        match value {
            Value::Object(fields) => {
                found.extend(fields.get("$ref").and_then(Value::as_str));
                fields.values().for_each(|value| references(value, found));
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }

    #[test]
    fn all_references_resolve_and_every_schema_is_referenced() {
        let document = document();
        let mut found = BTreeSet::new();
        references(&document, &mut found);
        for reference in &found {
            resolve(&document, reference);
        }
        for name in document["components"]["schemas"].as_object().unwrap().keys() {
            let whole = ["ClientFrame", "ServerFrame"].contains(&name.as_str());
            let used = found.contains(&*format!("#/components/schemas/{name}"));
            assert!(whole || used, "nothing refers to the schema {name}");
        }
    }

    #[test]
    fn every_frame_is_in_an_operation() {
        let document = document();
        let mut used = BTreeSet::new();
        references(&document["operations"], &mut used);
        for name in document["channels"]["session"]["messages"].as_object().unwrap().keys() {
            let reference = format!("#/channels/session/messages/{name}");
            assert!(used.contains(&*reference), "no operation has {name}");
        }
    }

    #[test]
    fn the_schema_of_a_frame_has_its_ref_type_and_fields_in_one_object() {
        let document = document();
        let join = resolve(&document, "#/components/schemas/ClientJoin");
        let fields: Vec<_> = join["properties"].as_object().unwrap().keys().collect();
        assert_eq!(fields, ["history", "invite", "ref", "room", "since", "type"]);
        assert_eq!(join["required"], serde_json::json!(["type", "room"]));
        assert_eq!(join["properties"]["type"]["const"], "join");
        assert!(!document.to_string().contains("\"null\""), "what is absent is not null");
        assert!(!document.to_string().contains("]("), "a description links to nothing");
    }

    /// Checks only this part of JSON Schema: every example has all required fields and no unknown
    /// ones.
    #[test]
    fn every_example_matches_its_schema() {
        let document = document();
        for example in examples() {
            let (side, kind) = frame(&example);
            let message = resolve(&document, &format!("#/components/messages/{side}.{kind}"));
            let schema = resolve(&document, message["payload"]["$ref"].as_str().unwrap());
            let example = example.as_object().unwrap();
            for field in schema["required"].as_array().unwrap() {
                assert!(example.contains_key(field.as_str().unwrap()), "{field} is not in {example:?}");
            }
            for field in example.keys() {
                assert!(schema["properties"].get(field).is_some(), "{field} of {kind} is not described");
            }
        }
    }
}
