//! Commands, as a client writes them.

use chat_protocol::Reference;
use chat_protocol::v2::{self, ClientFrame, Command, Hello, History, Join, Members, React, Send, Since};

use crate::{emoji, epoch, guest_token, id, name, reference, room};

/// Serializes a command, and checks that the server reads it back.
fn client(reference: Option<Reference>, command: Command) -> String {
    let frame = ClientFrame { reference, command };
    let text = serde_json::to_string(&frame).unwrap();
    assert_eq!(v2::read(&text), Ok(frame), "{text}");
    text
}

#[test]
fn commands_with_all_fields_are_written() {
    let commands = [
        Command::Hello(Hello {
            username: Some(name("ana")),
            token: Some("t".into()),
            guest_token: Some(guest_token()),
            replaces: Some("s0".into()),
            client: Some("page 1.0".into()),
            render: true,
        }),
        Command::Join(Join { room: room(), since: Some(Since { epoch: epoch(), seq: 41 }), history: 50 }),
        Command::Leave { room: room() },
        Command::Send(Send { room: room(), body: "*hi*".into(), reply_to: Some(5), id: Some(id()) }),
        Command::React(React { room: room(), target: 7, emoji: emoji(), on: true }),
        Command::History(History { room: room(), before: Some(9), after: Some(3), limit: Some(20) }),
        Command::Members(Members {
            room: room(),
            after: Some("ana".into()),
            prefix: Some("b".into()),
            limit: Some(20),
        }),
        Command::Typing { room: room() },
        Command::Ping,
    ];
    let written = commands.map(|command| client(reference(), command)).join("\n");
    insta::assert_snapshot!(written, @r#"
    {"ref":"r1","type":"hello","username":"ana","token":"t","guest_token":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8","replaces":"s0","client":"page 1.0","render":true}
    {"ref":"r1","type":"join","room":"lobby","since":{"epoch":"000000000000e70c","seq":41},"history":50}
    {"ref":"r1","type":"leave","room":"lobby"}
    {"ref":"r1","type":"send","room":"lobby","body":"*hi*","reply_to":5,"id":"m1"}
    {"ref":"r1","type":"react","room":"lobby","target":7,"emoji":"👍","on":true}
    {"ref":"r1","type":"history","room":"lobby","before":9,"after":3,"limit":20}
    {"ref":"r1","type":"members","room":"lobby","after":"ana","prefix":"b","limit":20}
    {"ref":"r1","type":"typing","room":"lobby"}
    {"ref":"r1","type":"ping"}
    "#);
}

#[test]
fn commands_with_only_required_fields_are_written() {
    let commands = [
        Command::Hello(Hello {
            username: None,
            token: None,
            guest_token: None,
            replaces: None,
            client: None,
            render: false,
        }),
        Command::Join(Join { room: room(), since: None, history: 0 }),
        Command::Leave { room: room() },
        Command::Send(Send { room: room(), body: "".into(), reply_to: None, id: None }),
        Command::History(History { room: room(), before: None, after: None, limit: None }),
        Command::Members(Members { room: room(), after: None, prefix: None, limit: None }),
        Command::Typing { room: room() },
        Command::Ping,
    ];
    let written = commands.map(|command| client(None, command)).join("\n");
    insta::assert_snapshot!(written, @r#"
    {"type":"hello"}
    {"type":"join","room":"lobby"}
    {"type":"leave","room":"lobby"}
    {"type":"send","room":"lobby","body":""}
    {"type":"history","room":"lobby"}
    {"type":"members","room":"lobby"}
    {"type":"typing","room":"lobby"}
    {"type":"ping"}
    "#);
}
