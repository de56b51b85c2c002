//! Generates an [AsyncAPI 3.0] document of the protocol.
//!
//! [AsyncAPI 3.0]: https://www.asyncapi.com/docs/reference/specification/v3.0.0

use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::{ClientFrame, SUBPROTOCOL, ServerFrame};

const DESCRIPTION: &str = "Real-time chat over WebSocket. Frames are UTF-8 text, one JSON object each. \
    Both sides ignore unknown fields. A client frame may carry `ref`; the frame that answers it carries the same `ref`. \
    In operations, `receive` is what the server receives from a client, and `send` is what it sends to a client on its \
    own. The guarantees about ordering, resuming and presence, the limits and the close codes are in docs/protocol.md.";

const ENDPOINT: &str = "One connection is one session, a member of any number of rooms. The client's first frame is \
    `hello`. The server sends `bye` before every close that it initiates.";

/// The reply to each command that succeeds. The reply to a command that fails is `error`.
const REPLIES: [(&str, &str); 27] = [
    ("hello", "welcome"),
    ("join", "joined"),
    ("leave", "left"),
    ("send", "ack"),
    ("edit", "ack"),
    ("delete", "ack"),
    ("react", "ack"),
    ("history", "history"),
    ("members", "members"),
    ("search", "found"),
    ("create_room", "ack"),
    ("configure_room", "ack"),
    ("set_role", "done"),
    ("roles", "roles"),
    ("moderate", "done"),
    ("invite", "done"),
    ("invite_link", "invite_link"),
    ("report", "done"),
    ("reports", "reports"),
    ("close_report", "done"),
    ("audit", "audit"),
    ("directory", "directory"),
    ("direct", "room"),
    ("keep", "kept"),
    ("mark_read", "read"),
    ("renew", "renewed"),
    ("ping", "pong"),
];

/// The frames that the server sends on its own. It sends an `error` without a command if it
/// receives something that is not a valid command.
const UNSOLICITED: [&str; 21] = [
    "message",
    "edited",
    "deleted",
    "reactions",
    "room_changed",
    "you",
    "warned",
    "invited",
    "sync",
    "presence",
    "typing",
    "rooms",
    "kept",
    "dropped",
    "read",
    "inbox",
    "notice",
    "announcement",
    "left",
    "error",
    "bye",
];

/// A type of frame.
struct Frame {
    /// Its `type`.
    kind: String,
    /// What the frame is for, in a sentence.
    summary: Value,
    schema: Map<String, Value>,
}

/// The protocol as an AsyncAPI document, generated from the types of this module and their doc
/// comments.
pub fn asyncapi() -> Value {
    let mut schemas = definitions();
    let commands = frames("ClientFrame", &mut schemas);
    let events = frames("ServerFrame", &mut schemas);

    let mut messages = Map::new();
    for (side, from, frames) in [("Client", "the client", &commands), ("Server", "the server", &events)] {
        let mut any = Vec::new();
        for frame in frames {
            let name = schema_name(side, &frame.kind);
            any.push(reference(&format!("components/schemas/{name}")));
            let message = json!({
                "name": message_name(side, &frame.kind),
                "title": format!("{} from {from}", frame.kind),
                "summary": frame.summary,
                "payload": reference(&format!("components/schemas/{name}")),
            });
            messages.insert(message_name(side, &frame.kind), message);
            schemas.insert(name, Value::Object(frame.schema.clone()));
        }
        schemas.insert(
            format!("{side}Frame"),
            json!({ "description": format!("Any frame from {from}."), "oneOf": any }),
        );
    }
    let in_channel: Map<String, Value> = messages
        .keys()
        .map(|name| (name.clone(), reference(&format!("components/messages/{name}"))))
        .collect();

    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "chatd",
            "version": env!("CARGO_PKG_VERSION"),
            "description": DESCRIPTION,
        },
        "defaultContentType": "application/json",
        "channels": {
            "session": {
                "address": "/ws",
                "title": format!("A session of {SUBPROTOCOL}"),
                "description": ENDPOINT,
                "messages": in_channel,
                "bindings": { "ws": binding() },
            },
        },
        "operations": operations(&commands),
        "components": { "messages": messages, "schemas": schemas },
    })
}

/// The WebSocket binding: what the handshake must contain.
fn binding() -> Value {
    json!({
        "bindingVersion": "0.1.0",
        "method": "GET",
        "headers": {
            "type": "object",
            "properties": {
                "Sec-WebSocket-Protocol": {
                    "description": "The protocol. Without it, the server answers the handshake with 400.",
                    "type": "string",
                    "const": SUBPROTOCOL,
                },
            },
            "required": ["Sec-WebSocket-Protocol"],
        },
    })
}

/// One operation per command, with its replies, and one for all frames that the server sends on its
/// own.
fn operations(commands: &[Frame]) -> Map<String, Value> {
    let channel = reference("channels/session");
    let message = |side, kind| reference(&format!("channels/session/messages/{}", message_name(side, kind)));
    let received = commands.iter().map(|command| {
        let reply = REPLIES.iter().filter(|(kind, _)| *kind == command.kind).map(|(_, reply)| *reply);
        let replies: Vec<_> = reply.chain(["error"]).map(|reply| message("Server", reply)).collect();
        let operation = json!({
            "action": "receive",
            "channel": channel,
            "summary": command.summary,
            "messages": [message("Client", &command.kind)],
            "reply": { "channel": channel, "messages": replies },
        });
        (command.kind.clone(), operation)
    });
    let unsolicited = json!({
        "action": "send",
        "channel": channel,
        "summary": "What the server sends to a client on its own.",
        "messages": UNSOLICITED.map(|kind| message("Server", kind)),
    });
    received.chain([("unasked".to_owned(), unsolicited)]).collect()
}

/// The schemas of all types that frames consist of. AsyncAPI's schemas are a superset of JSON
/// Schema, draft 7.
fn definitions() -> Map<String, Value> {
    let settings = SchemaSettings::draft07().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.transforms.push(Box::new(RecursiveTransform(absent_not_null)));
        settings.transforms.push(Box::new(RecursiveTransform(join_lines)));
    });
    let mut generator = SchemaGenerator::new(settings);
    generator.subschema_for::<ClientFrame>();
    generator.subschema_for::<ServerFrame>();
    generator.take_definitions(true)
}

/// Removes `null` from the types of optional fields: the server never sends it, and clients do not
/// need to.
fn absent_not_null(schema: &mut Schema) {
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            schema.insert("type".into(), only);
        }
    }
    if let Some(Value::Array(choices)) = schema.get_mut("anyOf") {
        let null = json!({ "type": "null" });
        let before = choices.len();
        choices.retain(|choice| *choice != null);
        if choices.len() < before && choices.len() == 1 {
            let only = schema.remove("anyOf");
            schema.insert("allOf".into(), only.unwrap_or_default());
        }
    }
}

/// Joins the lines of each paragraph of a description: its line breaks are those of the source
/// code.
fn join_lines(schema: &mut Schema) {
    if let Some(Value::String(description)) = schema.get_mut("description") {
        *description =
            description.split("\n\n").map(|part| part.replace('\n', " ")).collect::<Vec<_>>().join("\n\n");
    }
}

/// Splits the schema of an enum of frames into one object per variant. The object contains the
/// fields next to the enum, the tag and the variant's own fields, as the frame does.
fn frames(name: &str, definitions: &mut Map<String, Value>) -> Vec<Frame> {
    let whole = definitions.remove(name).unwrap_or_default();
    let variants = whole["oneOf"].as_array().map(Vec::as_slice).unwrap_or_default();
    variants.iter().map(|variant| frame(variant, &whole, definitions)).collect()
}

fn frame(variant: &Value, whole: &Value, definitions: &mut Map<String, Value>) -> Frame {
    let content = variant["allOf"][0]["$ref"].as_str().and_then(|path| path.rsplit('/').next());
    let content = content.and_then(|name| definitions.remove(name)).unwrap_or_default();
    let (mut properties, mut required) = (Map::new(), Vec::new());
    for part in [variant, whole, &content] {
        properties.extend(part["properties"].as_object().cloned().unwrap_or_default());
        required.extend(part["required"].as_array().cloned().unwrap_or_default());
    }
    let kind = variant["properties"]["type"]["const"].as_str().unwrap_or_default().to_owned();
    let summary = variant["description"].clone();
    let mut schema = Map::new();
    schema.insert("description".into(), summary.clone());
    schema.insert("type".into(), "object".into());
    schema.insert("properties".into(), properties.into());
    schema.insert("required".into(), required.into());
    Frame { kind, summary, schema }
}

/// "ClientHello"
fn schema_name(side: &str, kind: &str) -> String {
    let mut letters = kind.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    format!("{side}{}{}", first.map(String::from).unwrap_or_default(), letters.as_str())
}

/// "client.hello"
fn message_name(side: &str, kind: &str) -> String {
    format!("{}.{kind}", side.to_ascii_lowercase())
}

fn reference(path: &str) -> Value {
    json!({ "$ref": format!("#/{path}") })
}
